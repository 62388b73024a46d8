"""What guests can be made of, from libvirt's documents."""

from typing import Any
from xml.etree.ElementTree import fromstring

import libvirt

from vmstead.ports.engine import Capabilities

#: What the processors of all guests here are called by libvirt.
_ARCHITECTURES = ("x86_64", "aarch64", "ppc64le")
#: Machines without the bus that nearly every device of a guest here sits on.
_WITHOUT_PCI = {"isapc", "microvm", "none", "x-remote"}


def read_capabilities(connection: Any) -> Capabilities:
    """Ask a connection. Blocks: libvirt examines every QEMU there is when it is asked for the first time.

    See https://libvirt.org/formatcaps.html.
    """
    document = fromstring(connection.getCapabilities())  # noqa: S314 - libvirt is trusted
    machines: dict[str, set[str]] = {}
    for guest in document.iterfind("guest"):
        for arch in guest.iterfind("arch"):
            found = machines.setdefault(arch.get("name", ""), set())
            for machine in arch.iterfind(".//machine"):
                names = filter(None, (machine.text, machine.get("canonical")))
                found.update(name for name in names if name not in _WITHOUT_PCI)
    models: set[str] = set()
    for architecture in _ARCHITECTURES:
        if architecture in machines:
            models.update(_models(connection, architecture))
    return Capabilities(
        {arch: tuple(sorted(names)) for arch, names in sorted(machines.items())}, tuple(sorted(models))
    )


def _models(connection: Any, architecture: str) -> list[str]:
    try:
        return list(connection.getCPUModelNames(architecture) or [])
    except libvirt.libvirtError as error:
        # libvirt takes any model on some architectures, and drivers without guests know none.
        if error.get_error_code() != libvirt.VIR_ERR_NO_SUPPORT:
            raise
        return []
