"""Groups of accounts and privileges as rows. A privilege gives its roles to every member of its groups."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from vmstead.store.accounts import Outdated, unique
from vmstead.store.db import Connection, Database, Row

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Group:
    """A group.

    Attributes:
        settings: what clients keep of TrueNAS's further fields.
        members: ids of the accounts in it, those whose primary group it is included.
        roles: what its members get by privileges.
    """

    id: int
    gid: int
    name: str
    builtin: bool
    settings: dict[str, object]
    members: list[int]
    roles: list[str]


@dataclass(frozen=True, slots=True)
class Privilege:
    """Roles for groups. ``groups`` are their ids."""

    id: int
    builtin_name: str | None
    name: str
    roles: list[str]
    web_shell: bool
    groups: list[int]


_GROUP = """
SELECT id, gid, name, builtin, settings,
    (SELECT json_group_array(id) FROM account WHERE primary_group = g.id
        OR id IN (SELECT account FROM membership WHERE user_group = g.id)),
    (SELECT json_group_array(json(roles)) FROM privilege
        WHERE id IN (SELECT privilege FROM privilege_group WHERE user_group = g.id))
FROM user_group AS g
"""
_PRIVILEGE = """
SELECT id, builtin_name, name, roles, web_shell,
    (SELECT json_group_array(user_group) FROM privilege_group WHERE privilege = p.id)
FROM privilege AS p
"""


class GroupStore:
    """Groups and privileges in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Group]:
        """All groups, by number."""
        return [_group(row) for row in self._database.read(f"{_GROUP} ORDER BY id")]

    def by_id(self, id: int) -> Group | None:
        """The group with that number."""
        return next(map(_group, self._database.read(f"{_GROUP} WHERE id = ?", (id,))), None)

    def privileges(self) -> list[Privilege]:
        """All privileges, by number."""
        return [_privilege(row) for row in self._database.read(f"{_PRIVILEGE} ORDER BY id")]

    def privilege(self, id: int) -> Privilege | None:
        """The privilege with that number."""
        return next(map(_privilege, self._database.read(f"{_PRIVILEGE} WHERE id = ?", (id,))), None)

    async def write(self, change: Callable[[Connection], T]) -> T:
        """Carry out a write in a transaction of its own."""
        return await self._database.write(change)

    # --- writing: functions for ``Database.write`` ------------------------------------------------

    def add(self, name: str, gid: int, settings: Mapping[str, object]) -> Callable[[Connection], int]:
        """A write that adds a group and returns its id. It raises ``NameTaken``."""

        def change(connection: Connection) -> int:
            sql = "INSERT INTO user_group (name, gid, settings) VALUES (?, ?, ?)"
            id = unique(connection, sql, (name, gid, _json(settings)))
            assert id is not None
            return id

        return change

    def update(self, id: int, name: str, settings: Mapping[str, object]) -> Callable[[Connection], None]:
        """A write that changes a group. It raises ``NameTaken``."""

        def change(connection: Connection) -> None:
            sql = "UPDATE user_group SET name = ?, settings = ? WHERE id = ?"
            unique(connection, sql, (name, _json(settings), id))

        return change

    def set_members(self, id: int, accounts: Sequence[int]) -> Callable[[Connection], None]:
        """A write that makes exactly these accounts members, beside those whose primary group it is."""

        def change(connection: Connection) -> None:
            connection.execute("DELETE FROM membership WHERE user_group = ?", (id,))
            connection.executemany(
                "INSERT OR IGNORE INTO membership (account, user_group) VALUES (?, ?)",
                [(account, id) for account in accounts],
            )

        return change

    def require(self, ids: Iterable[int]) -> Callable[[Connection], None]:
        """A write that raises ``Outdated`` unless all of these groups are there."""

        def change(connection: Connection) -> None:
            for id in ids:
                if connection.execute("SELECT 1 FROM user_group WHERE id = ?", (id,)).fetchone() is None:
                    raise Outdated

        return change

    def delete(self, id: int) -> Callable[[Connection], None]:
        """A write that removes a group that no privilege names. Whose primary group it is get ``builtin_users``."""

        def change(connection: Connection) -> None:
            connection.execute("UPDATE account SET primary_group = 2 WHERE primary_group = ?", (id,))
            connection.execute("DELETE FROM user_group WHERE id = ?", (id,))

        return change

    def delete_unused(self, id: int) -> Callable[[Connection], bool]:
        """A write that removes a group that has no member and that no privilege names; tells whether it has."""

        def change(connection: Connection) -> bool:
            sql = """
                DELETE FROM user_group AS g WHERE id = ? AND NOT builtin
                AND NOT EXISTS (SELECT 1 FROM account WHERE primary_group = g.id)
                AND NOT EXISTS (SELECT 1 FROM membership WHERE user_group = g.id)
                AND NOT EXISTS (SELECT 1 FROM privilege_group WHERE user_group = g.id)
            """
            return connection.execute(sql, (id,)).rowcount > 0

        return change

    def add_privilege(
        self, name: str, roles: Sequence[str], groups: Sequence[int], *, web_shell: bool
    ) -> Callable[[Connection], int]:
        """A write that adds a privilege and returns its id. It raises ``NameTaken``."""

        def change(connection: Connection) -> int:
            sql = "INSERT INTO privilege (name, roles, web_shell) VALUES (?, ?, ?)"
            id = unique(connection, sql, (name, _json(list(roles)), web_shell))
            assert id is not None
            _give(connection, id, groups)
            return id

        return change

    def update_privilege(
        self, id: int, name: str, roles: Sequence[str], groups: Sequence[int], *, web_shell: bool
    ) -> Callable[[Connection], None]:
        """A write that changes a privilege. It raises ``NameTaken``."""

        def change(connection: Connection) -> None:
            sql = "UPDATE privilege SET name = ?, roles = ?, web_shell = ? WHERE id = ?"
            unique(connection, sql, (name, _json(list(roles)), web_shell, id))
            connection.execute("DELETE FROM privilege_group WHERE privilege = ?", (id,))
            _give(connection, id, groups)

        return change

    def delete_privilege(self, id: int) -> Callable[[Connection], None]:
        """A write that removes a privilege."""

        def change(connection: Connection) -> None:
            connection.execute("DELETE FROM privilege WHERE id = ?", (id,))

        return change


def _give(connection: Connection, privilege: int, groups: Sequence[int]) -> None:
    connection.executemany(
        "INSERT OR IGNORE INTO privilege_group (privilege, user_group) VALUES (?, ?)",
        [(privilege, group) for group in groups],
    )


def _group(row: Row) -> Group:
    id, gid, name, builtin, settings, members, roles = row
    assert isinstance(id, int)
    assert isinstance(gid, int)
    lists = msgspec.json.decode(str(roles), type=list[list[str]])
    return Group(
        id,
        gid,
        str(name),
        bool(builtin),
        msgspec.json.decode(str(settings), type=dict[str, object]),
        sorted(msgspec.json.decode(str(members), type=list[int])),
        sorted({role for each in lists for role in each}),
    )


def _privilege(row: Row) -> Privilege:
    id, builtin_name, name, roles, web_shell, groups = row
    assert isinstance(id, int)
    return Privilege(
        id,
        None if builtin_name is None else str(builtin_name),
        str(name),
        msgspec.json.decode(str(roles), type=list[str]),
        bool(web_shell),
        sorted(msgspec.json.decode(str(groups), type=list[int])),
    )


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
