"""Accounts and API keys as rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from vmstead.store.db import Connection, Database, IntegrityError, Row

T = TypeVar("T")

#: Columns of an account that ``update`` takes, and those of them that are JSON.
_COLUMNS = frozenset({"username", "full_name", "roles", "locked", "primary_group", "settings"})
_JSON = frozenset({"roles", "settings"})


class NameTaken(Exception):
    """There is one of that name already. ``column`` names what must be unique, such as ``account.uid``."""

    def __init__(self, column: str = "") -> None:
        super().__init__(column)
        self.column = column


class Outdated(Exception):
    """The account has changed since somebody looked whether it may be changed."""


class LastAdministrator(Exception):
    """The change would leave nobody who can log in and may do everything. The text names who that is now."""


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may log in.

    Attributes:
        password_hash: None where passwords are not accepted.
        roles: those that were given to the account itself.
        attributes: what its clients keep with it.
        uid: None where it is made of the id.
        primary_group, groups: ids of groups; the primary one is not among the others.
        group_roles: the roles that its groups have by privileges.
        settings: what clients keep of TrueNAS's further fields.
        password_changed_at: seconds since the epoch; a login with an older password is over.
        api_keys: their numbers.
    """

    id: int
    username: str
    full_name: str
    password_hash: str | None
    roles: list[str]
    locked: bool
    attributes: dict[str, object]
    uid: int | None = None
    primary_group: int = 2
    groups: list[int] = field(default_factory=list)
    group_roles: list[str] = field(default_factory=list)
    settings: dict[str, object] = field(default_factory=dict)
    created_at: float = 0
    password_changed_at: float | None = None
    has_second_factor: bool = False
    api_keys: list[int] = field(default_factory=list)

    @property
    def all_roles(self) -> list[str]:
        """Every role that it was given, by itself or through groups, in order and without what they include."""
        return sorted({*self.roles, *self.group_roles})


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
    account: int = 0


_ACCOUNT = """
SELECT id, username, full_name, password_hash, roles, locked, attributes, uid, primary_group,
    (SELECT json_group_array(user_group) FROM membership WHERE account = a.id),
    (SELECT json_group_array(json(roles)) FROM privilege WHERE id IN (
        SELECT privilege FROM privilege_group WHERE user_group = a.primary_group
            OR user_group IN (SELECT user_group FROM membership WHERE account = a.id))),
    settings, created_at, password_changed_at,
    EXISTS (SELECT 1 FROM second_factor WHERE account = a.id),
    (SELECT json_group_array(id) FROM api_key WHERE account = a.id)
FROM account AS a
"""
_CAN_LOG_IN = """
WHERE NOT locked AND (password_hash IS NOT NULL OR EXISTS (
    SELECT 1 FROM api_key WHERE account = a.id AND revoked_reason IS NULL AND coalesce(expires_at, ?) >= ?))
ORDER BY username
"""
_KEY = (
    "SELECT api_key.id, name, username, verifier, api_key.created_at, expires_at, revoked_reason, account"
    " FROM api_key JOIN account ON account.id = api_key.account"
)


