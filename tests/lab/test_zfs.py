"""Disks on real ZFS: a guest that lives on a volume, its clone, and what both leave behind."""

import re
import time

from tests.guest.test_matrix import make, volume
from tests.lab.host import TOP, LabHost, on_the_disk
from vmstead.client import Client


def on_tank(name: str, **attributes: object) -> dict[str, object]:
    return {**volume("x"), "zvol_name": f"tank/{name}", "serial": name.replace(" ", "").upper(), **attributes}


async def everything(lab: LabHost) -> list[str]:
    """What the pool holds."""
    return (await lab.sh("zfs list -H -t all -o name -r tank")).splitlines()


async def test_the_pool_is_what_zfs_says(lab: LabHost) -> None:
    (pool,) = await lab.call("pool.query", [["name", "=", "tank"]])
    size, health = (await lab.sh("zpool list -Hp -o size,health tank")).split()
    assert (pool["size"], pool["status"], pool["healthy"]) == (int(size), health, True)
    assert await lab.call("pool.dataset.recommended_zvol_blocksize", "tank") == "16K"


async def test_disks_can_be_the_volumes_that_zfs_has(lab: LabHost) -> None:
    await lab.sh("zfs create -s -V 16M tank/loose && zfs create -s -V 16M 'tank/more words'")
    volumes = (await lab.sh("zfs list -H -t volume -o name -r tank")).splitlines()
    assert {"tank/loose", "tank/more words"} <= {*volumes}
    choices = await lab.call("vm.device.disk_choices")
    of_tank = {path: name for path, name in choices.items() if name.startswith("tank/")}
    assert of_tank == {f"/dev/zvol/{name.replace(' ', '+')}": name for name in volumes}
    await lab.sh("zfs destroy tank/loose && zfs destroy 'tank/more words'")
    assert "/dev/zvol/tank/loose" not in await lab.call("vm.device.disk_choices")


async def test_a_guest_lives_on_a_volume_and_its_clone_on_a_clone(lab: LabHost) -> None:
    before = await everything(lab)
    vm = await make(
        lab,
        on_tank("boot", type="VIRTIO"),
        on_tank("two words", type="VIRTIO"),
        name="original",
        bootloader="UEFI_CSM",
    )
    assert set(await everything(lab)) - {*before} == {"tank/boot", "tank/two words"}
    await lab.fill("/dev/zvol/tank/boot")
    await lab.call("vm.start", vm)
    with lab.console(vm) as console:
        console.log_in()
        assert [disk.serial for disk in console.inventory().disks] == ["BOOT", "TWOWORDS"]
        on_the_disk(console, "echo precious >/d/kept")
    await lab.call("vm.poweroff", vm)

    # What two clones take by hand: every program takes ten times as long here as elsewhere.
    began = time.monotonic()
    for name in ("boot", "two words"):
        await lab.sh(f"zfs snapshot 'tank/{name}@probe' && zfs clone 'tank/{name}@probe' 'tank/{name} probe'")
    plain = time.monotonic() - began
    await lab.sh("zfs destroy -R tank/boot@probe && zfs destroy -R 'tank/two words@probe'")
    with Client(lab.uri) as client:
        began = time.monotonic()
        client.call("vm.clone", vm, "copy")
        took = time.monotonic() - began
    assert took < 5 * plain, (took, plain)
    (copy,) = await lab.call("vm.query", [["name", "=", "copy"]])
    paths = [
        each["attributes"]["path"].removeprefix("/dev/zvol/").replace("+", " ") for each in copy["devices"]
    ]
    for path, of in zip(paths, ("tank/boot", "tank/two words"), strict=True):
        assert (await lab.sh(f"zfs get -H -o value origin '{path}'")).startswith(f"{of}@")

    await lab.call("vm.start", copy["id"])
    with lab.console(copy["id"]) as console:
        console.log_in()
        assert "precious" in on_the_disk(console, "cat /d/kept; echo changed >/d/kept")
    await lab.call("vm.poweroff", copy["id"])
    await lab.call("vm.delete", copy["id"], {"zvols": True})
    assert set(await everything(lab)) - {*before} == {"tank/boot", "tank/two words"}

    look = "udevadm settle; mount -o ro /dev/zvol/tank/boot-part1 /mnt; cat /mnt/kept; umount /mnt"
    assert await lab.sh(look) == "precious"
    await lab.call("vm.delete", vm, {"zvols": True, "force": True})
    assert await everything(lab) == before


async def test_the_driver_does_on_a_real_pool_what_its_port_says(lab: LabHost) -> None:
    command = ".venv/bin/python -m pytest -q -p no:cacheprovider -k real tests/contract"
    told = await lab.machine.ssh(
        f"cd {TOP} && VMSTEAD_TEST_ZFS=tank {command} 2>&1 | tail -100", timeout=1500
    )
    assert re.search(r"^\d{2,} passed, \d+ deselected", told, re.MULTILINE), told
