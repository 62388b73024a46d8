"""Where a unix socket lies."""

import contextlib
import os
import socket
import stat
from pathlib import Path


def remove_stale(path: Path) -> None:
    """Remove the socket of a server that is gone. Raises OSError when one is still there."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise FileExistsError(17, "something that is no socket is in the way", str(path))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            os.unlink(path)
            return
    raise OSError(98, "another server is listening there already", str(path))


def link_other_name(path: Path, root: Path = Path("/")) -> None:
    """Let clients find a socket below ``/run`` under ``/var/run``, too: some generations of them know only that.

    On nearly every system these are one folder, and nothing is to be done. ``root``: the folder that they are in.
    """
    if not path.is_relative_to(root / "run"):
        return
    other = root / "var" / path.relative_to(root)
    # Where the folder is not ours to write to, its owner has decided what is in it.
    with contextlib.suppress(OSError):
        if not other.exists():
            other.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            other.unlink(missing_ok=True)
            other.symlink_to(path)
