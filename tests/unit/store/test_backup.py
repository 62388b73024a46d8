"""Settings saved into a file, and put back: all of them, or nothing."""

import gzip
import io
import json
import os
import shutil
import sys
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.unit.store.place import GONE, UUID, Place, all_are, store
from tests.unit.store.test_soundness import garbage_page
from vmstead.kernel.run import CommandError, run
from vmstead.store.archive import ArchiveError
from vmstead.store.backup import back_up
from vmstead.store.db import connect, migrations
from vmstead.store.files import DATABASE, RESTORING, claim, open_settings
from vmstead.store.restore import take_back
from vmstead.store.soundness import Unsound


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "here").fill("saved")


def test_what_was_saved_comes_back_and_what_was_there_stays_beside_it(place: Place) -> None:
    place.save()
    place.fill("later")
    (place.state / "nvram" / f"{GONE}_VARS.fd").write_text("of a machine that came later")
    found = place.restore()
    assert place.words() == all_are("saved")
    assert [each.name for each in (place.state / "nvram").iterdir()] == [f"{UUID}_VARS.fd"]
    assert (found.manifest.machines, found.manifest.accounts, found.manifest.schema) == (
        1,
        0,
        max(migrations()),
    )
    assert {each.name for each in found.kept} == {
        "vmstead.db.before-now",
        "secret.key.before-now",
        "nvram.before-now",
        f".{UUID}.before-now",
    }
    with closing(connect(place.state / "vmstead.db.before-now")) as before:
        assert before.execute("SELECT value FROM memory").fetchall() == [("later",)]
    assert (place.state / "nvram.before-now" / f"{GONE}_VARS.fd").exists()
    # A settings file that is there is the administrator's.
    assert "later" in place.settings.read_text()
    assert "saved" in (place.settings.parent / "vmstead.toml.restored-now").read_text()
    assert not list(place.root.rglob(".vmstead-restore-*"))
    assert (place.state / "nvram").stat().st_mode & 0o777 == 0o711


def test_a_new_machine_gets_all_of_it(place: Place, tmp_path: Path) -> None:
    place.save()
    other = Place(tmp_path / "there")
    other.state.mkdir(parents=True)
    assert other.restore().kept == []
    assert other.words() == all_are("saved")
    assert other.settings.read_text() == place.settings.read_text()
    assert (other.state / DATABASE).stat().st_mode & 0o777 == 0o600


def test_only_its_owner_can_read_it_and_nothing_else_is_left(place: Place) -> None:
    before = os.umask(0)
    try:
        file = place.save()
    finally:
        os.umask(before)
    assert file.stat().st_mode & 0o777 == 0o600
    assert sorted(each.name for each in place.root.parent.iterdir()) == ["here", "saved.vmstead"]
    with tarfile.open(file) as tar:
        names = tar.getnames()
        assert {entry.mode for entry in tar} == {0o600}
    assert names[:2] == ["manifest.json", "vmstead.db"]
    assert not [name for name in names if "audit" in name or "pools" in name]


def test_it_is_of_one_moment_while_a_server_writes(place: Place) -> None:
    with closing(claim_of(place.state)), closing(open_settings(place.state)) as database:
        database.write_now(lambda connection: store(connection, "in the log still"))
        with closing(connect(place.state / DATABASE)) as other:
            other.execute("BEGIN IMMEDIATE")
            other.execute("UPDATE memory SET value = 'half done'")
            place.save()
            other.execute("ROLLBACK")
    place.restore()
    assert place.words()["database"] == "in the log still"


class claim_of:  # noqa: N801 - reads as what it does
    """The state folder as a server has it."""

    def __init__(self, state: Path) -> None:
        self._lock = claim(state)

    def close(self) -> None:
        os.close(self._lock)


def test_a_server_that_runs_is_in_the_way(place: Place) -> None:
    place.save()
    before = place.tree()
    with closing(claim_of(place.state)), pytest.raises(BlockingIOError):
        place.restore()
    assert place.tree() == before


def test_a_file_that_is_there_is_not_lost(place: Place) -> None:
    file = place.save()
    before = file.read_bytes()
    with pytest.raises(ArchiveError, match=r"is there already: .* --replace"):
        place.save()
    assert file.read_bytes() == before
    place.fill("later").save(replace=True)
    assert place.restore().manifest.machines == 1
    assert place.words()["database"] == "later"


