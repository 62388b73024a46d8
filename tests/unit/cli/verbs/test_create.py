"""Making a VM with everything it needs, or nothing at all."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.verbs.desk import Desk, desk

MIB = 1024**2


async def made(at: Desk, *arguments: str) -> dict[str, Any]:
    """The VM that a command makes."""
    row: dict[str, Any] = await at.json("vm", "create", "web01", *arguments)
    return row


def pool(at: Desk) -> Path:
    return at.host.config.state / "pools" / "default"


def kinds(row: dict[str, Any]) -> list[str]:
    return [device["attributes"]["dtype"] for device in row["devices"]]


async def test_a_name_is_enough(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        assert await at.done("vm", "create", "web01") == "web01 (VM 1) is made.\n"
        row = await at.host.api.call("vm.get_instance", 1)
        assert (row["memory"], row["vcpus"], row["cores"], row["bootloader"]) == (2048, 1, 2, "UEFI")
        disk, nic, display = (device["attributes"] for device in row["devices"])
        assert (disk["dtype"], disk["type"], disk["path"]) == ("DISK", "VIRTIO", "/dev/zvol/default/web01")
        assert (nic["dtype"], nic["type"], nic["nic_attach"]) == ("NIC", "VIRTIO", None)
        assert (display["dtype"], display["type"], display["bind"]) == ("DISPLAY", "SPICE", "127.0.0.1")
        (volume,) = await at.host.api.call("pool.dataset.query", [["type", "=", "VOLUME"]])
        assert volume["volsize"]["parsed"] == 20 * 1024 * MIB


async def test_every_option_has_its_effect(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        (pool(at) / "a.iso").write_bytes(b"an ISO image")
        row = await made(
            at,
            *("--memory", "512", "--cpus", "4", "--iso", "a.iso", "--disk", "1M", "--nic", "user"),
            *("--display", "vnc", "--bios", "--tpm", "--no-autostart", "--description", "The web server"),
            *("--set", "shutdown_timeout=30", "--set", "min_memory=256M", "--start"),
        )
        assert (row["memory"], row["min_memory"], row["cores"], row["shutdown_timeout"]) == (512, 256, 4, 30)
        assert (row["bootloader"], row["trusted_platform_module"]) == ("UEFI_CSM", True)
        assert (row["autostart"], row["description"]) == (False, "The web server")
        assert kinds(row) == ["DISK", "CDROM", "NIC", "DISPLAY"]
        assert row["devices"][1]["attributes"]["path"] == "/mnt/default/a.iso"
        assert row["devices"][2]["attributes"]["nic_attach"] == "user"
        assert row["devices"][3]["attributes"]["type"] == "VNC"
        assert row["status"]["state"] == "RUNNING"


async def test_nothing_that_is_not_wanted(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        row = await made(at, "--disk", "none", "--nic", "none", "--display", "none")
        assert row["devices"] == []


async def test_a_disk_that_is_there(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.done("volume", "create", "default/data", "1M")
        row = await made(at, "--disk", "/dev/zvol/default/data")
        assert row["devices"][0]["attributes"]["path"] == "/dev/zvol/default/data"
        (pool(at) / "a.img").write_bytes(bytes(MIB))
        other = await at.json("vm", "create", "web02", "--disk", "/mnt/default/a.img")
        assert other["devices"][0]["attributes"]["dtype"] == "RAW"


async def test_a_disk_begins_as_a_copy_of_an_image(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        (pool(at) / "small.raw").write_bytes(b"bootable" * 1024)
        outcome = await at.run("vm", "create", "web01", "--image", "small.raw")
        assert outcome.status == 0
        assert "Copying /mnt/default/small.raw to default/web01" in outcome.stderr
        content = (pool(at) / ".volumes/web01").read_bytes()
        assert len(content) == MIB
        assert content.startswith(b"bootable" * 1024)
        larger = await at.json("vm", "create", "web02", "--image", "/mnt/default/small.raw", "--disk", "3M")
        assert (pool(at) / ".volumes/web02").stat().st_size == 3 * MIB
        assert larger["devices"][0]["attributes"]["path"] == "/dev/zvol/default/web02"


async def test_a_volume_of_that_name_is_left_alone(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.done("volume", "create", "default/web01", "1M")
        row = await made(at, "--disk", "1M")
        assert row["devices"][0]["attributes"]["path"] == "/dev/zvol/default/web01-1"


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["--iso", "nope.iso"], 4, "attributes.path: /mnt/default/nope.iso does not exist"),
        (["--nic", "nope0"], 1, "attributes.nic_attach"),
        (["--image", "nope.qcow2"], 4, "vm.device.virtual_size"),
        (["--image", "broken.qcow2"], 1, "vm.device.virtual_size"),
        (["--image", "a.raw", "--disk", "none"], 2, "--image needs a disk to copy it to: --disk SIZE"),
        (["--image", "a.raw", "--disk", "/mnt/default/a.raw"], 2, "--disk names a file"),
        (["--disk", "lots"], 2, "--disk: 'lots' is no size"),
        (["--memory", "lots"], 2, "'lots' is no size; write it like 512M or 20G"),
        (["--set", "colour=red"], 1, "vm_create.colour: Extra inputs are not permitted"),
    ],
)
async def test_what_fails_leaves_nothing(
    tmp_path: Path, arguments: list[str], status: int, text: str
) -> None:
    async with desk(tmp_path) as at:
        (pool(at) / "broken.qcow2").write_bytes(b"QFI\xfb" + bytes(100))
        (pool(at) / "a.raw").write_bytes(bytes(MIB))
        found = await at.refused("vm", "create", "web01", *arguments)
        assert (found[0], text in found[1]) == (status, True), found
        assert await at.host.api.call("vm.query") == []
        assert await at.host.api.call("pool.dataset.query", [["type", "=", "VOLUME"]]) == []


async def test_a_disk_that_was_there_before_outlives_the_failure(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.done("volume", "create", "default/data", "1M")
        (pool(at) / ".volumes/data").write_bytes(b"precious" * (MIB // 8))
        await at.refused("vm", "create", "web01", "--disk", "/dev/zvol/default/data", "--nic", "nope0")
        assert await at.host.api.call("vm.query") == []
        assert (pool(at) / ".volumes/data").read_bytes() == b"precious" * (MIB // 8)
