"""What a VM's settings must satisfy together."""

import errno
import re
from typing import Any

import pytest

from tests.unit.vm.support import vm_values
from vmstead.errors import Problem
from vmstead.vm.rules import MAXIMUM_VCPUS, numbers, problems


def problems_of(*, name_taken: bool = False, **fields: Any) -> list[Problem]:
    return list(problems("vm_create", vm_values(**fields), name_taken=name_taken))


def texts(**fields: Any) -> dict[str | None, str]:
    """What is wrong, by field; every problem is an invalid value."""
    found = problems_of(**fields)
    assert {problem.errno for problem in found} <= {errno.EINVAL}
    assert len({problem.attribute for problem in found}) == len(found)
    return {problem.attribute: problem.message for problem in found}


def test_defaults_satisfy_all_of_them() -> None:
    assert problems_of() == []


def test_every_problem_is_told_and_under_the_name_of_the_parameter() -> None:
    values = vm_values(
        name="a b",
        memory=64,
        min_memory=65,
        vcpus=16,
        cores=16,
        command_line_args='"',
        cpu_mode="HOST-MODEL",
        cpu_model="EPYC",
        cpuset="x",
        nodeset="x",
        machine_type="pc",
        enable_secure_boot=True,
        bootloader="UEFI_CSM",
        description="\a",
    )
    assert [problem.attribute for problem in problems("vm_update", values, name_taken=False)] == [
        f"vm_update.{field}"
        for field in (
            "min_memory",
            "command_line_args",
            "vcpus",
            "cpu_model",
            "name",
            "cpuset",
            "nodeset",
            "arch_type",
            "enable_secure_boot",
            "machine_type",
            "description",
        )
    ]


# --- names ------------------------------------------------------------------------------------------

BAD_NAME = (
    "only letters, digits, underscores and hyphens are possible, no more than 150 of them "
    "and no hyphen at the beginning"
)


@pytest.mark.parametrize("name", ["a", "0", "_", "web-01", "a-", "__init__", "A" * 150])
def test_names_that_are_possible(name: str) -> None:
    assert problems_of(name=name) == []


@pytest.mark.parametrize(
    "name",
    [
        "-a",
        "a b",
        " a",
        "a.b",
        "a/b",
        "..",
        "a\n",
        "é",
        "\uff41",
        "\u0661",
        "a;b",
        "A" * 151,
    ],
)
def test_names_that_are_not(name: str) -> None:
    assert texts(name=name) == {"vm_create.name": BAD_NAME}


def test_a_name_that_is_taken_is_not_judged_further() -> None:
    assert problems_of(name="a b", name_taken=True) == [
        Problem("vm_create.name", "a VM named a b exists already", errno.EEXIST)
    ]


# --- memory and processors --------------------------------------------------------------------------


def test_the_least_memory_is_at_most_all_of_it() -> None:
    assert problems_of(memory=512, min_memory=512) == []
    assert texts(memory=512, min_memory=513) == {
        "vm_create.min_memory": "513 MiB is more than memory, which is 512 MiB"
    }


@pytest.mark.parametrize("counts", [(1, MAXIMUM_VCPUS, 1), (15, 17, 1), (3, 5, 17)])
def test_as_many_processors_as_a_machine_takes(counts: tuple[int, int, int]) -> None:
    vcpus, cores, threads = counts
    assert problems_of(vcpus=vcpus, cores=cores, threads=threads) == []


@pytest.mark.parametrize("counts", [(1, 1, MAXIMUM_VCPUS + 1), (16, 16, 1), (16, 8, 2), (2, 2**60, 2**60)])
def test_more_processors_than_that_are_refused_with_the_sum(counts: tuple[int, int, int]) -> None:
    vcpus, cores, threads = counts
    total = vcpus * cores * threads
    assert texts(vcpus=vcpus, cores=cores, threads=threads) == {
        "vm_create.vcpus": f"vcpus x cores x threads is {total}; a VM has at most 255 virtual processors"
    }


@pytest.mark.parametrize("mode", ["HOST-MODEL", "HOST-PASSTHROUGH"])
def test_a_model_goes_with_the_mode_that_takes_one(mode: str) -> None:
    assert problems_of(cpu_mode="CUSTOM", cpu_model="EPYC") == []
    assert problems_of(cpu_mode=mode, cpu_model="") == []
    assert texts(cpu_mode=mode, cpu_model="EPYC") == {
        "vm_create.cpu_model": f"has a meaning only with cpu_mode CUSTOM, which is {mode}"
    }


