"""What a guest finds is what the API was told: every kind of firmware, disk, network card and screen."""

import asyncio
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.guest.guests import Host, Terminal, host
from vmstead.demo.guest import Inventory, build, default_cache
from vmstead.kernel.run import run

MIB = 1024 * 1024
SIZE = 160 * MIB


def volume(name: str, **attributes: Any) -> dict[str, Any]:
    return {
        "dtype": "DISK",
        "create_zvol": True,
        "zvol_name": f"default/{name}",
        "zvol_volsize": SIZE,
        "serial": name.upper(),
        **attributes,
    }


def image(name: str, **attributes: Any) -> dict[str, Any]:
    path = f"/mnt/default/{name}.raw"
    return {"dtype": "RAW", "path": path, "size": SIZE, "serial": name.upper(), **attributes}


async def make(here: Host, *devices: dict[str, Any], **fields: Any) -> int:
    """A VM with devices, in their order."""
    vm = await here.call("vm.create", {"name": "guest", "memory": 256, "autostart": False, **fields})
    for order, attributes in enumerate(devices, start=1):
        device = {"vm": vm["id"], "attributes": attributes, "order": order}
        await here.call("vm.device.create", device)
    return int(vm["id"])


async def boot(here: Host, vm: int) -> Inventory:
    """Start it, ask it what it has, and take it away."""
    await here.call("vm.start", vm)
    with here.console(vm) as console:
        console.log_in()
        found = console.inventory()
    await here.call("vm.poweroff", vm)
    return found


async def test_uefi_with_a_tpm_and_disks_on_both_buses(tmp_path: Path) -> None:
    with host() as here:
        async with here.serving():
            (here.state / "pools/default/data.iso").write_bytes(bytes(8 * MIB))
            vm = await make(
                here,
                volume("boot", type="VIRTIO", logical_sectorsize=512, physical_sectorsize=4096),
                image("data", type="AHCI"),
                volume("large", type="VIRTIO", logical_sectorsize=4096, iotype="NATIVE"),
                {"dtype": "CDROM", "path": "/mnt/default/data.iso"},
                {"dtype": "NIC", "type": "VIRTIO", "nic_attach": "user", "mac": "00:a0:98:00:00:01"},
                {"dtype": "NIC", "type": "E1000", "nic_attach": "user", "mac": "00:a0:98:00:00:02"},
                {"dtype": "DISPLAY", "type": "VNC", "resolution": "1920x1080"},
                vcpus=1,
                cores=2,
                threads=1,
                trusted_platform_module=True,
                min_memory=128,
                arch_type="x86_64",
                machine_type="q35",
            )
            await here.fill(".volumes/boot")
            found = await boot(here, vm)
            assert (found.system.firmware, found.system.secure_boot) == ("uefi", "off")
            topology = (found.system.cpus, found.system.sockets, found.system.cores, found.system.threads)
            assert topology == (2, 1, 2, 1)
            assert [tpm.version for tpm in found.tpms] == [2]
            disks = {disk.serial: disk for disk in found.disks if not disk.cdrom}
            assert {serial: disk.bus for serial, disk in disks.items()} == {
                "BOOT": "virtio",
                "DATA": "ata",
                "LARGE": "virtio",
            }
            sectors = {serial: (disk.logical_sector, disk.physical_sector) for serial, disk in disks.items()}
            assert sectors == {"BOOT": (512, 4096), "DATA": (512, 512), "LARGE": (4096, 4096)}
            (cdrom,) = (disk for disk in found.disks if disk.cdrom)
            assert (cdrom.bytes, cdrom.readonly) == (8 * MIB, True)
            assert {nic.mac: nic.driver for nic in found.nics} == {
                "00:a0:98:00:00:01": "virtio_net",
                "00:a0:98:00:00:02": "e1000",
            }
            assert [display.resolution for display in found.displays] == ["1920x1080"]
            assert len(found.balloons) == 1


async def test_a_bios_boots_from_the_raw_disk_that_is_to_boot_first(tmp_path: Path) -> None:
    with host() as here:
        async with here.serving():
            vm = await make(
                here,
                volume("empty", type="AHCI"),
                image("boot", type="VIRTIO", boot=True),
                {"dtype": "DISPLAY", "type": "SPICE", "resolution": "800x600"},
                bootloader="UEFI_CSM",
                vcpus=2,
                cores=1,
                time="UTC",
            )
            await here.fill("boot.raw")
            found = await boot(here, vm)
            assert found.system.firmware == "bios"
            assert (found.system.cpus, found.system.sockets) == (2, 2)
            buses = {disk.serial: disk.bus for disk in found.disks}
            assert buses == {"EMPTY": "ata", "BOOT": "virtio"}
            assert found.nics == ()
            assert found.tpms == ()


