"""``disk.*`` and ``service.*``: the host's disks and services as clients read them."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.api.answers import needs_role, shaped
from tests.harness import server
from vmstead.adapters.fake_host import FakeHost
from vmstead.ports.disks import BlockDevice
from vmstead.ports.machine import ServiceNames, ServiceState

DISKS = [
    BlockDevice("sda", 2048, 2 << 40, "WD-1", "50014ee2", "WDC", True, 5400, "scsi", "ATA"),
    BlockDevice("sdb", 2064, 1 << 30, "STICK", bus="USB", subsystem="scsi"),
    BlockDevice("vda", 65024, 1 << 30, bus="VIRTIO", subsystem="virtio"),
]


async def test_a_disk_is_told_with_everything_known_of_it(tmp_path: Path) -> None:
    async with server(tmp_path, machine=FakeHost(drives=DISKS)) as host:
        rows = await shaped(host, "disk.query")
        assert rows[0] == {
            "identifier": "{serial_lunid}WD-1_50014ee2",
            "name": "sda",
            "subsystem": "scsi",
            "number": 2048,
            "serial": "WD-1",
            "lunid": "50014ee2",
            "size": 2 << 40,
            "description": "",
            "transfermode": "Auto",
            "hddstandby": "ALWAYS ON",
            "advpowermgmt": "DISABLED",
            "expiretime": None,
            "model": "WDC",
            "rotationrate": 5400,
            "type": "HDD",
            "zfs_guid": None,
            "bus": "ATA",
            "devname": "sda",
            "enclosure": None,
            "pool": None,
        }
        assert [row["identifier"] for row in rows[1:]] == ["{serial}STICK", "{devicename}vda"]
        assert [row["name"] for row in await shaped(host, "disk.query", [["type", "=", "SSD"]])] == [
            "sdb",
            "vda",
        ]
        assert await shaped(host, "disk.get_instance", "{serial}STICK") == rows[1]


async def test_disks_take_a_role_and_proper_questions(tmp_path: Path) -> None:
    async with server(tmp_path, machine=FakeHost(drives=DISKS)) as host:
        await needs_role(host, "DISK_READ", ("disk.query",), ("disk.get_instance", "{devicename}vda"))
        failure = await host.api.failure("disk.get_instance", "sda")
        assert failure.data["extra"] == [[None, "Disk sda does not exist", 2]]
        assert (await host.api.failure("disk.get_instance")).attributes == ["id"]


async def test_services_are_told_and_this_one_always_runs(tmp_path: Path) -> None:
    machine = FakeHost()
    machine.units["ssh"] = ServiceState(runs=True, starts=True, pids=(7, 8))
    async with server(tmp_path, machine=machine) as host:
        assert await shaped(host, "service.query") == [
            {"id": 1, "service": "vmstead", "enable": False, "state": "RUNNING", "pids": [os.getpid()]},
            {"id": 2, "service": "libvirtd", "enable": False, "state": "STOPPED", "pids": []},
            {"id": 3, "service": "ssh", "enable": True, "state": "RUNNING", "pids": [7, 8]},
        ]
        ssh = await host.api.call("service.query", [["service", "=", "ssh"]], {"get": True})
        assert await shaped(host, "service.get_instance", 3) == ssh
        assert (await host.api.failure("service.get_instance", 9)).data["extra"][0][2] == 2
        assert (await host.api.failure("service.get_instance", "ssh")).attributes == ["id"]
        await needs_role(host, "SERVICE_READ", ("service.query",), ("service.get_instance", 1))


class Mute(FakeHost):
    """A host that can be asked for nothing."""

    async def disks(self) -> Sequence[BlockDevice]:
        raise PermissionError(13, "Permission denied", "/sys/block")

    async def services(self, wanted: Mapping[str, ServiceNames]) -> Mapping[str, ServiceState]:
        raise OSError("systemctl did not finish in time: ")


@pytest.mark.parametrize(
    ("method", "text"),
    [
        ("disk.query", "[EIO] the host's disks cannot be listed: Permission denied"),
        ("service.query", "[EIO] the host's services cannot be listed: systemctl did not finish in time: "),
    ],
)
async def test_a_host_that_does_not_answer_is_an_error_with_its_reason(
    tmp_path: Path, method: str, text: str
) -> None:
    async with server(tmp_path, machine=Mute()) as host:
        assert (await host.api.failure(method)).reason == text
