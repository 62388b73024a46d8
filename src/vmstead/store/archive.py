"""The form of a backup: a tar file that begins with a list of what is in it, with sizes and checksums.

::

    manifest.json                   what the rest is
    vmstead.db  secret.key  certificate.pem  vmstead.toml
    nvram/<uuid>_VARS.fd            what firmware remembers
    tpm/<kind>/<uuid>/...           what TPMs remember, by the libvirt that keeps it

Whoever reads one trusts nothing in it: names that are no such, links, and what is more or other than the list says.
"""

import hashlib
import os
import re
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import msgspec

#: Of the form; a later one is refused.
FORMAT = 1
_MANIFEST = "manifest.json"
#: Bytes of the list: a thousand machines take a fiftieth.
_MANIFEST_LIMIT = 64 * 1024 * 1024
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_PART = r"(?!\.\.?(?:/|$))[A-Za-z0-9_.-]+"
_NAME = re.compile(
    rf"vmstead\.db|secret\.key|certificate\.pem|vmstead\.toml|nvram/{_UUID}_VARS\.fd"
    rf"|tpm/(?:private|system|session)/{_UUID}(?:/{_PART})+"
)


class ArchiveError(Exception):
    """A backup cannot be made, or is nothing to work with. The text says why, and the way out."""


class HalfDone(ArchiveError):
    """A restore failed, and so did taking it back."""


class Saved(msgspec.Struct, frozen=True):
    """A file in a backup: its size in bytes, and the rights and owners that it had."""

    name: str
    size: int
    sha256: str
    mode: int
    user: str
    group: str


class Manifest(msgspec.Struct, frozen=True):
    """What a backup is.

    Attributes:
        format: of the backup.
        program: version of the program that made it.
        schema: version of the database in it.
        created: when, in ISO 8601.
        host: name of the machine that it is of.
        machines, accounts: how many it holds.
    """

    format: int
    program: str
    schema: int
    created: str
    host: str
    machines: int
    accounts: int
    files: list[Saved]


class _Format(msgspec.Struct):
    """The member that every version of the list has."""

    format: int
    program: str = "?"


@contextmanager
def put(file: Path) -> Iterator[IO[bytes]]:
    """Write a file of the owner's alone that is there as a whole or not at all, and on the disk afterwards."""
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        part.rename(file)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync(file.parent)


def sync(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def digest(file: Path) -> str:
    """The checksum of a file."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write(file: Path, manifest: Manifest, folder: Path) -> None:
    """Write a backup of the files of that folder. Raises OSError; nothing is left then."""
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"
    (folder / _MANIFEST).write_bytes(text)
    with put(file) as stream, tarfile.open(fileobj=stream, mode="w:gz", compresslevel=6) as tar:
        for name in (_MANIFEST, *(each.name for each in manifest.files)):
            entry = tar.gettarinfo(str(folder / name), name)
            entry.mode, entry.uid, entry.gid, entry.uname, entry.gname = 0o600, 0, 0, "root", "root"
            with (folder / name).open("rb") as content:
                tar.addfile(entry, content)


def read(file: Path, folder: Path, schema: int) -> Manifest:
    """Check a backup, and put what is in it into an empty folder.

    Args:
        schema: the newest version of the database that this program knows.

    Raises:
        ArchiveError: it is damaged, no backup, or made by a later version.
        OSError: it cannot be read, or the folder cannot be written.
    """
    try:
        with file.open("rb") as stream, tarfile.open(fileobj=stream, mode="r|gz") as tar:
            manifest = _manifest(tar, file, schema)
            left = {each.name: each for each in manifest.files}
            while (entry := tar.next()) is not None:
                saved = left.pop(entry.name, None)
                if saved is None or not entry.isreg() or entry.size != saved.size:
                    raise ArchiveError(f"{file} is damaged: {entry.name!r} is not what its list says")
                _take(tar, entry, saved, folder, file)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise ArchiveError(f"{file} is damaged, or no backup: {error}") from error
    except OSError as error:
        # What gzip finds wrong is an error of the operating system that has no number.
        if error.errno is None:
            raise ArchiveError(f"{file} is damaged, or no backup: {error}") from error
        raise
    if left:
        raise ArchiveError(f"{file} is damaged: {min(left)} is missing")
    return manifest


def _manifest(tar: tarfile.TarFile, file: Path, schema: int) -> Manifest:
    entry = tar.next()
    content = tar.extractfile(entry) if entry is not None and entry.isreg() else None
    if entry is None or content is None or entry.name != _MANIFEST or entry.size > _MANIFEST_LIMIT:
        raise ArchiveError(f"{file} is no backup of Vmstead: it does not begin with its list")
    text = content.read()
    try:
        form = msgspec.json.decode(text, type=_Format)
        if form.format > FORMAT:
            raise ArchiveError(
                f"{file} was made by a later version, {form.program}: restore it with that one"
            )
        manifest = msgspec.json.decode(text, type=Manifest)
    except msgspec.MsgspecError as error:
        raise ArchiveError(f"{file} is damaged: its list cannot be read: {error}") from error
    if manifest.schema > schema:
        raise ArchiveError(
            f"{file} has a database of version {manifest.schema}, this program knows up to {schema}: it was made "
            f"by a later version, {manifest.program}; restore it with that one"
        )
    names = [each.name for each in manifest.files]
    wrong = [name for name in names if not _NAME.fullmatch(name)]
    if wrong or len({*names}) != len(names) or "vmstead.db" not in names:
        raise ArchiveError(
            f"{file} is damaged: its list names {wrong[0] if wrong else 'a file twice, or too few'!r}"
        )
    return manifest


def _take(tar: tarfile.TarFile, entry: tarfile.TarInfo, saved: Saved, folder: Path, file: Path) -> None:
    content = tar.extractfile(entry)
    assert content is not None
    target = folder / saved.name
    target.parent.mkdir(parents=True, exist_ok=True)
    found = hashlib.sha256()
    with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as stream:
        while piece := content.read(1024 * 1024):
            found.update(piece)
            stream.write(piece)
        stream.flush()
        os.fsync(stream.fileno())
    if found.hexdigest() != saved.sha256:
        raise ArchiveError(f"{file} is damaged: the checksum of {saved.name} is wrong")


def own_as(target: Path, saved: Saved) -> None:
    """Give a file the rights and owners that it had, as far as this user may and they are known here."""
    from shutil import chown

    target.chmod(saved.mode & 0o777)
    # Names rather than numbers: a user of another machine has another number.
    with suppress(LookupError, PermissionError):
        chown(target, saved.user, saved.group)
