"""What TPMs remember, which libvirt keeps in one folder for each domain and cannot copy by itself."""

import os
import shutil
from pathlib import Path


def copy_state(folder: Path, uuid: str, target: str) -> None:
    """Copy a domain's TPM state, with its owners, as a whole or not at all. Nothing where there is none.

    Raises:
        OSError: it cannot be read, or the copy cannot be written.
    """
    source = folder / uuid
    if not source.is_dir():
        return
    part = _part(folder, target)
    try:
        shutil.copytree(source, part)
        _own_as(source, part)
        part.rename(folder / target)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def remove_state(folder: Path, uuid: str) -> None:
    """Remove a domain's TPM state, and what a copy of it has left that was broken off. Raises OSError."""
    for each in (_part(folder, uuid), folder / uuid):
        if each.is_dir():
            shutil.rmtree(each)


def _part(folder: Path, uuid: str) -> Path:
    """Where a copy lies while it is not complete."""
    return folder / f".{uuid}.part"


def _own_as(source: Path, copy: Path) -> None:
    """Give a copied tree the owners of what it is a copy of: guests do not run as this process does."""
    for folder, _, files in os.walk(source):
        relative = Path(folder).relative_to(source)
        for each in (relative, *(relative / name for name in files)):
            found = (source / each).lstat()
            os.chown(copy / each, found.st_uid, found.st_gid, follow_symlinks=False)
