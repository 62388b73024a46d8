"""Settings saved into one file: virtual machines, their devices, accounts, keys, what firmware and TPMs remember.

Not the disks, which have snapshots and backups of their own, and not the audit trail, which is no setting. It can
be made while the server runs: the database is copied as of one moment, and other files while they do not change.
"""

import grp
import os
import pwd
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from vmstead import __version__
from vmstead.store.archive import FORMAT, ArchiveError, Manifest, Saved, digest, write
from vmstead.store.db import connect_to_read, copy_of
from vmstead.store.files import DATABASE, KEY
from vmstead.store.soundness import SETTINGS, examine

#: How often a file is read that changes meanwhile.
_TRIES = 10
#: What else of the state folder is saved, if it is there.
_FILES = (KEY, "certificate.pem")


def back_up(
    state: Path, file: Path, *, settings: Path, tpms: Mapping[str, Path], replace: bool = False
) -> Manifest:
    """Save the settings of a state folder.

    Args:
        settings: the settings file; it may be missing.
        tpms: folders with one for each machine's TPM, by the kind of libvirt that they belong to.
        replace: a file of that name may be there.

    Raises:
        ArchiveError, Unsound: there is nothing that could be saved.
        OSError: something cannot be read or written. No file is left then, and one that was there is as it was.
    """
    if file.exists() and not replace:
        raise ArchiveError(f"{file} is there already: choose another name, or use --replace")
    if not (state / DATABASE).exists():
        raise ArchiveError(
            f"there is nothing to save in {state}: it has no {DATABASE}; say where with --state"
        )
    examine(state / DATABASE, SETTINGS)
    # Beside the file, where there is room for it; readable by nobody else (mkdtemp).
    folder = Path(tempfile.mkdtemp(prefix=".vmstead-backup-", dir=file.parent))
    try:
        copy_of(state / DATABASE, folder / DATABASE)
        with closing(connect_to_read(folder / DATABASE)) as copy:
            schema: int = copy.execute("PRAGMA user_version").fetchone()[0]
            uuids = [str(uuid) for (uuid,) in copy.execute("SELECT uuid FROM vm ORDER BY id")]
            accounts: int = copy.execute("SELECT count(*) FROM account").fetchone()[0]
        sources = [(DATABASE, state / DATABASE), *_beside(state, settings, uuids), *_tpms(tpms, uuids)]
        files = [saved for name, source in sources if (saved := _saved(folder, name, source)) is not None]
        manifest = Manifest(
            format=FORMAT,
            program=__version__,
            schema=schema,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            host=socket.gethostname(),
            machines=len(uuids),
            accounts=accounts,
            files=files,
        )
        write(file, manifest, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return manifest


def _beside(state: Path, settings: Path, uuids: list[str]) -> Iterator[tuple[str, Path]]:
    for name in _FILES:
        yield name, state / name
    yield "vmstead.toml", settings
    for uuid in uuids:
        yield f"nvram/{uuid}_VARS.fd", state / "nvram" / f"{uuid}_VARS.fd"


def _tpms(places: Mapping[str, Path], uuids: list[str]) -> Iterator[tuple[str, Path]]:
    for kind, place in places.items():
        for uuid in uuids:
            for folder, _, names in os.walk(place / uuid):
                for name in sorted(names):
                    path = Path(folder, name)
                    # The one that swtpm holds while it runs says nothing.
                    if not name.startswith(".") and not name.endswith((".log", ".lock", ".pid")):
                        yield f"tpm/{kind}/{path.relative_to(place)}", path


def _saved(folder: Path, name: str, source: Path) -> Saved | None:
    """Take a file into the folder, unless it is there by now; None where there is no such file."""
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        found = source.lstat() if target.exists() else _copy(source, target)
    except FileNotFoundError:
        return None
    user, group = str(found.st_uid), str(found.st_gid)
    with suppress(KeyError):
        user = pwd.getpwuid(found.st_uid).pw_name
    with suppress(KeyError):
        group = grp.getgrgid(found.st_gid).gr_name
    return Saved(name, target.stat().st_size, digest(target), stat.S_IMODE(found.st_mode), user, group)


def _copy(source: Path, target: Path) -> os.stat_result:
    """Copy a file as it was at one moment: guests write to what they remember while they run."""
    for _ in range(_TRIES):
        # Guests' helpers own some of them: what they point at is nobody's to read for them.
        with open(
            os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb"
        ) as stream:
            before = os.fstat(stream.fileno())
            if not stat.S_ISREG(before.st_mode):
                raise ArchiveError(f"{source} is no file, which it should be; nothing was saved")
            target.write_bytes(stream.read())
            after = os.fstat(stream.fileno())
        if (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size):
            return after
    raise ArchiveError(f"{source} changes all the time; try again when its machine has started")
