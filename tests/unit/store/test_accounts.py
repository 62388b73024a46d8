"""Accounts and keys in the database."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from vmstead.store.accounts import Account, AccountStore, ApiKey, NameTaken
from vmstead.store.db import Database, IntegrityError, open_database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(open_database(tmp_path / "test.db")) as database:
        yield database


@pytest.fixture
def accounts(database: Database) -> AccountStore:
    return AccountStore(database)


async def add(accounts: AccountStore, name: str = "ann") -> int:
    return await accounts.write(accounts.add(name, "hash", ["VM_READ", "VM_WRITE"], "Ann \u00c4", 1000.5))


async def test_an_account_is_found_by_its_name_alone(accounts: AccountStore) -> None:
    id = await add(accounts)
    assert accounts.by_name("ann") == Account(
        *(id, "ann", "Ann \u00c4", "hash", ["VM_READ", "VM_WRITE"]),
        locked=False,
        attributes={},
        created_at=1000.5,
        password_changed_at=1000.5,
    )
    assert accounts.by_id(id) == accounts.by_name("ann")
    for other in ("Ann", "an", "", "ann ", "%"):
        assert accounts.by_name(other) is None


async def test_an_account_may_have_no_password_and_no_roles(accounts: AccountStore) -> None:
    await accounts.write(accounts.add("bob", None, (), "", 0))
    account = accounts.by_name("bob")
    assert account is not None
    assert (account.password_hash, account.roles) == (None, [])


async def test_a_name_is_taken_once(accounts: AccountStore) -> None:
    await add(accounts)
    with pytest.raises(NameTaken):
        await add(accounts)
    assert accounts.names() == ["ann"]


async def test_names_come_in_order(accounts: AccountStore) -> None:
    for name in ("c", "a", "b"):
        await add(accounts, name)
    assert accounts.names() == ["a", "b", "c"]


async def test_a_password_is_changed_for_one_account_only(accounts: AccountStore) -> None:
    await add(accounts, "ann")
    await add(accounts, "bob")
    await accounts.write(accounts.set_password("ann", "new", 2000))
    hashes = [account.password_hash for name in ("ann", "bob") if (account := accounts.by_name(name))]
    assert hashes == ["new", "hash"]
    await accounts.write(accounts.set_password("ann", None, 3000))
    account = accounts.by_name("ann")
    assert account is not None
    assert account.password_hash is None


async def test_attributes_are_any_json(accounts: AccountStore) -> None:
    id = await add(accounts)
    attributes: dict[str, object] = {"a": [1, {"b": None}], "\u00fc": 10**30, "": 0.5}
    await accounts.write(accounts.set_attributes(id, attributes))
    account = accounts.by_name("ann")
    assert account is not None
    assert account.attributes == attributes


async def test_a_locked_account_says_so(accounts: AccountStore) -> None:
    await add(accounts)
    await accounts.write(
        lambda connection: connection.execute("UPDATE account SET locked = 1 WHERE username = 'ann'")
    )
    account = accounts.by_name("ann")
    assert account is not None
    assert account.locked is True


async def test_a_key_belongs_to_its_account(accounts: AccountStore) -> None:
    ann, bob = await add(accounts, "ann"), await add(accounts, "bob")
    first = await accounts.write(accounts.add_key("laptop", ann, "verifier", 1000.5))
    second = await accounts.write(accounts.add_key("phone", bob, "other", 1000, expires_at=2000.5))
    assert accounts.key(first) == ApiKey(first, "laptop", "ann", "verifier", 1000.5, None, None, ann)
    assert accounts.key(second) == ApiKey(second, "phone", "bob", "other", 1000.0, 2000.5, None, bob)
    assert accounts.key(3) is None


async def test_a_keys_name_is_taken_once(accounts: AccountStore) -> None:
    ann, bob = await add(accounts, "ann"), await add(accounts, "bob")
    await accounts.write(accounts.add_key("laptop", ann, "v", 0))
    with pytest.raises(NameTaken):
        await accounts.write(accounts.add_key("laptop", bob, "v", 0))


async def test_a_key_of_nobody_is_not_told_as_a_name_that_is_taken(accounts: AccountStore) -> None:
    with pytest.raises(IntegrityError, match="FOREIGN KEY"):
        await accounts.write(accounts.add_key("laptop", 99, "v", 0))


async def test_numbers_of_accounts_and_keys_are_never_given_twice(accounts: AccountStore) -> None:
    for _ in range(2):
        ann = await add(accounts)
        await accounts.write(accounts.add_key("laptop", ann, "v", 0))
        # The keys go with the account.
        await accounts.write(lambda connection: connection.execute("DELETE FROM account"))
        assert accounts.key(1) is None
    assert await add(accounts) == 3


async def test_writes_can_share_a_transaction(database: Database, accounts: AccountStore) -> None:
    first, second = accounts.add("ann", None, [], "", 0), accounts.add("ann", None, [], "", 0)
    with pytest.raises(NameTaken):
        await database.write(lambda connection: (first(connection), second(connection)))
    assert accounts.names() == []
