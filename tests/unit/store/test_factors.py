"""Second factors are sealed and used up; one-time passwords are kept as what they cannot be got back from."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from vmstead.store.accounts import AccountStore
from vmstead.store.db import Database, open_database
from vmstead.store.factors import FactorStore, SecondFactor
from vmstead.store.seal import Seal


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(open_database(tmp_path / "test.db")) as database:
        yield database


@pytest.fixture
def factors(database: Database, tmp_path: Path) -> FactorStore:
    return FactorStore(database, Seal(tmp_path / "secret.key"))


async def ann(database: Database) -> int:
    return await database.write(AccountStore(database).add("ann", None, ["VM_READ"], "", 0))


async def test_a_secret_is_sealed(database: Database, factors: FactorStore, tmp_path: Path) -> None:
    account = await ann(database)
    assert factors.of(account) is None
    await factors.write(factors.set(account, "JBSWY3DP", 6, 30))
    assert factors.of(account) == SecondFactor(account, "JBSWY3DP", 6, 30, -1)
    stored = database.read("SELECT secret FROM second_factor")
    assert "JBSWY3DP" not in str(stored)
    other = FactorStore(database, Seal(tmp_path / "other.key"))
    with pytest.raises(ValueError, match=r"other\.key is missing"):
        other.of(account)


async def test_the_code_of_an_interval_is_used_up_with_those_before_it(
    database: Database, factors: FactorStore
) -> None:
    account = await ann(database)
    await factors.write(factors.set(account, "A", 6, 30))
    tried = [await factors.write(factors.use(account, number)) for number in (10, 10, 9, 11)]
    assert tried == [True, False, False, True]
    await factors.write(factors.set(account, "B", 8, 60))
    # Codes of another secret are all good, but that one was used is not forgotten.
    assert factors.of(account) == SecondFactor(account, "B", 8, 60, 0)
    assert factors.was_used(account) is True
    assert await factors.write(factors.use(account + 1, 10)) is False
    await factors.write(factors.unset(account))
    assert factors.of(account) is None
    await factors.write(factors.set(account, "C", 6, 30))
    assert factors.was_used(account) is False


async def test_a_one_time_password_is_good_once_in_time_for_its_account(
    database: Database, factors: FactorStore
) -> None:
    account = await ann(database)
    number = await factors.write(factors.add_onetime(account, "secret", 100))

    async def use(account: int, number: int, password: str, now: float) -> bool:
        return await factors.write(factors.use_onetime(account, number, password, now))

    assert not await use(account + 1, number, "secret", 50)
    assert not await use(account, number + 1, "secret", 50)
    assert not await use(account, number, "other", 50)
    assert not await use(account, number, "secret", 100)
    assert await use(account, number, "secret", 99)
    assert not await use(account, number, "secret", 99)
    first = await factors.write(factors.add_onetime(account, "first", 100))
    second = await factors.write(factors.add_onetime(account, "second", 100))
    assert not await use(account, first, "first", 50)
    assert await use(account, second, "second", 50)
    assert len({number, first, second}) == 3


async def test_they_go_with_the_account(database: Database, factors: FactorStore) -> None:
    account = await ann(database)
    await factors.write(factors.set(account, "A", 6, 30))
    await factors.write(factors.add_onetime(account, "secret", 100))
    await database.write(AccountStore(database).delete(account))
    assert database.read("SELECT * FROM second_factor") == []
    assert database.read("SELECT * FROM onetime_password") == []
