"""What commands that work without a server put into the audit trail."""

import os
import pwd

from vmstead.rpc.audit import Entry


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
