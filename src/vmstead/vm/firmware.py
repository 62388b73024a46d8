"""Which UEFI image a VM starts with, and the variable store that belongs to it.

Distributions ship images of 2 and of 4 MiB, for secure boot and without, and some releases only some of them.
What a client asks for is stored as it is; what it becomes is decided at each start, from what the host has.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

_CODE = re.compile(r"OVMF_CODE(?P<size>_4M)?(?P<kind>\.[a-z]+)?\.fd")


@dataclass(frozen=True)
class Firmware:
    """Names of an image and of the template for a VM's variables, both in the OVMF folder."""

    code: str
    variables: str
    is_secure: bool


def choose(wanted: str, available: Collection[str], *, secure_boot: bool) -> Firmware | None:
    """The image for a VM, or None when the host has none that fits.

    The same image is taken when it is there. Otherwise one of the other size with the same properties, so
    that a VM made on one release starts on another.
    """
    match = _CODE.fullmatch(wanted)
    if match is None:
        return None
    size, kind = match["size"] or "", match["kind"] or ""
    if secure_boot and kind not in _SECURE:
        kind = ".secboot"
    kinds = [kind, *sorted(_SECURE - {kind})] if secure_boot else [kind, ""]
    for each_kind in kinds:
        for each_size in (size, "_4M", ""):
            code = f"OVMF_CODE{each_size}{each_kind}.fd"
            variables = _variables(each_size, each_kind, available)
            if code in available and variables is not None:
                return Firmware(code, variables, each_kind in _SECURE)
    return None


#: Images that can enforce secure boot. They need System Management Mode, hence a q35 machine.
_SECURE = {".secboot", ".ms", ".snakeoil"}
#: Variable stores to try, by the kind of image: keys are enrolled in all but the plain one.
_STORES = {"": ("",), ".secboot": (".ms", ""), ".ms": (".ms",), ".snakeoil": (".snakeoil", ".ms")}


def _variables(size: str, kind: str, available: Collection[str]) -> str | None:
    names = (f"OVMF_VARS{size}{store}.fd" for store in _STORES.get(kind, ("",)))
    return next((name for name in names if name in available), None)