class AccountStore:
    """Accounts and keys in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def version(self) -> bytes:
        """Differs from an earlier one when an account may have changed in between."""
        return self._database.version

    def by_name(self, username: str) -> Account | None:
        """The account of that name."""
        return next(map(_account, self._database.read(f"{_ACCOUNT} WHERE username = ?", (username,))), None)

    def by_id(self, id: int) -> Account | None:
        """The account with that number."""
        return next(map(_account, self._database.read(f"{_ACCOUNT} WHERE id = ?", (id,))), None)

    def all(self) -> list[Account]:
        """All accounts, by number."""
        return [_account(row) for row in self._database.read(f"{_ACCOUNT} ORDER BY id")]

    def names(self) -> list[str]:
        """The names of all accounts."""
        return [str(row[0]) for row in self._database.read("SELECT username FROM account ORDER BY username")]

    def key(self, id: int) -> ApiKey | None:
        """The API key with that number."""
        rows = self._database.read(f"{_KEY} WHERE api_key.id = ?", (id,))
        return next((ApiKey(*row) for row in rows), None)  # type: ignore[arg-type]

    def api_keys(self, username: str | None = None) -> list[ApiKey]:
        """All API keys, or those of one account, by number."""
        rows = self._database.read(
            f"{_KEY} WHERE username = coalesce(?, username) ORDER BY api_key.id", (username,)
        )
        return [ApiKey(*row) for row in rows]  # type: ignore[arg-type]

    async def write(self, change: Callable[[Connection], T]) -> T:
        """Carry out a write in a transaction of its own."""
        return await self._database.write(change)

    # --- writing: functions for ``Database.write`` ------------------------------------------------

    def add(
        self,
        username: str,
        password_hash: str | None,
        roles: Sequence[str],
        full_name: str,
        now: float,
        *,
        uid: int | None = None,
        primary_group: int = 2,
        groups: Sequence[int] = (),
        locked: bool = False,
        settings: Mapping[str, object] | None = None,
    ) -> Callable[[Connection], int]:
        """A write that adds an account and returns its id. It raises ``NameTaken`` when there is one."""
        insert = _insert(
            "INSERT INTO account (username, full_name, password_hash, roles, created_at, password_changed_at,"
            " uid, primary_group, locked, settings) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(username, full_name, password_hash, _json(list(roles)), now),
                *(now if password_hash else None, uid, primary_group, locked, _json(settings or {})),
            ),
        )

        def change(connection: Connection) -> int:
            id = insert(connection)
            self.set_groups(id, groups)(connection)
            return id

        return change

    def update(self, id: int, columns: Mapping[str, object]) -> Callable[[Connection], None]:
        """A write that changes columns of an account. It raises ``NameTaken``."""
        assert columns.keys() <= _COLUMNS
        values = [_json(value) if name in _JSON else value for name, value in columns.items()]
        sql = f"UPDATE account SET {', '.join(f'{name} = ?' for name in columns)} WHERE id = ?"  # noqa: S608

        def change(connection: Connection) -> None:
            if columns:
                unique(connection, sql, (*values, id))

        return change

    def set_groups(self, id: int, groups: Sequence[int]) -> Callable[[Connection], None]:
        """A write that makes an account a member of exactly these groups, beside its primary one."""

        def change(connection: Connection) -> None:
            connection.execute("DELETE FROM membership WHERE account = ?", (id,))
            connection.executemany(
                "INSERT OR IGNORE INTO membership (account, user_group) VALUES (?, ?)",
                [(id, group) for group in groups],
            )

        return change

    def set_password(
        self, username: str, password_hash: str | None, now: float
    ) -> Callable[[Connection], None]:
        """A write that replaces an account's password, and ends what was made to replace the old one."""

        def change(connection: Connection) -> None:
            connection.execute(
                "UPDATE account SET password_hash = ?, password_changed_at = ? WHERE username = ?",
                (password_hash, now if password_hash else None, username),
            )
            connection.execute(
                "DELETE FROM onetime_password WHERE account = (SELECT id FROM account WHERE username = ?)",
                (username,),
            )

        return change

    def set_attributes(self, id: int, attributes: dict[str, object]) -> Callable[[Connection], None]:
        """A write that replaces what an account's clients keep with it."""

        def change(connection: Connection) -> None:
            connection.execute("UPDATE account SET attributes = ? WHERE id = ?", (_json(attributes), id))

        return change

    def delete(self, id: int) -> Callable[[Connection], None]:
        """A write that removes an account with its keys."""

        def change(connection: Connection) -> None:
            connection.execute("DELETE FROM account WHERE id = ?", (id,))

        return change

    def add_key(
        self, name: str, account: int, verifier: str, now: float, expires_at: float | None = None
    ) -> Callable[[Connection], int]:
        """A write that adds an API key and returns its number. It raises ``NameTaken`` when there is one."""
        return _insert(
            "INSERT INTO api_key (name, account, verifier, created_at, expires_at) VALUES (?, ?, ?, ?, ?)",
            (name, account, verifier, now, expires_at),
        )

    def update_key(
        self, id: int, name: str, expires_at: float | None, verifier: str, revoked_reason: str | None
    ) -> Callable[[Connection], None]:
        """A write that changes an API key. It raises ``NameTaken``."""

        def change(connection: Connection) -> None:
            unique(
                connection,
                "UPDATE api_key SET name = ?, expires_at = ?, verifier = ?, revoked_reason = ? WHERE id = ?",
                (name, expires_at, verifier, revoked_reason, id),
            )

        return change

    def delete_key(self, id: int) -> Callable[[Connection], None]:
        """A write that removes an API key."""

        def change(connection: Connection) -> None:
            connection.execute("DELETE FROM api_key WHERE id = ?", (id,))

        return change