async def test_a_cdrom_comes_before_disks_that_could_boot_too(tmp_path: Path) -> None:
    with host() as here:
        async with here.serving():
            await bootable_cd(tmp_path, here.state / "pools/default/boot.iso")
            vm = await make(
                here, {"dtype": "CDROM", "path": "/mnt/default/boot.iso"}, volume("empty", type="VIRTIO")
            )
            found = await boot(here, vm)
            assert {disk.name: disk.bytes for disk in found.disks if not disk.cdrom} == {"vda": SIZE}
            assert [disk.name for disk in found.disks if disk.cdrom] == ["sr0"]


async def bootable_cd(folder: Path, target: Path) -> None:
    """A disc from which UEFI starts the demo guest: its boot partition as El Torito's image."""
    disk = await build(default_cache())
    partition = folder / "tree" / "efi.img"
    partition.parent.mkdir()
    await run(["dd", f"if={disk}", f"of={partition}", "bs=1M", "skip=1", "status=none"])
    efi = ["-e", "efi.img", "-no-emul-boot"]
    await run(["xorriso", "-as", "mkisofs", "-quiet", "-o", str(target), *efi, str(partition.parent)])


async def test_a_clone_boots_with_disks_of_its_own() -> None:
    with host() as here:
        async with here.serving():
            vm = await make(
                here,
                volume("boot", type="VIRTIO"),
                {"dtype": "NIC", "type": "VIRTIO", "nic_attach": "user"},
                trusted_platform_module=True,
            )
            await here.fill(".volumes/boot")
            first = await boot(here, vm)
            await here.call("vm.clone", vm, "copy")
            copy = await here.call("vm.query", [["name", "=", "copy"]], {"get": True})
            swtpm = here.state / "libvirt/lib/swtpm"
            uuids = [(await here.call("vm.get_instance", each))["uuid"] for each in (vm, copy["id"])]
            assert sorted(path.name for path in swtpm.iterdir()) == sorted(uuids)
            second = await boot(here, copy["id"])
            assert [tpm.version for tpm in second.tpms] == [2]
            assert second.dmi.uuid == copy["uuid"] != first.dmi.uuid
            assert second.nics[0].mac != first.nics[0].mac
            assert second.disks[0].serial != first.disks[0].serial
            await asyncio.gather(
                *(here.call("vm.delete", each, {"zvols": True}) for each in (vm, copy["id"]))
            )
            assert list(swtpm.iterdir()) == []
            assert list((here.state / "nvram").iterdir()) == []
            assert list((here.state / "pools/default/.volumes").iterdir()) == []


async def test_the_clock_shows_local_or_universal_time(tmp_path: Path) -> None:
    zone = tmp_path / "Nine"
    zone.write_bytes(_zone(hours=9))
    elsewhere = ("unshare", "--mount", "sh", "-c", f'mount --bind {zone} /etc/localtime && exec "$@"', "sh")
    with host() as here:
        async with here.serving(elsewhere):
            hours = []
            for name, time in (("local", "LOCAL"), ("universal", "UTC")):
                vm = await make(here, image(name, type="VIRTIO"), name=name, time=time)
                await here.fill(f"{name}.raw")
                clock = datetime.fromisoformat((await boot(here, vm)).system.rtc)
                ahead = clock - datetime.now(UTC).replace(tzinfo=None)
                hours.append(round(ahead / timedelta(hours=1), 1))
            assert hours == [9.0, 0.0]


def _zone(hours: int) -> bytes:
    """A time zone that is always that far ahead of UTC (RFC 8536, version 1)."""
    name = b"VMS\0"
    header = b"TZif" + bytes(16) + struct.pack(">6I", 0, 0, 0, 0, 1, len(name))
    return header + struct.pack(">iBB", hours * 3600, 0, 0) + name


async def test_a_guest_is_left_with_its_minimum_of_memory() -> None:
    with host() as here:
        async with here.serving():
            vm = await make(here, image("boot", type="VIRTIO"), memory=512, min_memory=256)
            await here.fill("boot.raw")
            await here.call("vm.start", vm)
            with here.console(vm) as console:
                console.log_in()
                # The balloon takes a moment to fill; the guest itself says when less is free than was taken.
                free = "while read -r key kib _; do [ $key != MemFree: ] || break; done </proc/meminfo"
                console.type(f"kib=999999; while [ $kib -gt 230000 ]; do sleep 1; {free}; done; echo TAK''EN")
                console.until("TAKEN")
                assert memory_of(console) > 450_000
            await here.call("vm.poweroff", vm)


def memory_of(console: Terminal) -> int:
    """KiB that the guest takes its machine to have, ballooned or not."""
    return console.inventory().system.memory_kib
