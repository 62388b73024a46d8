"""Keys of ZFS."""

import pytest

from tests.contract.pools import ENCRYPTION
from tests.contract.volumes import kind_of
from tests.unit.adapters.zfs.rig import MiB, Rig
from vmstead.adapters.zfs.encryption import creation
from vmstead.ports.volumes import Encryption, VolumeError, VolumeErrorKind

SECRET = "secret-pass"


async def encrypted(rig: Rig) -> None:
    await rig.pools.create_filesystem("tank/sec", encryption=ENCRYPTION)
    await rig.volumes.create("tank/sec/disk", MiB)
    await rig.pools.create_filesystem("tank/sec/isos")


async def test_a_secret_is_read_and_never_an_argument(rig: Rig) -> None:
    await encrypted(rig)
    await rig.pools.lock("tank/sec", force=False)
    await kind_of(rig.pools.unlock("tank/sec", f"not-{SECRET}"))
    await rig.pools.unlock("tank/sec", SECRET)
    assert not any(SECRET in word for call in rig.fake.calls for word in call)
    assert [each for each in rig.fake.inputs if each] == [
        f"{SECRET}\n".encode(),
        f"not-{SECRET}\n".encode(),
        f"{SECRET}\n".encode(),
    ]
    assert SECRET not in repr(ENCRYPTION)


def test_how_a_dataset_is_made() -> None:
    assert creation(None) == ([], b"")
    key = Encryption("AES-128-CCM", "ab" * 32, is_passphrase=False, iterations=350_000)
    options, secret = creation(key)
    assert options == ["-o", "encryption=aes-128-ccm", "-o", "keyformat=hex", "-o", "keylocation=prompt"]
    assert secret == b"ab" * 32 + b"\n"
    with pytest.raises(VolumeError, match="one line"):
        creation(Encryption("AES-256-GCM", "two\nlines", is_passphrase=True, iterations=350_000))


async def test_errors_do_not_tell_the_secret(rig: Rig) -> None:
    await encrypted(rig)
    await rig.pools.lock("tank/sec", force=False)
    with pytest.raises(VolumeError) as raised:
        await rig.pools.unlock("tank/sec", "not-the-right-one")
    assert str(raised.value) == "this is not the passphrase of tank/sec"
    with pytest.raises(VolumeError, match="give the key or passphrase"):
        await rig.pools.unlock("tank/sec", None)


async def test_file_systems_are_mounted_again_and_those_that_are_not_to_be_are_not(rig: Rig) -> None:
    await encrypted(rig)
    rig.fake.do("zfs", "create", "-o", "canmount=noauto", "tank/sec/noauto")
    await rig.pools.lock("tank/sec", force=False)
    assert [each.name for each in rig.fake.model.datasets.values() if each.is_mounted] == ["tank"]
    await rig.pools.unlock("tank/sec", SECRET)
    mounted = sorted(each.name for each in rig.fake.model.datasets.values() if each.is_mounted)
    assert mounted == ["tank", "tank/sec", "tank/sec/isos"]


@pytest.mark.parametrize("busy", ["tank/sec/disk", "tank/sec/isos", "tank/sec"])
async def test_what_is_in_use_is_not_locked_and_goes_on(rig: Rig, busy: str) -> None:
    await encrypted(rig)
    rig.fake.model.busy.add(busy)
    assert await kind_of(rig.pools.lock("tank/sec", force=False)) is VolumeErrorKind.IN_USE
    assert await rig.volumes.file_size("/mnt/tank/sec/isos/a") is None
    assert (await rig.volumes.find("tank/sec/disk")).obstacle is None
    rig.fake.model.busy.clear()
    await rig.pools.lock("tank/sec", force=True)
    assert ["zfs", "unmount", "-f", "--", "tank/sec"] in rig.fake.calls


async def test_what_was_written_is_on_the_disks_before_the_key_goes(rig: Rig) -> None:
    await encrypted(rig)
    rig.fake.calls.clear()
    await rig.pools.lock("tank/sec", force=False)
    assert [call[1] for call in rig.changes] == ["unmount", "unmount", "sync", "unload-key"]