# --- pinning ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "cpus"),
    [
        ("", []),
        ("0", [0]),
        ("0-3", [0, 1, 2, 3]),
        ("0-1,8", [0, 1, 8]),
        ("8,0-1", [8, 0, 1]),
        ("3,1-4,2", [3, 1, 2, 4]),
        ("1, 2 ,3", [1, 2, 3]),
        ("007", [7]),
        ("4094-4095", [4094, 4095]),
        ("3-3", [3]),
        # An exception takes away what stands before it.
        ("1-8,^3", [1, 2, 4, 5, 6, 7, 8]),
        ("^3,1-4", [1, 2, 3, 4]),
        ("0-3,^1,1", [0, 2, 3, 1]),
        ("0,^9", [0]),
    ],
)
def test_lists_of_processors_keep_their_order_and_name_each_once(text: str, cpus: list[int]) -> None:
    assert numbers(text) == cpus


NO_CPU = "is neither a processor number, nor a range such as 0-3, nor an exception such as ^2"
TOO_MANY = "no host has that many processors"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (",", f"'' {NO_CPU}"),
        ("0,", f"'' {NO_CPU}"),
        (" ", f"'' {NO_CPU}"),
        ("0,,1", f"'' {NO_CPU}"),
        ("-1", f"'-1' {NO_CPU}"),
        ("1-", f"'1-' {NO_CPU}"),
        ("3-1", f"'3-1' {NO_CPU}"),
        ("0-1-2", f"'0-1-2' {NO_CPU}"),
        ("0 - 3", f"'0 - 3' {NO_CPU}"),
        ("^", f"'^' {NO_CPU}"),
        ("0-3,^1-2", f"'^1-2' {NO_CPU}"),
        ("0-3,^^1", f"'^^1' {NO_CPU}"),
        ("^3", "'^3' leaves no processor at all"),
        ("0-1,^0,^1", "'0-1,^0,^1' leaves no processor at all"),
        ("0x1", f"'0x1' {NO_CPU}"),
        ("1.0", f"'1.0' {NO_CPU}"),
        ("\u0661", f"'\u0661' {NO_CPU}"),
        ("0;1", f"'0;1' {NO_CPU}"),
        ("1\n", f"'1' {NO_CPU}"),
        ("4096", f"'4096': {TOO_MANY}"),
        ("0-4096", f"'0-4096': {TOO_MANY}"),
        # Answered without counting that far.
        ("0-999999999", f"'0-999999999': {TOO_MANY}"),
        ("0-9999999999", f"'0-9999999999' {NO_CPU}"),
    ],
)
def test_what_is_no_list_of_processors_is_told_by_its_part(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        numbers(text)
    # With pinning or without, and once.
    for pin_vcpus in (False, True):
        assert texts(cpuset=text, pin_vcpus=pin_vcpus) == {"vm_create.cpuset": message}


@pytest.mark.parametrize(
    "cpuset", ["0-3", "3,2,1,0", "0,0-3", "0-1, 4-5", "1-6,^3,^5", "0-3,^1,1", "7,0-2,^9"]
)
def test_pinning_takes_one_processor_for_each_of_the_vm(cpuset: str) -> None:
    assert problems_of(vcpus=2, threads=2, pin_vcpus=True, cpuset=cpuset) == []


@pytest.mark.parametrize("cpuset", [None, ""])
def test_pinning_needs_processors(cpuset: str | None) -> None:
    assert problems_of(cpuset=cpuset) == []
    assert texts(cpuset=cpuset, pin_vcpus=True) == {
        "vm_create.cpuset": "is required with pin_vcpus: as many processors as the VM has, such as 0-3"
    }


@pytest.mark.parametrize(("cpuset", "number"), [("0-2", 3), ("0-4", 5), ("0,0,0,0", 1)])
def test_pinning_to_more_or_fewer_processors_is_refused(cpuset: str, number: int) -> None:
    assert problems_of(vcpus=2, cores=2, cpuset=cpuset) == []
    assert texts(vcpus=2, cores=2, cpuset=cpuset, pin_vcpus=True) == {
        "vm_create.pin_vcpus": f"cpuset names {number} processors, the VM has 4; they must be as many"
    }


@pytest.mark.parametrize("nodeset", [None, "", "0", "0-0", "0-1", "0 ,1", "0-1,3", "0-3,^2", "^1,0-7"])
def test_lists_of_numa_nodes(nodeset: str | None) -> None:
    assert problems_of(nodeset=nodeset) == []


@pytest.mark.parametrize(
    ("nodeset", "part"),
    [
        ("x", "x"),
        ("0,", ""),
        (",0", ""),
        ("0;1", "0;1"),
        ("-1", "-1"),
        ("1-", "1-"),
        ("3-1", "3-1"),
        ("0\n", "0"),
        ("^", "^"),
        ("0-3,^1-2", "^1-2"),
        ("\u0661", "\u0661"),
    ],
)
def test_what_is_no_list_of_numa_nodes(nodeset: str, part: str) -> None:
    message = f"'{part}' {NO_CPU.replace('processor', 'NUMA node')}"
    assert texts(nodeset=nodeset) == {"vm_create.nodeset": message}


def test_a_list_that_leaves_no_numa_node_is_refused() -> None:
    assert texts(nodeset="0,^0") == {"vm_create.nodeset": "'0,^0' leaves no NUMA node at all"}


# --- machines and firmware --------------------------------------------------------------------------


def test_a_machine_belongs_to_an_architecture() -> None:
    assert problems_of(arch_type="x86_64") == []
    assert problems_of(arch_type="x86_64", machine_type="pc") == []
    assert problems_of(machine_type="") == []
    for arch_type in (None, ""):
        assert texts(arch_type=arch_type, machine_type="pc") == {
            "vm_create.arch_type": "is required when machine_type is set, such as x86_64"
        }


@pytest.mark.parametrize("machine", [None, "", "q35", "pc-q35-7.2"])
def test_secure_boot_is_possible_on_a_q35_machine(machine: str | None) -> None:
    assert problems_of(enable_secure_boot=True, arch_type="x86_64", machine_type=machine) == []


@pytest.mark.parametrize("machine", ["pc", "pc-i440fx-7.2", "microvm", "Q35"])
def test_secure_boot_is_not_possible_on_others(machine: str) -> None:
    fields: dict[str, Any] = {"arch_type": "x86_64", "machine_type": machine}
    assert problems_of(**fields) == []
    assert texts(**fields, enable_secure_boot=True) == {
        "vm_create.machine_type": f"secure boot needs a q35 machine, which {machine} is not"
    }


def test_a_bios_cannot_boot_securely() -> None:
    assert problems_of(bootloader="UEFI_CSM") == []
    assert texts(bootloader="UEFI_CSM", enable_secure_boot=True) == {
        "vm_create.enable_secure_boot": "needs the bootloader UEFI"
    }


# --- texts ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments", ["", " ", "-cpu host", "-set 'a b' \"c 'd'\"", r"a\ b", "-append 'x=\"1\"'", "# no comment"]
)
def test_arguments_that_can_be_told_apart(arguments: str) -> None:
    assert problems_of(command_line_args=arguments) == []


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [("'", "No closing quotation"), ('-a "b c', "No closing quotation"), ("a\\", "No escaped character")],
)
def test_arguments_that_cannot(arguments: str, reason: str) -> None:
    assert texts(command_line_args=arguments) == {
        "vm_create.command_line_args": f"cannot be split into arguments: {reason}"
    }


@pytest.mark.parametrize(
    "field", ["description", "cpu_model", "arch_type", "machine_type", "command_line_args"]
)
@pytest.mark.parametrize("character", ["\0", "\x1b", "\x7f\x08", "\ufffe", "\uffff"])
def test_no_text_holds_what_a_domain_document_cannot(field: str, character: str) -> None:
    fields = {"arch_type": "x86_64", field: f"a{character}b"}
    assert texts(**fields) == {
        f"vm_create.{field}": "has a control character, which a VM's definition cannot hold"
    }


@pytest.mark.parametrize("text", ["a\tb\nc\r\n", "<&>\"'", "☕ \U0001f4bb", "\x7f", "\ufffd"])
def test_other_characters_are_possible_in_a_description(text: str) -> None:
    assert problems_of(description=text) == []
