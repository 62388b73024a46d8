"""What a VM's settings must satisfy together. Pure: values in, problems out."""

import errno
import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from vmstead.errors import Problem
from vmstead.kernel.xml import el
from vmstead.vm.model import HUGE_PAGES, MiB

#: As many virtual processors as every supported machine type takes.
MAXIMUM_VCPUS = 255
#: What is read back where the client chose no image; a start resolves it to what the host has.
DEFAULT_OVMF = "OVMF_CODE.fd"

_LARGEST_NUMBER = 4095

#: Characters of a name.
LONGEST_NAME = 150
#: The seed clones to a name with a hyphen; at the beginning one would look like an option to commands.
_NAME = re.compile(rf"[A-Za-z0-9_][A-Za-z0-9_-]{{0,{LONGEST_NAME - 1}}}")
_NUMBERS = re.compile(r"(?P<without>\^)?(?P<low>[0-9]{1,9})(?:-(?P<high>[0-9]{1,9}))?")


def problems(schema: str, vm: Mapping[str, Any], *, name_taken: bool) -> Iterator[Problem]:
    """Everything that is wrong with a VM.

    Args:
        schema: the parameter's name, which error paths begin with.
        vm: all fields, as they would be stored.
        name_taken: another VM has the name.
    """
    for attribute, message, *number in _problems(vm, name_taken=name_taken):
        yield Problem(f"{schema}.{attribute}", message, number[0] if number else errno.EINVAL)


def _problems(vm: Mapping[str, Any], *, name_taken: bool) -> "Iterator[tuple[Any, ...]]":
    yield from _memory(vm)
    yield from _hugepages(vm)
    yield from _arguments(vm)
    yield from _cpus(vm)
    yield from _cpu_model(vm)
    yield from _name(vm, name_taken=name_taken)
    yield from _pinning(vm)
    yield from _numa(vm)
    yield from _firmware(vm)
    yield from _texts(vm)


def _memory(vm: Mapping[str, Any]) -> "Iterator[tuple[Any, ...]]":
    if vm["min_memory"] is not None and vm["min_memory"] > vm["memory"]:
        yield "min_memory", f"{vm['min_memory']} MiB is more than memory, which is {vm['memory']} MiB"


def _hugepages(vm: Mapping[str, Any]) -> "Iterator[tuple[Any, ...]]":
    if vm["hugepages"] is None:
        return
    size = HUGE_PAGES[vm["hugepages"]] // MiB
    if vm["memory"] % size:
        yield "hugepages", f"memory is {vm['memory']} MiB, which is not a multiple of {size} MiB"
    if vm["min_memory"] not in (None, vm["memory"]):
        yield "min_memory", "has no effect with hugepages, which a guest cannot give back; leave it out"


def _arguments(vm: Mapping[str, Any]) -> "Iterator[tuple[Any, ...]]":
    try:
        shlex.split(vm["command_line_args"])
    except ValueError as error:
        yield "command_line_args", f"cannot be split into arguments: {error}"


def _cpus(vm: Mapping[str, Any]) -> "Iterator[tuple[Any, ...]]":
    total = vm["vcpus"] * vm["cores"] * vm["threads"]
    if total > MAXIMUM_VCPUS:
        yield (
            "vcpus",
            f"vcpus x cores x threads is {total}; a VM has at most {MAXIMUM_VCPUS} virtual processors",
        )


def _cpu_model(vm: Mapping[str, Any]) -> "Iterator[tuple[Any, ...]]":
    if vm["cpu_model"] and vm["cpu_mode"] != "CUSTOM":
        yield "cpu_model", f"has a meaning only with cpu_mode CUSTOM, which is {vm['cpu_mode']}"


def _name(vm: Mapping[str, Any], *, name_taken: bool) -> "Iterator[tuple[Any, ...]]":
    if name_taken:
        yield "name", f"a VM named {vm['name']} exists already", errno.EEXIST
    elif not _NAME.fullmatch(vm["name"]):
        yield (
            "name",
            (
                "only letters, digits, underscores and hyphens are possible, no more than 150 of them "
                "and no hyphen at the beginning"
            ),
        )


def _pinning(vm: Mapping[str, Any]) -> "Iterator[tuple[Any, ...]]":
    try:
        cpus = numbers(vm["cpuset"] or "", "processor")
    except ValueError as error:
        yield "cpuset", str(error)
        return
    if vm["pin_vcpus"]:
        total = vm["vcpus"] * vm["cores"] * vm["threads"]
        if not cpus:
            yield "cpuset", "is required with pin_vcpus: as many processors as the VM has, such as 0-3"
        elif len(cpus) != total:
            yield (
                "pin_vcpus",
                f"cpuset names {len(cpus)} processors, the VM has {total}; they must be as many",
            )


def _numa(vm: Mapping[str, Any]) -> "Iterator[tuple[Any, ...]]":
    try:
        numbers(vm["nodeset"] or "", "NUMA node")
    except ValueError as error:
        yield "nodeset", str(error)


def _firmware(vm: Mapping[str, Any]) -> "Iterator[tuple[Any, ...]]":
    if vm["machine_type"] and not vm["arch_type"]:
        yield "arch_type", "is required when machine_type is set, such as x86_64"
    if not vm["enable_secure_boot"]:
        return
    if vm["bootloader"] != "UEFI":
        yield "enable_secure_boot", "needs the bootloader UEFI"
    if vm["machine_type"] and "q35" not in vm["machine_type"]:
        yield "machine_type", f"secure boot needs a q35 machine, which {vm['machine_type']} is not"


def _texts(vm: Mapping[str, Any]) -> "Iterator[tuple[Any, ...]]":
    for name, value in vm.items():
        if isinstance(value, str):
            try:
                el("text", value)
            except ValueError:
                yield name, "has a control character, which a VM's definition cannot hold"


def numbers(text: str, what: str = "processor") -> list[int]:
    """The numbers of a list such as ``0-3,^2,8``, each once, in the order given.

    ``^2`` takes away what stands before it, as libvirt has it: https://libvirt.org/formatdomain.html#cpu-allocation.

    Raises:
        ValueError: it is no such list, or nothing is left of it.
    """
    found: dict[int, None] = {}
    for part in text.split(",") if text else ():
        match = _NUMBERS.fullmatch(part.strip(" "))
        low, high = (int(match["low"]), int(match["high"] or match["low"])) if match else (1, 0)
        if match is None or low > high or (match["without"] and match["high"]):
            kinds = f"a {what} number, nor a range such as 0-3, nor an exception such as ^2"
            raise ValueError(f"{part.strip()!r} is neither {kinds}")
        if high > _LARGEST_NUMBER:
            raise ValueError(f"{part.strip()!r}: no host has that many {what}s")
        if match["without"]:
            found.pop(low, None)
        else:
            found.update(dict.fromkeys(range(low, high + 1)))
    if text and not found:
        raise ValueError(f"{text!r} leaves no {what} at all")
    return list(found)