def test_a_damaged_database_is_not_saved_over_a_good_backup(place: Place) -> None:
    file = place.save()
    before = file.read_bytes()
    garbage_page(place.state / DATABASE)
    with pytest.raises(Unsound, match="is damaged"):
        place.save(replace=True)
    assert file.read_bytes() == before
    assert sorted(each.name for each in place.root.parent.iterdir()) == ["here", "saved.vmstead"]


def test_links_are_not_followed(place: Place) -> None:
    secret = place.root / "shadow"
    secret.write_text("root's own")
    variables = place.state / "nvram" / f"{UUID}_VARS.fd"
    variables.unlink()
    variables.symlink_to(secret)
    with pytest.raises(OSError, match="symbolic"):
        place.save()
    assert not place.file.exists()


def test_nothing_to_save_and_nowhere_to_save_it_are_told(place: Place, tmp_path: Path) -> None:
    other = Place(tmp_path / "there")
    other.state.mkdir(parents=True)
    with pytest.raises(ArchiveError, match=r"there is nothing to save in .*; say where with --state"):
        other.save()
    with pytest.raises(FileNotFoundError):
        back_up(place.state, tmp_path / "no/such/folder/file", settings=place.settings, tpms={})


# --- what is no good --------------------------------------------------------------------------------


def rewritten(file: Path, change: Callable[[dict[str, bytes]], dict[str, bytes] | None]) -> None:
    """The archive with other members."""
    with tarfile.open(file) as tar:
        members = {entry.name: tar.extractfile(entry).read() for entry in tar}  # type: ignore[union-attr]
    members = change(members) or members
    with tarfile.open(file, "w:gz") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))


def listed(change: Callable[[Any], None]) -> Callable[[dict[str, bytes]], None]:
    def apply(members: dict[str, bytes]) -> None:
        manifest = json.loads(members["manifest.json"])
        change(manifest)
        members["manifest.json"] = json.dumps(manifest).encode()

    return apply


def renamed(to: str) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    """The key under another name, in the list too."""

    def apply(members: dict[str, bytes]) -> dict[str, bytes]:
        listed(lambda m: m.update(files=[_named(each, to) for each in m["files"]]))(members)
        return {to if name == "secret.key" else name: each for name, each in members.items()}

    return apply


def _named(saved: dict[str, object], to: str) -> dict[str, object]:
    return {**saved, "name": to} if saved["name"] == "secret.key" else saved


def another_byte(members: dict[str, bytes]) -> None:
    members["secret.key"] = b"key forged"[: len(members["secret.key"])]


CHANGED: list[tuple[str, Callable[[dict[str, bytes]], dict[str, bytes] | None], str]] = [
    ("another byte", another_byte, "the checksum of secret.key is wrong"),
    ("a file less", lambda members: {**members, "x": members.pop("secret.key")}, "'x' is not what"),
    ("a file cut", lambda m: {**m, "secret.key": b""}, "'secret.key' is not what its list says"),
    ("a missing file", lambda m: {n: c for n, c in m.items() if n != "secret.key"}, "secret.key is missing"),
    ("another file", lambda m: {**m, "more": b"x"}, "'more' is not what its list says"),
    ("a way out", renamed("../secret.key"), r"its list names '\.\./secret.key'"),
    ("a hidden way out", renamed(f"tpm/system/{UUID}/../../x"), "its list names 'tpm"),
    ("an absolute name", renamed("/etc/cron.d/x"), "its list names '/etc/cron.d/x'"),
    ("a strange name", renamed("lock"), "its list names 'lock'"),
    (
        "no list",
        lambda m: {n: c for n, c in m.items() if n != "manifest.json"},
        "does not begin with its list",
    ),
    ("a list that is none", lambda m: {**m, "manifest.json": b"{"}, "its list cannot be read"),
    ("a later form", listed(lambda m: m.update(format=2, program="9.0")), "was made by a later version, 9.0"),
    (
        "a later schema",
        listed(lambda m: m.update(schema=99, program="9.0")),
        "version 99, .* a later version, 9.0",
    ),
    (
        "another schema",
        listed(lambda m: m.update(schema=2)),
        f"its database has version {max(migrations())}, not 2",
    ),
    ("no database", listed(lambda m: m.update(files=m["files"][1:])), "its list names"),
]


@pytest.mark.parametrize(
    ("change", "text"), [each[1:] for each in CHANGED], ids=[each[0] for each in CHANGED]
)
def test_what_is_not_as_it_was_made_is_refused_and_nothing_changes(
    place: Place, change: Callable[[dict[str, bytes]], dict[str, bytes] | None], text: str
) -> None:
    place.save()
    place.fill("later")
    rewritten(place.file, change)
    before = place.tree()
    with pytest.raises(ArchiveError, match=text):
        place.restore()
    assert place.tree() == before


