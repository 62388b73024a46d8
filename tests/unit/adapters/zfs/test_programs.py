"""What ZFS's programs say, in the port's terms."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from vmstead.adapters.zfs.programs import Programs, ZfsError, ZfsHost
from vmstead.kernel.run import CommandError
from vmstead.ports.volumes import VolumeErrorKind

Kind = VolumeErrorKind


def programs(status: int | None, output: str) -> Programs:
    """Programs that all fail so."""

    async def run(
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        timeout: float = 600.0,
        on_line: Callable[[str], None] | None = None,
    ) -> bytes:
        raise CommandError(argv, status, output)

    return Programs(ZfsHost(run, Path("/"), Path("/"), lambda path, dataset: False))


def failure(status: int | None, output: str) -> ZfsError:
    with pytest.raises(ZfsError) as raised:
        asyncio.run(programs(status, output).change("zfs", "create", "--", "tank/a"))
    return raised.value


@pytest.mark.parametrize(
    ("output", "kind"),
    [
        ("cannot open 'tank/a': dataset does not exist", Kind.NOT_FOUND),
        ("cannot open 'tank': no such pool", Kind.NOT_FOUND),
        ("cannot create 'tank/a/b': parent does not exist", Kind.NOT_FOUND),
        ("cannot create 'tank/a/b': parent is not a filesystem", Kind.NOT_FOUND),
        ("could not find any snapshots to destroy; check snapshot names.", Kind.NOT_FOUND),
        ("cannot create 'tank/a': dataset already exists", Kind.EXISTS),
        ("cannot create 'tank/a': out of space", Kind.NO_SPACE),
        ("bad volume size '1208925819614629174706176': numeric value is too large", Kind.NO_SPACE),
        ("cannot create 'tank/a+b': invalid character '+' in name", Kind.BAD_NAME),
        ("cannot create 'tank/a': name is too long", Kind.BAD_NAME),
        ("cannot destroy 'tank/a': dataset is busy", Kind.IN_USE),
        ("cannot unmount '/tank/fs': pool or dataset is busy", Kind.IN_USE),
        ("Key unload error: 'tank/sec' is busy.", Kind.IN_USE),
        ("cannot promote 'tank/b': conflicting snapshot 's' from parent 'tank/a@s'", Kind.IN_USE),
        ("Key load error: Incorrect key provided for 'tank/sec'.", Kind.LOCKED),
        ("Key load error: Passphrase too short (min 8).", Kind.LOCKED),
        ("cannot create 'tank/sec/a': encryption root's key is not loaded or provided", Kind.LOCKED),
        ("cannot mount 'tank/sec': encryption key not loaded", Kind.LOCKED),
        ("cannot create 'tank/a': permission denied", Kind.FAILED),
        ("", Kind.FAILED),
    ],
)
def test_what_is_said_means_something(output: str, kind: VolumeErrorKind) -> None:
    error = failure(1, f"{output}\n")
    assert error.kind is kind
    assert str(error) == (output or "zfs ended with status 1")
    assert error.names == []


def test_what_is_in_the_way_is_named() -> None:
    error = failure(
        1,
        "cannot destroy 'tank/a': volume has dependent clones\n"
        "use '-R' to destroy the following datasets:\ntank/b\ntank/two words\n",
    )
    assert (error.kind, error.names) == (Kind.IN_USE, ["tank/b", "tank/two words"])
    usage = failure(2, "cannot open 'tank/a': dataset does not exist\nusage:\n\tsnapshot [-r] ...\n")
    assert (str(usage), usage.names) == ("cannot open 'tank/a': dataset does not exist", [])


@pytest.mark.parametrize(
    ("status", "output", "told"),
    [
        (127, "No such file or directory", "apt-get install zfsutils-linux"),
        (None, "killed after 60 seconds", "zpool status"),
        (1, "The ZFS modules cannot be auto-loaded.\nTry running 'modprobe zfs' as root\n", "modprobe zfs"),
        (1, "/dev/zfs and /proc/self/mounts are required.\n", "modprobe zfs"),
        (1, "Unable to open /dev/zfs: Permission denied\n", "Permission denied"),
    ],
)
def test_a_host_without_zfs_says_nothing_about_volumes(status: int | None, output: str, told: str) -> None:
    error = failure(status, output)
    assert error.kind is Kind.UNAVAILABLE
    assert told in str(error)
