"""Owners and permission bits of files and trees of them: changed as a whole or not at all, following no link.

Everything is done on descriptors, so that nobody can put a link in the way between a look and a change.
"""

import contextlib
import errno
import os
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vmstead.adapters.places import VOLUMES
from vmstead.ports.files import Permissions
from vmstead.ports.volumes import VolumeError, VolumeErrorKind

_ACLS = ("system.posix_acl_access", "system.posix_acl_default")
_REFUSED = {errno.ENOTSUP, errno.ENODATA}

Way = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Before:
    """How something was: where it is below the top, its permission bits, owners and access control lists."""

    way: Way
    mode: int
    uid: int
    gid: int
    acls: tuple[tuple[str, bytes], ...]


def change_permissions(
    place: Path, to: Permissions, recursive: bool, crosses_mounts: bool, stop: threading.Event
) -> int:
    """Change a file or folder, and with ``recursive`` what is in it; returns how many were changed.

    Raises:
        VolumeError: it was moved away meanwhile.
        InterruptedError: it was told to stop; all is as it was.
        OSError: something could not be changed; all is as it was.
    """
    top = os.open(place, os.O_PATH | os.O_NOFOLLOW)
    try:
        if os.readlink(f"/proc/self/fd/{top}") != str(place) or stat.S_ISLNK(os.fstat(top).st_mode):
            raise VolumeError(VolumeErrorKind.NOT_FOUND, f"{place} is not where it was")
        changed = 0
        with contextlib.ExitStack() as steps:
            for way in _below(top, crosses_mounts) if recursive else iter([()]):
                steps.callback(_restore, top, _change(top, way, to, stop))
                changed += 1
            steps.pop_all()
        return changed
    finally:
        os.close(top)


def _below(top: int, crosses_mounts: bool) -> Iterator[Way]:
    """Everything in a tree, what is in a folder before the folder itself; no links, and volumes are not files."""
    device = os.fstat(top).st_dev
    found: list[Way] = []
    pending: list[Way] = [()]
    while pending:
        way = pending.pop()
        # What is gone meanwhile need not be changed.
        with contextlib.suppress(FileNotFoundError), _opened(top, way) as here:
            status = os.fstat(here)
            if stat.S_ISLNK(status.st_mode) or not (crosses_mounts or status.st_dev == device):
                continue
            found.append(way)
            if stat.S_ISDIR(status.st_mode):
                names = os.listdir(f"/proc/self/fd/{here}")
                pending += [(*way, name) for name in sorted(names) if name != VOLUMES]
    return reversed(found)


@contextlib.contextmanager
def _opened(top: int, way: Way) -> Iterator[int]:
    """A descriptor of what is that way below the top, without a link on it."""
    here = os.dup(top)
    try:
        for name in way:
            there = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=here)
            os.close(here)
            here = there
        yield here
    finally:
        os.close(here)


def _change(top: int, way: Way, to: Permissions, stop: threading.Event) -> _Before:
    if stop.is_set():
        raise InterruptedError(errno.EINTR, os.strerror(errno.EINTR))
    with _opened(top, way) as here:
        path, found = f"/proc/self/fd/{here}", os.fstat(here)
        acls = tuple(_acls(path)) if to.strips_acl else ()
        before = _Before(way, stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid, acls)
        try:
            for name, _ in acls:
                os.removexattr(path, name)
            if to.uid is not None or to.gid is not None:
                os.chown(path, -1 if to.uid is None else to.uid, -1 if to.gid is None else to.gid)
            if to.mode is not None:
                os.chmod(path, to.mode)
        except BaseException as error:
            _restore(top, before)
            if isinstance(error, OSError):
                raise OSError(error.errno, error.strerror, os.readlink(path)) from error
            raise
    return before


def _acls(path: str) -> Iterator[tuple[str, bytes]]:
    for name in _ACLS:
        try:
            yield name, os.getxattr(path, name)
        except OSError as error:
            if error.errno not in _REFUSED:
                raise


def _restore(top: int, before: _Before) -> None:
    """Make something as it was. What is gone meanwhile stays gone."""
    with contextlib.suppress(FileNotFoundError), _opened(top, before.way) as here:
        path = f"/proc/self/fd/{here}"
        # Each for itself: what could not be changed cannot be changed back.
        with contextlib.suppress(OSError):
            os.chown(path, before.uid, before.gid)
        with contextlib.suppress(OSError):
            os.chmod(path, before.mode)
        for name, value in before.acls:
            with contextlib.suppress(OSError):
                os.setxattr(path, name, value)
