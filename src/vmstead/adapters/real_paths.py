"""Files and folders at paths that have been resolved, opened so that no link that came since is followed.

A path is looked at first (``Places.locate``) and used later. Whoever may write in a pool can put a link in the
place of a folder in between, and a server that runs as root would follow it anywhere. Here a path is walked part by
part, and what is no folder on the way is an error, as ``openat2(2)`` has it with ``RESOLVE_NO_SYMLINKS``.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_FOLDER = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def folder_at(path: Path) -> Iterator[int]:
    """A folder, to be used as ``dir_fd``. Raises OSError, ENOTDIR also for a link on the way."""
    here = os.open("/", _FOLDER)
    try:
        for name in path.parts[1:]:
            there = _step(here, name, path)
            os.close(here)
            here = there
        yield here
    finally:
        os.close(here)


def _step(here: int, name: str, path: Path) -> int:
    try:
        return os.open(name, _FOLDER, dir_fd=here)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def open_at(path: Path, flags: int, mode: int = 0o600) -> int:
    """Open a file as ``os.open`` does. Never waits, for a pipe for instance. Raises OSError, ELOOP for a link."""
    with folder_at(path.parent) as folder:
        return os.open(path.name, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, mode, dir_fd=folder)


@contextmanager
def regular_file(path: Path, flags: int) -> Iterator[int]:
    """A regular file that is there, opened. Raises OSError, EINVAL for anything else."""
    descriptor = open_at(path, flags)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        yield descriptor
    finally:
        os.close(descriptor)


def status_at(path: Path) -> os.stat_result:
    """What is there; a link is told as one. Raises OSError."""
    with folder_at(path.parent) as folder:
        return os.stat(path.name, dir_fd=folder, follow_symlinks=False)


def is_folder(path: Path) -> bool:
    """Whether a folder is there, and no link on the way to it."""
    try:
        with folder_at(path):
            return True
    except OSError:
        return False


def remove_at(path: Path) -> None:
    """Remove a name. Raises OSError."""
    with folder_at(path.parent) as folder:
        os.unlink(path.name, dir_fd=folder)


def replace_at(source: Path, target: Path) -> None:
    """Give a file another name, in place of what has it. Raises OSError."""
    with folder_at(source.parent) as here, folder_at(target.parent) as there:
        os.replace(source.name, target.name, src_dir_fd=here, dst_dir_fd=there)


def link_at(source: Path, target: Path) -> None:
    """Give a file a second name. Raises OSError, EEXIST when something has it."""
    with folder_at(source.parent) as here, folder_at(target.parent) as there:
        os.link(source.name, target.name, src_dir_fd=here, dst_dir_fd=there, follow_symlinks=False)


def make_folder_at(path: Path, mode: int, *, owned: bool = False) -> None:
    """Make a folder with exactly these permission bits; with ``owned`` it gets the owner of the one above.

    Raises OSError, EEXIST when something is there.
    """
    with folder_at(path.parent) as folder:
        os.mkdir(path.name, mode, dir_fd=folder)
        descriptor = os.open(path.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
        try:
            if owned:
                above = os.fstat(folder)
                with suppress(PermissionError):
                    os.chown(descriptor, above.st_uid, above.st_gid)
            os.fchmod(descriptor, mode)
        finally:
            os.close(descriptor)


def make_folders_at(path: Path, mode: int) -> None:
    """Make a folder and those above it, where they are not there. Raises OSError."""
    for each in (*reversed(path.parents), path):
        if len(each.parts) > 1:
            with suppress(FileExistsError):
                if not _is_there(each):
                    make_folder_at(each, mode)


def _is_there(path: Path) -> bool:
    try:
        status_at(path)
    except FileNotFoundError:
        return False
    return True


def sync_at(path: Path) -> None:
    """See to it that a file and its name are on the disk. Raises OSError."""
    with folder_at(path.parent) as folder:
        for name, flags in ((path.name, os.O_RDONLY), (".", os.O_RDONLY | os.O_DIRECTORY)):
            descriptor = os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
