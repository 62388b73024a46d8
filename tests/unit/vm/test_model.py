"""What clients may send about a VM, and what the rest of the package reads of one."""

from typing import Any

import pytest
from pydantic import ValidationError

from tests.unit.vm.support import UUID, make_vm, vm_values
from vmstead.kernel.model import sent
from vmstead.vm.model import MiB, Vm, VmCreate, VmFields

LARGEST = 2**53 - 1
REQUIRED = {"name": "web01", "memory": 512}


def refusals(kind: Any = VmCreate, **fields: Any) -> dict[str, str]:
    """What is wrong with fields before any rule is asked, by field."""
    required = REQUIRED if kind is VmCreate else {}
    with pytest.raises(ValidationError) as raised:
        kind.model_validate({**required, **fields})
    return {".".join(map(str, error["loc"])): error["msg"] for error in raised.value.errors()}


def test_only_name_and_memory_are_needed() -> None:
    with pytest.raises(ValidationError) as raised:
        VmCreate.model_validate({})
    assert {error["loc"]: error["msg"] for error in raised.value.errors()} == {
        ("name",): "Field required",
        ("memory",): "Field required",
    }


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("name", ["a", "x" * 1024]),
        ("description", ["", "x" * 1024]),
        ("vcpus", [1, 16]),
        ("cores", [1, 10**9]),
        ("threads", [1, 10**9]),
        ("memory", [20, LARGEST]),
        ("min_memory", [None, 20, LARGEST]),
        ("shutdown_timeout", [5, 300]),
        ("time", ["LOCAL", "UTC"]),
        ("bootloader", ["UEFI", "UEFI_CSM"]),
        ("bootloader_ovmf", [None, "OVMF_CODE_4M.fd"]),
        ("cpu_mode", ["CUSTOM", "HOST-MODEL", "HOST-PASSTHROUGH"]),
        ("cpu_model", [None, "", "EPYC"]),
        ("cpuset", [None, "", "0-3"]),
        ("nodeset", [None, "", "0"]),
        ("arch_type", [None, "", "x86_64"]),
        ("machine_type", [None, "", "q35"]),
        ("command_line_args", ["", "-no-hpet"]),
    ],
)
def test_values_up_to_the_limits_are_taken_as_they_are(field: str, values: list[object]) -> None:
    for value in values:
        assert getattr(VmCreate.model_validate({**REQUIRED, field: value}), field) == value


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        ("name", "", "String should have at least 1 character"),
        ("name", "x" * 1025, "String should have at most 1024 characters"),
        ("name", 1, "Input should be a valid string"),
        ("name", None, "Input should be a valid string"),
        ("description", None, "Input should be a valid string"),
        ("description", "x" * 1025, "String should have at most 1024 characters"),
        ("vcpus", 0, "Input should be greater than or equal to 1"),
        ("vcpus", 17, "Input should be less than or equal to 16"),
        ("cores", 0, "Input should be greater than or equal to 1"),
        ("threads", -1, "Input should be greater than or equal to 1"),
        ("threads", True, "Input should be a valid integer"),
        ("memory", 19, "Input should be greater than or equal to 20"),
        ("memory", LARGEST + 1, f"Input should be less than or equal to {LARGEST}"),
        ("memory", "512", "Input should be a valid integer"),
        ("memory", None, "Input should be a valid integer"),
        ("min_memory", 19, "Input should be greater than or equal to 20"),
        ("min_memory", 64.0, "Input should be a valid integer"),
        ("autostart", 1, "Input should be a valid boolean"),
        ("autostart", "yes", "Input should be a valid boolean"),
        ("time", "utc", "Input should be 'LOCAL' or 'UTC'"),
        ("bootloader", "GRUB", "Input should be 'UEFI' or 'UEFI_CSM'"),
        ("bootloader_ovmf", "", "String should have at least 1 character"),
        ("cpu_mode", None, "Input should be 'CUSTOM', 'HOST-MODEL' or 'HOST-PASSTHROUGH'"),
        ("shutdown_timeout", 4, "Input should be greater than or equal to 5"),
        ("shutdown_timeout", 301, "Input should be less than or equal to 300"),
        ("command_line_args", ["-no-hpet"], "Input should be a valid string"),
        ("uuid", "", "Value error, Not a UUID; write it like 6f9f4f5e-6d3c-4b44-9df9-0d6f7d3f9a52"),
        ("uuid", f"{UUID}0", "Value error, Not a UUID; write it like 6f9f4f5e-6d3c-4b44-9df9-0d6f7d3f9a52"),
        ("uuid", 7, "Input should be a valid string"),
        ("id", 7, "Extra inputs are not permitted"),
        ("Memory", 512, "Extra inputs are not permitted"),
    ],
)
def test_values_beyond_the_limits_are_refused_in_a_new_vm_and_in_a_change(
    field: str, value: object, text: str
) -> None:
    assert refusals(**{field: value}) == {field: text}
    if value is not None:
        assert refusals(VmFields, **{field: value}) == {field: text}


@pytest.mark.parametrize(
    "uuid",
    [
        UUID,
        UUID.upper(),
        UUID.replace("-", ""),
        f"{{{UUID}}}",
        f"urn:uuid:{UUID}",
    ],
)
def test_a_uuid_is_kept_in_the_spelling_that_the_engine_has_for_it(uuid: str) -> None:
    assert VmCreate.model_validate({**REQUIRED, "uuid": uuid}).uuid == UUID
    assert sent(VmFields.model_validate({"uuid": uuid})) == {"uuid": UUID}


def test_a_change_is_what_was_sent_and_nothing_else() -> None:
    assert sent(VmFields.model_validate({})) == {}
    assert sent(VmFields.model_validate({"memory": 64, "cpu_model": None})) == {
        "memory": 64,
        "cpu_model": None,
    }
    assert set(VmFields.model_fields) == set(VmCreate.model_fields)


# --- the stored VM ----------------------------------------------------------------------------------


def test_a_vm_has_the_fields_of_its_row() -> None:
    row = {"id": 7, **vm_values(description="x", min_memory=64)}
    assert vars(Vm.of(row)) == row


@pytest.mark.parametrize("change", [{"colour": "red"}, {"name": None}])
def test_a_row_that_is_no_vm_is_not_taken_for_one(change: dict[str, object]) -> None:
    row = {"id": 1, **vm_values(), **change}
    if change == {"name": None}:
        del row["name"]
    with pytest.raises(TypeError):
        Vm.of(row)


def test_a_vm_does_not_change() -> None:
    with pytest.raises(AttributeError):
        make_vm().memory = 1  # type: ignore[misc]


def test_what_follows_from_the_fields() -> None:
    vm = make_vm(name="db-1", vcpus=2, cores=3, threads=4, memory=20)
    assert vm.cpus == 24
    assert vm.memory_bytes == 20 * MiB == 20_971_520
    assert vm.domain_name == "1_db-1"
    assert str(vm) == "VM 1 (db-1)"
