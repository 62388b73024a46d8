"""Files that are damaged or something else are told of, with a way out, and left as they are."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.harness import server
from vmstead.app import StartupError
from vmstead.store.db import connect
from vmstead.store.files import DATABASE, JOURNAL, open_settings, open_trail
from vmstead.store.soundness import SETTINGS, TRAIL, Unsound, examine

PAGE = 4096


def filled(state: Path) -> Path:
    """A database with something in it, all of it in the file."""
    state.mkdir(parents=True, exist_ok=True)
    with closing(open_settings(state)) as database:
        rows = [(f"key {number}", "x" * 200) for number in range(500)]
        database.write_now(
            lambda connection: connection.executemany("INSERT INTO memory VALUES (?, ?)", rows)
        )
    with closing(open_trail(state)):
        pass
    return state / DATABASE


def truncated(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2 // PAGE * PAGE)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def cut_within_the_first_page(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(1000)


def garbage_page(path: Path) -> None:
    with closing(connect(path)) as connection:
        root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'memory'").fetchone()[0]
    with path.open("r+b") as file:
        file.seek((root - 1) * PAGE)
        file.write(b"\x5a" * PAGE)


def garbage_header(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(16)
        file.write(b"\x5a" * 84)


def no_database(path: Path) -> None:
    path.write_bytes(b"this is no database, but long enough to be one" * 1000)


def of_another_program(path: Path) -> None:
    path.unlink()
    with closing(connect(path)) as connection:
        connection.execute("CREATE TABLE moz_places (id INTEGER)")


def with_another_mark(path: Path) -> None:
    with closing(connect(path)) as connection:
        connection.execute("PRAGMA application_id = 12345")


def the_other_file(path: Path) -> None:
    shutil.copyfile(path.with_name(JOURNAL), path)


def without_its_log(path: Path) -> None:
    """As it is after a power cut, copied without the log."""
    with closing(connect(path)) as connection:
        connection.execute("INSERT INTO memory VALUES ('last', 'word')")
        for kind in ("", "-shm"):
            shutil.copyfile(f"{path}{kind}", f"{path}{kind}.saved")
    for kind in ("", "-shm"):
        Path(f"{path}{kind}.saved").rename(f"{path}{kind}")


def only_its_log(path: Path) -> None:
    with closing(connect(path)) as connection:
        connection.execute("INSERT INTO memory VALUES ('last', 'word')")
        log = path.with_name(f"{path.name}-wal").read_bytes()
    path.unlink()
    path.with_name(f"{path.name}-wal").write_bytes(log)


FAULTS: list[tuple[Callable[[Path], None], str]] = [
    (truncated, "is damaged"),
    (emptied, "is empty"),
    (cut_within_the_first_page, "is damaged"),
    (garbage_page, "is damaged"),
    (garbage_header, "is damaged"),
    (no_database, "is no database"),
    (of_another_program, "is the database of something else"),
    (with_another_mark, "is the database of something else"),
    (the_other_file, "is the database of something else"),
    (without_its_log, "the log vmstead.db-wal of .* is missing, which holds what was written last"),
    (only_its_log, "is missing, and its log vmstead.db-wal is there"),
]


@pytest.mark.parametrize(("spoil", "text"), FAULTS, ids=[fault.__name__ for fault, _ in FAULTS])
async def test_a_server_does_not_start_on_it_and_leaves_it_as_it_is(
    tmp_path: Path, spoil: Callable[[Path], None], text: str
) -> None:
    path = filled(tmp_path / "state")
    spoil(path)
    before = {
        each.name: each.read_bytes() for each in path.parent.glob(f"{DATABASE}*") if "shm" not in each.name
    }
    with pytest.raises(StartupError, match=text) as raised:
        async with server(tmp_path):
            pass
    assert str(path) in str(raised.value)
    assert any(
        way in str(raised.value) for way in ("vmstead restore FILE", "put it back", "put the file back")
    )
    after = {name: (path.parent / name).read_bytes() for name in before}
    assert after == before


async def test_a_damaged_trail_is_told_of_too(tmp_path: Path) -> None:
    filled(tmp_path / "state")
    truncated_trail = tmp_path / "state" / JOURNAL
    no_database(truncated_trail)
    with pytest.raises(StartupError, match=r"audit\.db is no database; .* move it away to begin without"):
        async with server(tmp_path):
            pass


async def test_copies_of_before_an_upgrade_are_named(tmp_path: Path) -> None:
    path = filled(tmp_path)
    shutil.copyfile(path, path.with_name(f"{DATABASE}.v2"))
    emptied(path)
    with pytest.raises(Unsound, match=r"put back vmstead\.db\.v2 \(of before the last upgrade\)"):
        open_settings(tmp_path)


def test_what_is_sound_is_opened_and_says_whose_it_is(tmp_path: Path) -> None:
    path = filled(tmp_path)
    for file, application in ((path, SETTINGS), (tmp_path / JOURNAL, TRAIL)):
        examine(file, application)
        with closing(connect(file)) as connection:
            assert connection.execute("PRAGMA application_id").fetchone() == (application,)
    # Nothing is left beside it, and nothing is there where nothing was.
    assert sorted(each.name for each in tmp_path.iterdir()) == [JOURNAL, DATABASE]
    examine(tmp_path / "nothing.db", SETTINGS)
    assert not (tmp_path / "nothing.db").exists()


def test_a_file_of_before_there_were_marks_gets_one(tmp_path: Path) -> None:
    path = filled(tmp_path)
    with closing(connect(path)) as connection:
        connection.execute("PRAGMA application_id = 0")
    with closing(open_settings(tmp_path)) as database:
        assert database.read("PRAGMA application_id") == [(SETTINGS,)]


def test_what_a_killed_server_left_in_its_log_is_there(tmp_path: Path) -> None:
    path = filled(tmp_path / "a")
    with closing(connect(path)) as connection:
        connection.execute("INSERT INTO memory VALUES ('last', 'word')")
        shutil.copytree(tmp_path / "a", tmp_path / "b")
    with closing(open_settings(tmp_path / "b")) as database:
        assert database.read("SELECT value FROM memory WHERE name = 'last'") == [("word",)]


def test_it_can_be_looked_at_while_a_server_writes(tmp_path: Path) -> None:
    with closing(open_settings(tmp_path)) as database, closing(sqlite3.connect(tmp_path / DATABASE)) as other:
        other.execute("INSERT INTO memory VALUES ('a', 'b')")
        examine(tmp_path / DATABASE, SETTINGS)
        other.rollback()
        assert database.read("SELECT count(*) FROM memory") == [(0,)]
