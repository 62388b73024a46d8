"""Accounts and API keys as rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from vmstead.store.db import Connection, Database, IntegrityError

T = TypeVar("T")


class NameTaken(Exception):
    """There is an account or a key of that name already."""


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may log in. ``password_hash`` is None where passwords are not accepted."""

    id: int
    username: str
    full_name: str
    password_hash: str | None
    roles: list[str]
    locked: bool
    attributes: dict[str, object]


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key of an account. Times are seconds since the epoch."""

    id: int
    name: str
    username: str
    verifier: str
    created_at: float
    expires_at: float | None
    revoked_reason: str | None


class AccountStore:
    """Accounts and keys in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def by_name(self, username: str) -> Account | None:
        """The account of that name."""
        rows = self._database.read(
            "SELECT id, username, full_name, password_hash, roles, locked, attributes"
            " FROM account WHERE username = ?",
            (username,),
        )
        for id, name, full_name, password_hash, roles, locked, attributes in rows:
            assert isinstance(id, int)
            return Account(
                id,
                str(name),
                str(full_name),
                None if password_hash is None else str(password_hash),
                msgspec.json.decode(str(roles), type=list[str]),
                bool(locked),
                msgspec.json.decode(str(attributes), type=dict[str, object]),
            )
        return None

    def names(self) -> list[str]:
        """The names of all accounts."""
        return [str(row[0]) for row in self._database.read("SELECT username FROM account ORDER BY username")]

    def key(self, id: int) -> ApiKey | None:
        """The API key with that number."""
        rows = self._database.read(
            "SELECT api_key.id, name, username, verifier, api_key.created_at, expires_at, revoked_reason"
            " FROM api_key JOIN account ON account.id = api_key.account WHERE api_key.id = ?",
            (id,),
        )
        return next((ApiKey(*row) for row in rows), None)  # type: ignore[arg-type]

    # --- writing: functions for ``Database.write`` ------------------------------------------------

    def add(
        self, username: str, password_hash: str | None, roles: Sequence[str], full_name: str, now: float
    ) -> Callable[[Connection], int]:
        """A write that adds an account and returns its id. It raises ``NameTaken`` when there is one."""
        encoded = msgspec.json.encode(list(roles)).decode()
        return _insert(
            "INSERT INTO account (username, full_name, password_hash, roles, created_at)"
            " VALUES (?, ?, ?, ?, ?)",
            (username, full_name, password_hash, encoded, now),
        )

    def set_password(self, username: str, password_hash: str | None) -> Callable[[Connection], None]:
        """A write that replaces an account's password."""

        def change(connection: Connection) -> None:
            connection.execute(
                "UPDATE account SET password_hash = ? WHERE username = ?", (password_hash, username)
            )

        return change

    def set_attributes(self, id: int, attributes: dict[str, object]) -> Callable[[Connection], None]:
        """A write that replaces what an account's clients keep with it."""
        encoded = msgspec.json.encode(attributes).decode()

        def change(connection: Connection) -> None:
            connection.execute("UPDATE account SET attributes = ? WHERE id = ?", (encoded, id))

        return change

    async def write(self, change: Callable[[Connection], T]) -> T:
        """Carry out a write in a transaction of its own."""
        return await self._database.write(change)

    def add_key(
        self, name: str, account: int, verifier: str, now: float, expires_at: float | None = None
    ) -> Callable[[Connection], int]:
        """A write that adds an API key and returns its number. It raises ``NameTaken`` when there is one."""
        return _insert(
            "INSERT INTO api_key (name, account, verifier, created_at, expires_at) VALUES (?, ?, ?, ?, ?)",
            (name, account, verifier, now, expires_at),
        )


def _insert(sql: str, values: Sequence[object]) -> Callable[[Connection], int]:
    def change(connection: Connection) -> int:
        try:
            id = connection.execute(sql, values).lastrowid
        except IntegrityError as error:
            if error.sqlite_errorname != "SQLITE_CONSTRAINT_UNIQUE":
                raise
            raise NameTaken from error
        assert id is not None
        return id

    return change