@pytest.mark.parametrize("spoil", ["cut", "bit", "text", "empty", "gzip"])
def test_a_file_that_is_damaged_or_something_else_is_refused(place: Place, spoil: str) -> None:
    content = place.save().read_bytes()
    middle = len(content) // 2
    place.file.write_bytes(
        {
            "cut": content[:middle],
            "bit": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
            "text": b"no backup",
            "empty": b"",
            "gzip": gzip.compress(b"something else"),
        }[spoil]
    )
    before = place.tree()
    with pytest.raises(ArchiveError, match="is damaged"):
        place.restore()
    assert place.tree() == before


def test_links_in_it_are_refused(place: Place) -> None:
    place.save()
    with tarfile.open(place.file) as tar:
        members = [(entry, tar.extractfile(entry).read()) for entry in tar]  # type: ignore[union-attr]
    with tarfile.open(place.file, "w:gz") as tar:
        for entry, content in members:
            if entry.name == "secret.key":
                entry.type, entry.linkname, entry.size = tarfile.SYMTYPE, "/etc/shadow", 0
            tar.addfile(entry, io.BytesIO(content))
    with pytest.raises(ArchiveError, match=r"'secret\.key' is not what its list says"):
        place.restore()


def test_it_can_be_looked_at_without_a_change(place: Place) -> None:
    place.save()
    place.fill("later")
    before = place.tree()
    assert place.restore(check_only=True).manifest.machines == 1
    assert place.tree() == before


# --- half-way ---------------------------------------------------------------------------------------

_CHILD = """
import os, sys
from pathlib import Path
from tests.unit.store.place import Place
from vmstead.store.restore import take_back

place, at, is_killed = Place(Path(sys.argv[1])), int(sys.argv[2]), sys.argv[3] == "kill"
count = 0

def watch(event, arguments):
    global count
    if event == "os.rename":
        count += 1
        if count == at:
            if is_killed:
                os._exit(9)
            raise OSError(28, "No space left on device")

sys.addaudithook(watch)
before = place.tree()
while True:
    count = 0
    try:
        place.restore()
    except OSError as error:
        assert error.errno == 28
        assert not take_back(place.state)
        assert place.tree() == before
        at += 1
    else:
        print("done", at)
        break
"""


async def attempt(place: Place, at: int, how: str) -> str:
    """Restores in a process of its own, which is killed at one of the renamings, or has each fail in turn."""
    return (await run([sys.executable, "-c", _CHILD, str(place.root), str(at), how])).decode()


async def test_a_restore_that_fails_anywhere_has_changed_nothing(place: Place) -> None:
    place.save()
    place.fill("later")
    word, at = (await attempt(place, 1, "fail")).split()
    assert (word, int(at) > 8) == ("done", True)
    assert place.words() == all_are("saved")


async def test_a_restore_that_is_killed_anywhere_is_taken_back_by_the_next_start(place: Place) -> None:
    place.save()
    place.fill("later")
    (place.state / "nvram" / f"{GONE}_VARS.fd").write_text("of a machine that came later")
    before, interrupted = place.tree(), 0
    for at in range(1, 30):
        try:
            await attempt(place, at, "kill")
        except CommandError:
            if (place.state / RESTORING).exists():
                interrupted += 1
                with pytest.raises(Unsound, match="is under way or was interrupted"):
                    open_settings(place.state)
                assert take_back(place.state)
            assert not take_back(place.state)
            left = {name: each for name, each in place.tree().items() if ".vmstead-restore" not in name}
            assert {name: each for name, each in left.items() if not name.endswith(".part")} == before
            assert place.words() == all_are("later")
        else:
            break
    assert interrupted > 6
    assert place.words() == all_are("saved")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_tpms_remember_is_theirs_again_on_a_new_machine(place: Place, tmp_path: Path) -> None:
    kept = place.tpms["system"] / UUID / "tpm2/tpm2-00.permall"
    shutil.chown(kept, "nobody", "nogroup")
    kept.chmod(0o600)
    place.save()
    other = Place(tmp_path / "there")
    other.state.mkdir(parents=True)
    other.restore()
    found = other.tpms["system"] / UUID
    seen = [
        (path.owner(), path.stat().st_mode & 0o777)
        for path in (found, found / "tpm2", found / "tpm2" / kept.name)
    ]
    # As libvirt makes them: anybody goes through the first.
    assert seen == [("root", 0o711), ("nobody", 0o700), ("nobody", 0o600)]
