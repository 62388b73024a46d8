"""Groups, privileges and what they give to accounts."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from vmstead.store.accounts import (
    AccountStore,
    LastAdministrator,
    NameTaken,
    Outdated,
    if_still,
    keeping_an_administrator,
)
from vmstead.store.db import Connection, Database, IntegrityError, open_database
from vmstead.store.groups import GroupStore


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(open_database(tmp_path / "test.db")) as database:
        yield database


@pytest.fixture
def groups(database: Database) -> GroupStore:
    return GroupStore(database)


@pytest.fixture
def accounts(database: Database) -> AccountStore:
    return AccountStore(database)


async def add(accounts: AccountStore, name: str = "ann", *roles: str, password: str | None = "hash") -> int:
    return await accounts.write(accounts.add(name, password, roles, "", 0))


def roles_of(accounts: AccountStore, id: int) -> list[str]:
    account = accounts.by_id(id)
    assert account is not None
    return account.all_roles


async def test_roles_come_from_the_account_and_from_its_groups(
    accounts: AccountStore, groups: GroupStore
) -> None:
    ann = await add(accounts, "ann", "VM_READ")
    first = await groups.write(groups.add("first", 3000, {"smb": True}))
    second = await groups.write(groups.add("second", 3001, {}))
    await groups.write(groups.add_privilege("a", ["VM_READ", "POOL_READ"], [first, second], web_shell=True))
    await groups.write(groups.add_privilege("b", ["DATASET_READ"], [second], web_shell=False))
    await accounts.write(accounts.set_groups(ann, [first]))
    assert roles_of(accounts, ann) == ["POOL_READ", "VM_READ"]
    await accounts.write(accounts.update(ann, {"primary_group": second}))
    assert roles_of(accounts, ann) == ["DATASET_READ", "POOL_READ", "VM_READ"]
    account = accounts.by_id(ann)
    assert account is not None
    assert (account.roles, account.groups, account.primary_group) == (["VM_READ"], [first], second)
    found = groups.by_id(first)
    assert found is not None
    assert (found.settings, found.members, found.roles) == ({"smb": True}, [ann], ["POOL_READ", "VM_READ"])
    assert [group.members for group in groups.all() if group.id == second] == [[ann]]


async def test_what_is_gone_gives_nothing(accounts: AccountStore, groups: GroupStore) -> None:
    ann = await add(accounts)
    group = await groups.write(groups.add("first", 3000, {}))
    privilege = await groups.write(groups.add_privilege("a", ["VM_READ"], [group], web_shell=False))
    await groups.write(groups.set_members(group, [ann]))
    with pytest.raises(IntegrityError):
        await groups.write(groups.delete(group))
    await groups.write(groups.update_privilege(privilege, "b", ["POOL_READ"], [], web_shell=False))
    assert roles_of(accounts, ann) == []
    found = groups.privilege(privilege)
    assert found is not None
    assert (found.name, found.roles, found.groups) == ("b", ["POOL_READ"], [])
    await groups.write(groups.delete(group))
    await groups.write(groups.delete_privilege(privilege))
    assert (groups.by_id(group), groups.privilege(privilege)) == (None, None)
    account = accounts.by_id(ann)
    assert account is not None
    assert account.groups == []


async def test_names_and_numbers_are_taken_once_and_it_is_told_which(
    accounts: AccountStore, groups: GroupStore
) -> None:
    await groups.write(groups.add("first", 3000, {}))
    other = await groups.write(groups.add("other", 3001, {}))
    await add(accounts)
    for change, column in (
        (groups.add("first", 3002, {}), "user_group.name"),
        (groups.add("second", 3000, {}), "user_group.gid"),
        (groups.add_privilege("Local Administrator", [], [], web_shell=False), "privilege.name"),
        (accounts.add("ann", None, [], "", 0), "account.username"),
    ):
        with pytest.raises(NameTaken) as taken:
            await groups.write(change)
        assert taken.value.column == column
    with pytest.raises(NameTaken):
        await groups.write(groups.update(other, "first", {}))
    await accounts.write(accounts.add("bob", None, [], "", 0, uid=5000))
    with pytest.raises(NameTaken) as taken:
        await accounts.write(accounts.add("carl", None, [], "", 0, uid=5000))
    assert taken.value.column == "account.uid"


# --- the last administrator -------------------------------------------------------------------------


async def guarded(accounts: AccountStore, change: Callable[[Connection], None], now: float = 100) -> None:
    await accounts.write(keeping_an_administrator(change, lambda roles: "ALL" in roles, now))


async def test_a_change_that_leaves_nobody_is_taken_back(accounts: AccountStore) -> None:
    ann = await add(accounts, "ann", "ALL")
    await add(accounts, "bob", "SOME")
    await add(accounts, "carl", "ALL", password=None)
    for change in (
        accounts.delete(ann),
        accounts.update(ann, {"locked": True}),
        accounts.update(ann, {"roles": ["SOME"]}),
        accounts.set_password("ann", None, 1),
    ):
        with pytest.raises(LastAdministrator, match="ann"):
            await guarded(accounts, change)
    account = accounts.by_id(ann)
    assert account is not None
    assert (account.locked, account.roles, account.password_hash) == (False, ["ALL"], "hash")


async def test_a_key_is_a_way_in_while_it_is_valid(accounts: AccountStore) -> None:
    ann = await add(accounts, "ann", "ALL")
    carl = await add(accounts, "carl", "ALL", password=None)
    key = await accounts.write(accounts.add_key("k", carl, "v", 0, 200))
    with pytest.raises(LastAdministrator):
        await guarded(accounts, accounts.delete(ann), now=201)
    await accounts.write(accounts.update_key(key, "k", None, "v", "lost"))
    with pytest.raises(LastAdministrator):
        await guarded(accounts, accounts.delete(ann))
    await accounts.write(accounts.update_key(key, "k", None, "v", None))
    await guarded(accounts, accounts.delete(ann))
    with pytest.raises(LastAdministrator, match="carl"):
        await guarded(accounts, accounts.delete_key(key))


async def test_where_there_is_none_nothing_is_in_the_way(accounts: AccountStore) -> None:
    bob = await add(accounts, "bob", "SOME")
    await guarded(accounts, accounts.delete(bob))
    assert accounts.all() == []


async def test_a_change_is_not_made_when_the_account_has_got_other_roles_since(
    accounts: AccountStore, groups: GroupStore
) -> None:
    ann = await add(accounts, "ann", "VM_READ")
    seen = accounts.by_id(ann)
    assert seen is not None
    await accounts.write(if_still(seen, accounts.update(ann, {"full_name": "A"})))
    await accounts.write(accounts.set_groups(ann, [1]))
    with pytest.raises(Outdated):
        await accounts.write(if_still(seen, accounts.set_password("ann", "mine", 1)))
    account = accounts.by_id(ann)
    assert account is not None
    assert (account.full_name, account.password_hash) == ("A", "hash")
    await accounts.write(accounts.delete(ann))
    with pytest.raises(Outdated):
        await accounts.write(if_still(account, accounts.delete(ann)))


async def test_who_was_in_a_group_that_is_deleted_is_in_the_usual_one(
    accounts: AccountStore, groups: GroupStore
) -> None:
    group = await accounts.write(groups.add("g", 3000, {}))
    id = await accounts.write(accounts.add("ann", None, [], "", 0, primary_group=group))
    await accounts.write(groups.delete(group))
    account = accounts.by_id(id)
    assert account is not None
    assert account.primary_group == 2
    await accounts.write(groups.require([1, 2]))
    with pytest.raises(Outdated):
        await accounts.write(groups.require([2, group]))


async def test_a_group_that_somebody_is_in_or_a_privilege_names_is_not_unused(
    accounts: AccountStore, groups: GroupStore
) -> None:
    free, led, joined, named = [
        await accounts.write(groups.add(name, 3000 + number, {})) for number, name in enumerate("abcd")
    ]
    await accounts.write(accounts.add("ann", None, [], "", 0, primary_group=led, groups=[joined]))
    await accounts.write(groups.add_privilege("p", [], [named], web_shell=False))
    gone = [id for id in (free, led, joined, named, 1) if await accounts.write(groups.delete_unused(id))]
    assert gone == [free]
    assert {led, joined, named, 1} <= {each.id for each in groups.all()}
