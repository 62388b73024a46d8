"""Console logs as files: one for each run, private, bounded, and never in anybody's way."""

import os
from pathlib import Path

import pytest

from vmstead.adapters._bounded import KEPT, MOST, bound
from vmstead.adapters.console_files import ConsoleFiles

VM = "11111111-0000-4000-8000-000000000000"


async def written(logs: ConsoleFiles, data: bytes) -> Path:
    """The log of a run that wrote something."""
    path = await logs.begin(VM)
    assert path is not None
    with path.open("ab") as file:
        file.write(data)
    return path


async def tail(logs: ConsoleFiles, limit: int = 1000) -> bytes:
    return await logs.tail(VM, limit, await logs.length(VM))


async def test_the_log_of_a_run_is_read_from_its_end(tmp_path: Path) -> None:
    logs = ConsoleFiles(tmp_path / "consoles")
    await written(logs, b"booting, login: ")
    assert await logs.length(VM) == 16
    assert await tail(logs, 7) == b"login: "
    assert await logs.tail(VM, 100, 7) == b"booting"
    assert await tail(logs) == b"booting, login: "


async def test_nobody_else_can_read_them(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        path = await written(ConsoleFiles(tmp_path / "consoles"), b"a password")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    for folder in (path.parent, path.parent.parent):
        assert folder.stat().st_mode & 0o777 == 0o700


async def test_the_run_before_is_kept_and_a_start_that_wrote_nothing_takes_nobodys_place(
    tmp_path: Path,
) -> None:
    logs = ConsoleFiles(tmp_path)
    assert await logs.previous(VM, 1000) == b""
    await written(logs, b"first")
    await written(logs, b"second")
    assert (await tail(logs), await logs.previous(VM, 3)) == (b"second", b"rst")
    await written(logs, b"")
    await written(logs, b"")
    assert (await tail(logs), await logs.previous(VM, 1000)) == (b"", b"second")


async def test_what_a_log_daemon_moved_aside_belongs_to_the_run(tmp_path: Path) -> None:
    logs = ConsoleFiles(tmp_path)
    path = await written(logs, b"older, ")
    path.rename(path.with_name("serial.log.0"))
    path.write_bytes(b"newer")
    assert await tail(logs) == b"older, newer"
    assert await tail(logs, 7) == b", newer"
    assert await tail(logs, 3) == b"wer"
    await written(logs, b"next run")
    assert await tail(logs) == b"next run"


async def test_the_oldest_of_a_large_log_is_given_back_while_it_is_written(tmp_path: Path) -> None:
    logs = ConsoleFiles(tmp_path)
    path = await written(logs, b"x" * MOST)
    await logs.trim(VM)
    assert path.stat().st_blocks * 512 >= MOST
    with path.open("ab") as writer:
        for number in range(20):
            writer.write(b"%01024d" % number * 1024)
            writer.flush()
            await logs.trim(VM)
            assert path.stat().st_blocks * 512 <= MOST + 1024 * 1024
    assert path.stat().st_size == MOST + 20 * 1024 * 1024
    assert await tail(logs, 1024) == b"%01024d" % 19
    with path.open("rb") as file:
        file.seek(-KEPT, os.SEEK_END)
        assert b"\0" not in file.read()


async def test_a_deleted_vm_leaves_nothing(tmp_path: Path) -> None:
    logs = ConsoleFiles(tmp_path)
    await written(logs, b"secret")
    await written(logs, b"secret")
    await logs.remove(VM)
    await logs.remove(VM)
    assert list(tmp_path.iterdir()) == []
    assert (await logs.length(VM), await tail(logs), await logs.previous(VM, 10)) == (0, b"", b"")


async def test_what_cannot_be_written_keeps_no_guest_off(tmp_path: Path) -> None:
    (tmp_path / "consoles").write_text("a file where the folder should be")
    logs = ConsoleFiles(tmp_path / "consoles")
    assert await logs.begin(VM) is None
    assert await logs.length(VM) == 0
    assert await tail(logs) == b""
    await logs.trim(VM)
    await logs.remove(VM)


async def test_a_link_in_its_place_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / VM).mkdir()
    (tmp_path / VM / "serial.log").symlink_to(tmp_path / "elsewhere")
    assert await ConsoleFiles(tmp_path).begin(VM) is None
    assert not (tmp_path / "elsewhere").exists()
    with pytest.raises(OSError, match="symbolic links"):
        bound(tmp_path / VM / "serial.log")
