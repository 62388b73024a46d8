"""Whether a database file is what it should be, looked at before anything could write to it.

SQLite repairs nothing by itself, and takes much for granted: an empty file is a new database to it, a log without
its file is deleted, a file without its log is one that lost nothing. A server that started on such a thing would
write over what could still be saved.
"""

from contextlib import closing
from pathlib import Path

from vmstead.store.db import Connection, DatabaseError, connect_to_read

#: What a database begins with, https://www.sqlite.org/fileformat.html.
_MAGIC = b"SQLite format 3\0"
#: Who wrote a file, as it says itself: "VMst" for settings, "VMau" for the audit trail.
SETTINGS, TRAIL = 0x564D7374, 0x564D6175


class Unsound(DatabaseError):
    """The file is damaged, or not what it should be. Nothing was written to it."""


def examine(path: Path, application: int, *, thoroughly: bool = True) -> None:
    """Look at a database file that may be there, without writing to it.

    ``thoroughly`` reads all of it: 1.5 ms for each megabyte.

    Raises:
        Unsound: it is damaged, or another program's, or something is missing beside it. The text has the way out.
        OSError, DatabaseError: it cannot be read.
    """
    wal, shm = (path.with_name(f"{path.name}-{kind}") for kind in ("wal", "shm"))
    if not path.exists():
        if _size(wal):
            raise Unsound(
                f"{path} is missing, and its log {wal.name} is there: put the file back, or remove the log to "
                "begin anew"
            )
        return
    if not _size(path):
        raise Unsound(f"{path} is empty; {_way_out(path)}")
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise Unsound(f"{path} is no database; {_way_out(path)}")
    # SQLite makes the log before and removes it after: somebody else has taken it.
    if shm.exists() and not wal.exists():
        raise Unsound(
            f"the log {wal.name} of {path} is missing, which holds what was written last: put it back, or, if it "
            f"is lost, remove {shm.name} to go on with what was there before"
        )
    try:
        with closing(connect_to_read(path)) as connection:
            _look(connection, path, application, thoroughly=thoroughly)
    except DatabaseError as error:
        if getattr(error, "sqlite_errorname", "").startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            raise Unsound(f"{path} is damaged ({error}); {_way_out(path)}") from error
        raise


def _look(connection: Connection, path: Path, application: int, *, thoroughly: bool) -> None:
    found: int = connection.execute("PRAGMA application_id").fetchone()[0]
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    tables: int = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    # Files of before there was this mark have none, but a version.
    if found not in (0, application) or (found == 0 and version == 0 and tables):
        raise Unsound(f"{path} is the database of something else; {_way_out(path)}")
    if thoroughly:
        [(verdict,)] = connection.execute("PRAGMA quick_check(1)").fetchall()
        if verdict != "ok":
            text = " ".join(str(verdict).replace("*** in database main ***", "").split())
            raise Unsound(f"{path} is damaged ({text}); {_way_out(path)}")


def _way_out(path: Path) -> str:
    """What can be done. Files that were put beside it before a migration are named."""
    copies = sorted(each.name for each in path.parent.glob(f"{path.name}.v*"))
    older = f", put back {copies[-1]} (of before the last upgrade)" if copies else ""
    return (
        "it was left as it is: restore a backup (vmstead restore FILE)"
        f"{older}, or move it away to begin without what was in it"
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
