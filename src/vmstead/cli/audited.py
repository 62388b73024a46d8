"""What commands that work without a server put into the audit trail."""

import os
import pwd
import sys
from contextlib import closing
from pathlib import Path

import click

from vmstead.kernel.clock import SystemClock
from vmstead.rpc.audit import Entry
from vmstead.store.audit import AuditStore
from vmstead.store.db import DatabaseError
from vmstead.store.files import open_trail


def entry(method: str, what: str) -> Entry:
    """Whoever runs this command has done something.

    Args:
        method: what it is called there.
        what: a sentence about it.
    """
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = f"uid {uid}"
    data = {"method": method, "params": [], "description": what, "authenticated": True, "authorized": True}
    where = {"vers": {"major": 0, "minor": 1}, "origin": "vmstead command", "protocol": "CLI"}
    return Entry("127.0.0.1", name, None, "METHOD_CALL", data, {**where, "credentials": None})


def note(state: Path, method: str, what: str) -> None:
    """Record something that a command has done. Where the trail cannot be written, that is told and no more.

    What was done is done, and whoever reads on must learn what to do next. Arguments are those of ``entry``.
    """
    try:
        state.mkdir(mode=0o711, parents=True, exist_ok=True)
        with closing(open_trail(state, thoroughly=False)) as journal:
            AuditStore(journal, SystemClock(), sys.maxsize, lambda: 0.0).note_now(entry(method, what))
    except (OSError, DatabaseError) as error:
        click.echo(f"Not recorded in the audit trail: {error}", err=True)
