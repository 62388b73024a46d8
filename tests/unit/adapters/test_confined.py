"""A confined program reads and writes what it was told to, and nothing else."""

import json
import os
import sys
from pathlib import Path

import pytest

from vmstead.adapters import confined
from vmstead.kernel.run import CommandError, run

needs_landlock = pytest.mark.skipif(confined.landlock_version() == 0, reason="this kernel has no Landlock")


async def confine(
    *command: str, read: list[Path], write: list[Path] | None = None, file_size: int = 1 << 20
) -> bytes:
    how = {
        "server": os.getpid(),
        "memory": 1 << 30,
        "cpu": 10,
        "file_size": file_size,
        "read": [str(path) for path in read],
        "write": [str(path) for path in write or []],
    }
    launcher = [sys.executable, "-I", "-S", confined.__file__, json.dumps(how)]
    return await run([*launcher, *command], timeout=30)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "image"
    path.write_text("an image")
    path.chmod(0o600)
    return path


async def test_the_named_file_can_be_read_though_it_is_private(file: Path) -> None:
    assert await confine("cat", str(file), read=[file]) == b"an image"


@needs_landlock
@pytest.mark.parametrize("name", ["/etc/passwd", "/proc/self/environ"])
async def test_no_other_file_can_be_read(file: Path, name: str) -> None:
    with pytest.raises(CommandError, match="Permission denied"):
        await confine("cat", name, read=[file])


@needs_landlock
async def test_what_may_be_read_may_not_be_written(file: Path, tmp_path: Path) -> None:
    script = 'echo more > "$0"'
    with pytest.raises(CommandError, match="Permission denied"):
        await confine("sh", "-c", script, str(file), read=[file])
    with pytest.raises(CommandError, match="Permission denied"):
        await confine("sh", "-c", script, str(tmp_path / "new"), read=[file])
    await confine("sh", "-c", script, str(file), read=[], write=[file])
    assert file.read_text() == "more\n"


async def test_no_more_is_written_than_was_allowed(file: Path) -> None:
    with pytest.raises(CommandError):
        await confine(
            "sh", "-c", 'head -c 100000 /dev/zero > "$0"', str(file), read=[], write=[file], file_size=4096
        )
    assert file.stat().st_size <= 4096


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to lose")
async def test_of_roots_rights_only_that_to_open_files_is_left() -> None:
    status = (
        await confine("sh", "-c", "id -u; grep -E 'Cap(Eff|Bnd)' /proc/self/status || true", read=[])
    ).decode()
    assert status.splitlines()[0] == "65534"


async def test_a_program_that_is_not_there_is_told() -> None:
    with pytest.raises(CommandError) as raised:
        await confine("no-such-program", read=[])
    assert raised.value.status == 127
    assert "no-such-program is not installed" in raised.value.output


async def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    if confined.landlock_version() == 0:
        pytest.skip("this kernel has no Landlock")
    with pytest.raises(CommandError) as raised:
        await confine("true", read=[tmp_path / "nothing"])
    assert raised.value.status == 127
