"""What OpenZFS 2.1 wrote of a pool, read."""

from pathlib import Path

from vmstead.adapters.zfs.listing import FoundProperty, FoundSnapshot, datasets, mounts, properties, snapshots

HERE = Path(__file__).parent


def recorded(name: str) -> str:
    return HERE.joinpath(name).read_text()


def test_datasets() -> None:
    found = datasets(recorded("list.txt"))
    assert [*found] == [
        *("data", "data/isos", "data/noauto", "data/none", "data/off", "data/sec", "data/sec/v", "data/vms"),
        *("data/vms/copy", "data/vms/two words", "data/vms/web"),
    ]
    copy = found["data/vms/copy"]
    assert (copy.is_volume, copy.size, copy.block_size) == (True, 64 * 2**20, 16384)
    assert (copy.origin, copy.key, copy.encryption_root) == ("data/vms/web@vm", None, None)
    assert (copy.used, copy.data, copy.available, copy.created) == (0, 6144, 85422080, 1795576943)
    isos = found["data/isos"]
    assert (isos.is_volume, isos.size, isos.is_mounted, isos.mountpoint) == (False, None, True, "/srv/a b")
    assert (found["data/off"].can_mount, found["data/none"].mountpoint) == ("off", "none")
    volume = found["data/sec/v"]
    assert (volume.is_locked, volume.encryption_root, volume.key_format) == (True, "data/sec", "passphrase")
    assert not copy.is_locked


def test_snapshots() -> None:
    found = snapshots(recorded("snapshots.txt"))
    assert found[0] == FoundSnapshot(
        "data/vms/web", "s1", 1795576942, 0, 12288, 64 * 2**20, 532, is_going=False
    )
    assert [(each.name, each.size, each.is_going) for each in found[1:]] == [
        ("vm", 64 * 2**20, True),
        ("s", None, False),
    ]


def test_properties_with_all_characters_in_their_values() -> None:
    found = properties(recorded("get.txt"), ["data"])
    assert [*found] == ["data", "data/sec", "data/vms", "data/vms/web"]
    web = found["data/vms/web"]
    assert web["compression"] == FoundProperty("zstd", "local")
    assert web["user:nl"] == FoundProperty("line1\nline2\tx", "local")
    assert web["org.freenas:description"] == FoundProperty("a web  server", "inherited from data/vms")
    assert web["volsize"] == FoundProperty("67108864", "local")
    assert web["used"].source == "-"
    assert found["data/vms"]["quota"] == FoundProperty("104857600", "local")


def test_nothing_is_read_from_nothing() -> None:
    assert (datasets(""), snapshots(""), properties("", ["data"]), mounts("")) == ({}, [], {}, {})


def test_mounts_are_those_of_whole_datasets() -> None:
    assert mounts(recorded("mountinfo.txt")) == {
        "tank": "/tank",
        "data": "/data",
        "data/vms": "/data/vms",
        "data/isos": "/srv/a b",
    }
    bound = "40 27 0:41 /sub /mnt/x rw shared:1 - zfs tank rw\n"
    assert mounts(bound) == {}
