"""Every schema that there ever was leads to today's, with all that was stored in it.

``schemas/vN.sql`` is a database of version N as it was then, never changed. A new migration comes with a new one.
"""

import hashlib
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from vmstead.store.accounts import AccountStore
from vmstead.store.db import Database, migrations
from vmstead.store.files import DATABASE, open_settings
from vmstead.store.groups import GroupStore
from vmstead.store.memory import MemoryStore
from vmstead.store.seal import Seal
from vmstead.store.unfinished import UnfinishedStore
from vmstead.store.vms import VmStore

HERE = Path(__file__).parent / "schemas"
VERSIONS = [*migrations()]

#: The first characters of the SHA-256 of each migration: what was given out once is taken by somebody's file, and
#: another text would not be.
GIVEN_OUT = {
    "migrations": {
        1: "bd34f51bea50de6d",
        2: "c5207fa44aea48fc",
        3: "e96a39540c26ef7a",
        4: "3192ce886f3240f0",
        5: "743832b0f1231acc",
    },
    "audit_migrations": {1: "56766c1425407585"},
}


def old_database(state: Path, version: int) -> Path:
    path = state / DATABASE
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((HERE / f"v{version}.sql").read_text())
        assert connection.execute("PRAGMA user_version").fetchone() == (version,)
    return path


def schema(database: Database) -> list[tuple[object, ...]]:
    return database.read("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name")


def test_there_is_a_database_of_every_version() -> None:
    assert sorted(each.stem for each in HERE.glob("v*.sql")) == [f"v{version}" for version in VERSIONS]


@pytest.mark.parametrize("folder", GIVEN_OUT)
def test_a_migration_that_was_given_out_is_never_changed(folder: str) -> None:
    found = {
        version: hashlib.sha256(text.encode()).hexdigest()[:16]
        for version, text in migrations(folder).items()
    }
    assert found == GIVEN_OUT[folder]


@pytest.mark.parametrize("version", VERSIONS)
def test_what_was_stored_then_is_there_today(tmp_path: Path, version: int) -> None:
    path = old_database(tmp_path, version)
    with closing(open_settings(tmp_path)) as database:
        assert database.read("PRAGMA user_version") == [(max(VERSIONS),)]
        assert database.read("PRAGMA foreign_key_check") == []
        assert database.read("PRAGMA integrity_check") == [("ok",)]
        vms = VmStore(database, Seal(tmp_path / "secret.key"))
        [vm], [device] = vms.all(), vms.all_devices()
        assert (vm["id"], vm["name"], vm["description"], vm["memory"]) == (1, "web01", "old", 512)
        assert vm["hugepages"] == ("2M" if version >= 4 else None)
        assert (device["vm"], device["order"], device["attributes"]["path"]) == (
            1,
            1001,
            "/dev/zvol/default/web01",
        )
        accounts = AccountStore(database)
        alice, bob = accounts.by_name("alice"), accounts.by_name("bob")
        assert alice is not None
        assert bob is not None
        assert (alice.full_name, alice.password_hash, alice.roles) == ("Alice A.", "hash", ["FULL_ADMIN"])
        assert (bob.locked, bob.password_hash, [*bob.all_roles]) == (True, None, ["VM_READ"])
        assert [(key.name, key.username, key.verifier) for key in accounts.api_keys()] == [
            ("laptop", "alice", "verifier")
        ]
        assert len(UnfinishedStore(database).all()) == (version >= 2)
        assert MemoryStore(database).get("boot_id") == ("first" if version >= 2 else None)
        groups = {group.name for group in GroupStore(database).all()}
        assert ("operators" in groups) is (version >= 3)
    copy = path.with_name(f"{DATABASE}.v{version}")
    assert copy.exists() is (version < max(VERSIONS))


@pytest.mark.parametrize("version", VERSIONS)
def test_an_old_file_ends_up_with_the_schema_of_a_new_one(tmp_path: Path, version: int) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    for each in (old, new):
        each.mkdir()
    old_database(old, version)
    with closing(open_settings(old)) as upgraded, closing(open_settings(new)) as fresh:
        assert schema(upgraded) == schema(fresh)


@pytest.mark.parametrize("version", VERSIONS[:-1])
def test_the_copy_of_before_can_be_put_back(tmp_path: Path, version: int) -> None:
    path = old_database(tmp_path, version)
    open_settings(tmp_path).close()
    path.unlink()
    shutil.copyfile(path.with_name(f"{DATABASE}.v{version}"), path)
    with closing(open_settings(tmp_path)) as database:
        assert database.read("SELECT name FROM vm") == [("web01",)]