def if_still(account: Account, change: Callable[[Connection], T]) -> Callable[[Connection], T]:
    """The same write, unless the account has got other roles in the meantime, or is gone.

    It raises ``Outdated``.
    """

    def guarded(connection: Connection) -> T:
        now = next(map(_account, connection.execute(f"{_ACCOUNT} WHERE id = ?", (account.id,))), None)
        if now is None or now.all_roles != account.all_roles:
            raise Outdated
        return change(connection)

    return guarded


def keeping_an_administrator(
    change: Callable[[Connection], T], is_enough: Callable[[Sequence[str]], bool], now: float
) -> Callable[[Connection], T]:
    """The same write, unless nobody would be left who can log in and may do everything.

    ``is_enough`` says of the roles of an account whether they are everything. It raises ``LastAdministrator``.
    """

    def guarded(connection: Connection) -> T:
        before = _administrators(connection, is_enough, now)
        result = change(connection)
        if before and not _administrators(connection, is_enough, now):
            raise LastAdministrator(" and ".join(before))
        return result

    return guarded


def _administrators(
    connection: Connection, is_enough: Callable[[Sequence[str]], bool], now: float
) -> list[str]:
    accounts = map(_account, connection.execute(f"{_ACCOUNT} {_CAN_LOG_IN}", (now, now)))
    return [account.username for account in accounts if is_enough(account.all_roles)]


def _account(row: Row) -> Account:
    id, username, full_name, password_hash, roles, locked, attributes, uid, primary, *rest = row
    groups, group_roles, settings, created_at, changed_at, has_second_factor, keys = rest
    assert isinstance(id, int)
    assert isinstance(primary, int)
    assert isinstance(created_at, float)
    assert uid is None or isinstance(uid, int)
    assert changed_at is None or isinstance(changed_at, float)
    lists = msgspec.json.decode(str(group_roles), type=list[list[str]])
    return Account(
        id,
        str(username),
        str(full_name),
        None if password_hash is None else str(password_hash),
        msgspec.json.decode(str(roles), type=list[str]),
        bool(locked),
        msgspec.json.decode(str(attributes), type=dict[str, object]),
        uid,
        primary,
        sorted(group for group in msgspec.json.decode(str(groups), type=list[int]) if group != primary),
        sorted({role for each in lists for role in each}),
        msgspec.json.decode(str(settings), type=dict[str, object]),
        created_at,
        changed_at,
        bool(has_second_factor),
        sorted(msgspec.json.decode(str(keys), type=list[int])),
    )


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _insert(sql: str, values: Sequence[object]) -> Callable[[Connection], int]:
    def change(connection: Connection) -> int:
        id = unique(connection, sql, values)
        assert id is not None
        return id

    return change


def unique(connection: Connection, sql: str, values: Sequence[object]) -> int | None:
    """Execute a statement that names may stand in the way of. Raises NameTaken."""
    try:
        return connection.execute(sql, values).lastrowid
    except IntegrityError as error:
        if error.sqlite_errorname != "SQLITE_CONSTRAINT_UNIQUE":
            raise
        raise NameTaken(str(error).rpartition(" ")[2]) from error
