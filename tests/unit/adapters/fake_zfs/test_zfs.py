"""The ZFS that is pretended answers as a real one did."""

from pathlib import Path

from tests.unit.adapters.fake_zfs.session import FILE, Exchange, read
from vmstead.adapters.fake_zfs import FakeZfs


def told(exchange: Exchange, mounts: Path) -> list[str]:
    """What came of a command, without the advice for people at a terminal."""
    lines = [
        line.replace(str(mounts), "") for line in exchange.lines() if line[:2] in ("$ ", "> ", "! ", "= ")
    ]
    advice = [index for index, line in enumerate(lines) if line.startswith(("! usage:", "! use 'zfs"))]
    return [
        line
        for index, line in enumerate(lines)
        if not line.startswith("! ") or index < min(advice, default=len(lines))
    ]


async def test_it_answers_every_command_of_a_recorded_session(tmp_path: Path) -> None:
    zfs = FakeZfs(tmp_path, {"data": ["/dev/sda"]})
    session = read(FILE.read_text())
    assert len(session) > 140
    for recorded in session:
        answered = await recorded.repeated(zfs.run)
        assert told(answered, tmp_path / "mnt") == told(recorded, tmp_path / "mnt")


async def test_a_session_is_written_as_it_was_read(tmp_path: Path) -> None:
    text = FILE.read_text()
    assert [line for each in read(text) for line in each.lines()] == text.splitlines()
