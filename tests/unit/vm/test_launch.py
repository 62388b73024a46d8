"""What a start needs to know of this host."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.devices.support import Bench, workbench
from tests.unit.vm.support import UUID, make_vm
from vmstead.errors import CallError
from vmstead.ports.engine import EngineInfo
from vmstead.vm.firmware import Firmware
from vmstead.vm.launch import FIRMWARE_FOLDER, launch_for, variables_path


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with workbench(tmp_path) as made:
        yield made


def engine(accelerator: str = "tcg", *, runs_guests: bool = True) -> EngineInfo:
    return EngineInfo("test", "test", accelerator, None, True, None, runs_guests)


async def refusal(bench: Bench, **fields: object) -> str:
    with pytest.raises(CallError) as raised:
        await launch_for(bench.ctx, make_vm(**fields))
    return str(raised.value)


@pytest.mark.parametrize("accelerator", ["kvm", "tcg"])
async def test_a_start_knows_the_accelerator_the_image_and_the_place_of_the_variables(
    bench: Bench, tmp_path: Path, accelerator: str
) -> None:
    bench.engine.told = engine(accelerator)
    launch = await launch_for(bench.ctx, make_vm())
    assert launch.accelerator == accelerator
    assert launch.firmware == Firmware("OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd", is_secure=False)
    assert launch.firmware_folder == Path("/usr/share/OVMF")
    assert launch.variables == tmp_path / "nvram" / f"{UUID}_VARS.fd"


async def test_the_image_follows_the_vm_and_what_the_host_has_at_the_moment(bench: Bench) -> None:
    bench.engine.told = engine()
    secure = await launch_for(bench.ctx, make_vm(enable_secure_boot=True))
    assert secure.firmware == Firmware("OVMF_CODE_4M.secboot.fd", "OVMF_VARS_4M.ms.fd", is_secure=True)
    bench.machine.images = {"OVMF_CODE.fd", "OVMF_VARS.fd"}
    plain = await launch_for(bench.ctx, make_vm(bootloader_ovmf="OVMF_CODE_4M.fd"))
    assert plain.firmware == Firmware("OVMF_CODE.fd", "OVMF_VARS.fd", is_secure=False)


async def test_a_bios_needs_no_image(bench: Bench) -> None:
    bench.engine.told = engine()
    bench.machine.images = set()
    assert (await launch_for(bench.ctx, make_vm(bootloader="UEFI_CSM"))).firmware is None


@pytest.mark.parametrize(
    ("fields", "images"),
    [
        ({}, set()),
        ({}, {"OVMF_CODE_4M.fd"}),
        ({"enable_secure_boot": True}, {"OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"}),
    ],
)
async def test_a_guest_without_an_image_does_not_start_and_the_way_out_is_told(
    bench: Bench, fields: dict[str, object], images: set[str]
) -> None:
    bench.engine.told = engine()
    bench.machine.images = images
    assert await refusal(bench, **fields) == (
        f"[EFAULT] VM 1 (web01) cannot start: there is no UEFI image for OVMF_CODE.fd in {FIRMWARE_FOLDER}; "
        "install the package ovmf, or use the bootloader UEFI_CSM"
    )


async def test_a_guest_that_is_only_pretended_needs_no_image(bench: Bench) -> None:
    bench.engine.told = engine(runs_guests=False)
    bench.machine.images = set()
    assert (await launch_for(bench.ctx, make_vm())).firmware is None


async def test_without_the_engine_nothing_starts_and_the_reason_is_told(bench: Bench) -> None:
    assert await refusal(bench) == "[EHOSTUNREACH] VM 1 (web01) cannot start: not connected yet"
    bench.ctx.states.disconnected("libvirtd was stopped")
    assert await refusal(bench) == "[EHOSTUNREACH] VM 1 (web01) cannot start: libvirtd was stopped"
    # For a moment the engine is away and nobody has been told.
    bench.ctx.states.connected({})
    assert await refusal(bench) == "[EHOSTUNREACH] VM 1 (web01) cannot start: the engine is not connected"


def test_variables_belong_to_the_uuid_and_not_to_the_name(bench: Bench, tmp_path: Path) -> None:
    assert variables_path(bench.ctx, "some-uuid") == tmp_path / "nvram" / "some-uuid_VARS.fd"
