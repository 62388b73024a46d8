"""What ``qemu-img`` writes, as values. Pure."""

import json
import re
from typing import Any

from vmstead.ports.images import Image, ImageError

_PERCENT = re.compile(r"\(\s*([0-9]+)(?:\.[0-9]+)?/100%\)")
#: Members of ``qemu-img info`` that name another file.
_OTHER_FILES = ("backing-filename", "full-backing-filename", "backing-image")


def percent(line: str) -> int | None:
    """How far it is, from a line that ``-p`` makes it write: 0 to 100; None when the line says nothing of it."""
    found = _PERCENT.search(line)
    return min(100, int(found[1])) if found else None


def image(output: bytes) -> Image:
    """The image that ``qemu-img info --output=json`` has described.

    Raises:
        ImageError: it needs other files, is encrypted, or the description lacks what it must have.
    """
    info = _object(output)
    size, format = info.get("virtual-size"), info.get("format")
    specific = info.get("format-specific") or {}
    data = specific.get("data") or {} if isinstance(specific, dict) else {}
    if any(info.get(name) for name in _OTHER_FILES) or data.get("data-file"):
        raise ImageError("needs other files")
    if info.get("encrypted"):
        raise ImageError("is encrypted; decrypt it first")
    extents = data.get("extents") or []
    if any(extent.get("filename") != info.get("filename") for extent in extents):
        raise ImageError("needs other files")
    if not isinstance(size, int) or size < 0 or not isinstance(format, str):
        raise ImageError("has no size that could be read")
    return Image(format, size)


def required(output: bytes) -> int:
    """The bytes that ``qemu-img measure --output=json`` says a copy takes. Raises ImageError."""
    number = _object(output).get("required")
    if not isinstance(number, int) or number < 0:
        raise ImageError("could not be measured")
    return number


def damage(output: bytes) -> str | None:
    """What ``qemu-img check --output=json`` has found to be wrong; None when all is well."""
    found = _object(output)
    for name in ("corruptions", "check-errors"):
        if found.get(name):
            return f"{found[name]} {name.replace('-', ' ')}"
    return None


def complaint(text: str, *names: str) -> str:
    """The last line of what ``qemu-img`` complains of, without its own name and those of the files.

    Files have other names on the host than clients have for them.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    line = lines[-1] if lines else "no reason given"
    for name in sorted(names, key=len, reverse=True):
        line = line.replace(f"'{name}'", "it").replace(name, "it")
    line = line.removeprefix("qemu-img: ").strip()
    return re.sub(r"^(Could not open it: )+", "", line)


def _object(output: bytes) -> dict[str, Any]:
    try:
        value = json.loads(output)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ImageError("could not be read: qemu-img gave no description of it")
    return value
