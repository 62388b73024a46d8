"""Settings from a backup put in place of those that are there, which stay beside them: all of it, or nothing.

Each thing is moved away and its successor moved in, by renaming. A note of what is going on lies in the state
folder meanwhile, by which the next start takes back what a killed restore has begun.
"""

import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import msgspec

from vmstead.store.archive import ArchiveError, HalfDone, Manifest, own_as, put, read, sync
from vmstead.store.db import DatabaseError, connect_to_read, migrations
from vmstead.store.files import DATABASE, RESTORING, claim
from vmstead.store.soundness import SETTINGS, examine

_STAGE = ".vmstead-restore-"


class Move(msgspec.Struct, frozen=True):
    """A thing that takes the place of another.

    Attributes:
        place: where it belongs.
        kept: where what was there goes.
        was_there: whether anything was.
        new: where it comes from; None where nothing takes the place.
    """

    place: str
    kept: str
    was_there: bool
    new: str | None


@dataclass(frozen=True)
class Restored:
    """What was done. ``kept``: where that lies which was there before."""

    manifest: Manifest
    kept: list[Path]


def restore(
    state: Path, file: Path, *, settings: Path, tpms: Mapping[str, Path], stamp: str, check_only: bool = False
) -> Restored:
    """Put a backup in place.

    Args:
        settings: where the settings file belongs. One that is there stays, and the other is put beside it.
        tpms: folders with one for each machine's TPM, by the kind of libvirt that they belong to; not empty.
        stamp: a text that tells this time from others, for names.
        check_only: look at all of it and change nothing.

    Raises:
        BlockingIOError: a server is using the state folder.
        ArchiveError, Unsound: the backup is nothing to work with.
        OSError: something cannot be read or written. Everything is as it was then.
    """
    with ExitStack() as stack:
        stack.callback(os.close, claim(state))
        take_back(state)
        stage = _stage(state, stack)
        manifest = read(file, stage, max(migrations()))
        _look(stage / DATABASE, manifest, file)
        if check_only:
            return Restored(manifest, [])
        for saved in manifest.files:
            # The others are the owner's alone, whatever the list says.
            if saved.name.startswith(("nvram/", "tpm/")) or saved.name == "vmstead.toml":
                own_as(stage / saved.name, saved)
        moves = [
            *_tpms(stage, tpms, stamp, stack),
            *_settings(stage, settings, stamp, stack),
            *_state(stage, state, stamp),
        ]
        _make(state, moves)
        return Restored(manifest, [Path(move.kept) for move in moves if move.was_there])


def take_back(state: Path) -> bool:
    """Undo what a restore that was killed has done; whether there was any. Raises OSError."""
    note = state / RESTORING
    if not note.exists():
        return False
    try:
        moves = msgspec.json.decode(note.read_bytes(), type=list[Move])
    except msgspec.MsgspecError as error:
        # Written as a whole or not at all; somebody has changed it.
        raise OSError(None, f"{note} cannot be read ({error}): what was before lies beside it") from error
    _undo(moves)
    note.unlink()
    sync(state)
    for folder in {Path(move.new).parent for move in moves if move.new is not None}:
        if folder.name.startswith(_STAGE):
            shutil.rmtree(folder, ignore_errors=True)
    return True


def _look(database: Path, manifest: Manifest, file: Path) -> None:
    try:
        examine(database, SETTINGS)
        with closing(connect_to_read(database)) as connection:
            version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    except DatabaseError as error:
        raise ArchiveError(f"{file} is damaged: the database in it is no good") from error
    if version != manifest.schema:
        raise ArchiveError(f"{file} is damaged: its database has version {version}, not {manifest.schema}")


def _make(state: Path, moves: list[Move]) -> None:
    with put(state / RESTORING) as note:
        note.write(msgspec.json.encode(moves))
    try:
        for move in moves:
            if move.was_there:
                Path(move.place).rename(move.kept)
            if move.new is not None:
                Path(move.new).rename(move.place)
        for folder in {Path(move.place).parent for move in moves}:
            sync(folder)
    except BaseException as failure:
        try:
            take_back(state)
        except OSError as error:
            raise HalfDone(
                f"it failed ({failure}), and could not be taken back ({error}): mend that, and the next start of "
                "the server takes it back"
            ) from failure
        raise
    (state / RESTORING).unlink()
    sync(state)


