"""The files that a server keeps its settings and its audit trail in."""

import fcntl
import os
from pathlib import Path

from vmstead.store.db import Database, open_database
from vmstead.store.journal import Journal, open_journal
from vmstead.store.soundness import SETTINGS, TRAIL, Unsound, examine

#: In the state folder: settings, the trail, and the key that secrets among the settings are sealed with.
DATABASE, JOURNAL, KEY = "vmstead.db", "audit.db", "secret.key"
#: There while a backup is being put in place (``store/restore.py``).
RESTORING = "restore.json"


def claim(state: Path) -> int:
    """Keep a state folder for this process; closing the returned descriptor gives it up.

    Raises:
        BlockingIOError: a server has it.
        OSError: it cannot be written.
    """
    lock = os.open(state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(lock)
        raise
    return lock


def open_settings(state: Path) -> Database:
    """Open the database of a state folder, making it or bringing it up to date first.

    Raises:
        Unsound, DatabaseTooNew: it is nothing to work with, and was left as it is.
        OSError, DatabaseError: it cannot be opened.
    """
    if (state / RESTORING).exists():
        raise Unsound(
            f"a restore of {state} is under way or was interrupted; the next start of the server takes it back"
        )
    examine(state / DATABASE, SETTINGS)
    return open_database(state / DATABASE, application=SETTINGS)


def open_trail(state: Path, *, thoroughly: bool = True) -> Journal:
    """Open the audit trail of a state folder. Raises as ``open_settings`` does.

    ``thoroughly`` reads all of it first, which takes a fifth of a second where it is as large as it gets.
    """
    examine(state / JOURNAL, TRAIL, thoroughly=thoroughly)
    return open_journal(state / JOURNAL, "audit_migrations", TRAIL)
