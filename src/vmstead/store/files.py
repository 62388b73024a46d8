"""The files that a server keeps its settings and its audit trail in."""

from pathlib import Path

from vmstead.store.db import Database, open_database
from vmstead.store.journal import Journal, open_journal
from vmstead.store.soundness import SETTINGS, TRAIL, examine

#: In the state folder: settings, the trail, and the key that secrets among the settings are sealed with.
DATABASE, JOURNAL, KEY = "vmstead.db", "audit.db", "secret.key"


def open_settings(state: Path) -> Database:
    """Open the database of a state folder, making it or bringing it up to date first.

    Raises:
        Unsound, DatabaseTooNew: it is nothing to work with, and was left as it is.
        OSError, DatabaseError: it cannot be opened.
    """
    examine(state / DATABASE, SETTINGS)
    return open_database(state / DATABASE, application=SETTINGS)


def open_trail(state: Path, *, thoroughly: bool = True) -> Journal:
    """Open the audit trail of a state folder. Raises as ``open_settings`` does.

    ``thoroughly`` reads all of it first, which takes a fifth of a second where it is as large as it gets.
    """
    examine(state / JOURNAL, TRAIL, thoroughly=thoroughly)
    return open_journal(state / JOURNAL, "audit_migrations", TRAIL)