def _undo(moves: list[Move]) -> None:
    for move in reversed(moves):
        place, kept = Path(move.place), Path(move.kept)
        is_moved_away = move.was_there and os.path.lexists(kept)
        if is_moved_away or not move.was_there:
            _remove(place)
        if is_moved_away:
            kept.rename(place)


def _remove(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)


def _stage(beside: Path, stack: ExitStack) -> Path:
    """A folder of this process's alone on the same file system, gone at the end."""
    stage = Path(tempfile.mkdtemp(prefix=_STAGE, dir=beside))
    stack.callback(shutil.rmtree, stage, ignore_errors=True)
    return stage


def _move(place: Path, stamp: str, new: Path | None, *, kept: str = "") -> Move:
    beside = place.with_name(kept or f"{place.name}.before-{stamp}")
    if os.path.lexists(beside):
        raise ArchiveError(f"{beside} is there already: another restore of this second made it; try again")
    return Move(str(place), str(beside), os.path.lexists(place), None if new is None else str(new))


def _state(stage: Path, state: Path, stamp: str) -> list[Move]:
    nvram = stage / "nvram"
    nvram.mkdir(exist_ok=True)
    # Guests go through it, and do not list it.
    nvram.chmod(0o711)
    moves = [_move(state / "nvram", stamp, nvram)]
    moves += [
        _move(state / name, stamp, stage / name)
        for name in ("certificate.pem", "secret.key")
        if (stage / name).exists()
    ]
    # What a killed server left in its log belongs to the database that is moved away.
    for kind in ("-wal", "-shm"):
        move = _move(state / f"{DATABASE}{kind}", stamp, None, kept=f"{DATABASE}.before-{stamp}{kind}")
        moves += [move] if move.was_there else []
    return [*moves, _move(state / DATABASE, stamp, stage / DATABASE)]


def _settings(stage: Path, settings: Path, stamp: str, stack: ExitStack) -> list[Move]:
    saved = stage / "vmstead.toml"
    if not saved.exists():
        return []
    if settings.exists():
        if settings.read_bytes() == saved.read_bytes():
            return []
        settings = settings.with_name(f"{settings.name}.restored-{stamp}")
    settings.parent.mkdir(parents=True, exist_ok=True)
    own = _stage(settings.parent, stack) / saved.name
    shutil.copy2(saved, own)
    return [_move(settings, stamp, own)]


def _tpms(stage: Path, places: Mapping[str, Path], stamp: str, stack: ExitStack) -> list[Move]:
    """What TPMs remember, for the libvirt that it was of, or the one that there is here."""
    moves = []
    for kind in sorted(each.name for each in (stage / "tpm").glob("*")):
        place = places.get(kind) or next(iter(places.values()))
        place.mkdir(mode=0o711, parents=True, exist_ok=True)
        for folder in sorted((stage / "tpm" / kind).iterdir()):
            own = _stage(place, stack) / folder.name
            shutil.copytree(folder, own)
            _own_alike(folder, own, place / folder.name)
            # Its name begins with a dot, and is no uuid: libvirt leaves it alone.
            moves.append(_move(place / folder.name, stamp, own, kept=f".{folder.name}.before-{stamp}"))
    return moves


def _own_alike(source: Path, copy: Path, before: Path) -> None:
    """Give copied files the owners of the originals, and folders those of the files in them."""
    for folder, _, names in os.walk(source):
        relative = Path(folder).relative_to(source)
        inside = [Path(folder, name).lstat() for name in names]
        for name, found in zip(names, inside, strict=True):
            os.chown(copy / relative / name, found.st_uid, found.st_gid, follow_symlinks=False)
        owner = inside[0] if inside else None
        top = copy / relative
        if owner is not None:
            os.chown(top, owner.st_uid, owner.st_gid, follow_symlinks=False)
        # As libvirt makes them: whoever owns what is further in goes through the rest.
        top.chmod(0o711 if owner is None else 0o700)
    if before.is_dir():
        found = before.lstat()
        copy.chmod(found.st_mode & 0o777)
        os.chown(copy, found.st_uid, found.st_gid, follow_symlinks=False)
