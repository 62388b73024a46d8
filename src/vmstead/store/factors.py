"""What else proves who somebody is: shared secrets for codes, and passwords for one login."""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from vmstead.store.db import Connection, Database
from vmstead.store.seal import Seal

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """A shared secret. ``used`` is the number of the interval whose code was accepted last."""

    account: int
    secret: str
    digits: int
    interval: int
    used: int


class FactorStore:
    """Second factors, sealed, and one-time passwords, as digests, in a database."""

    def __init__(self, database: Database, seal: Seal) -> None:
        self._database = database
        self._seal = seal

    def of(self, account: int) -> SecondFactor | None:
        """The second factor of an account.

        Raises:
            ValueError: the secret cannot be unsealed; the text says what is missing.
        """
        sql = "SELECT account, secret, digits, interval, used FROM second_factor WHERE account = ?"
        for id, secret, digits, interval, used in self._database.read(sql, (account,)):
            assert isinstance(id, int)
            assert isinstance(digits, int)
            assert isinstance(interval, int)
            assert isinstance(used, int)
            return SecondFactor(id, self._seal.open_text(str(secret)), digits, interval, used)
        return None

    def was_used(self, account: int) -> bool:
        """Whether somebody has logged in with the account's second factor, or with one before it."""
        sql = "SELECT 1 FROM second_factor WHERE account = ? AND used >= 0"
        return bool(self._database.read(sql, (account,)))

    async def write(self, change: Callable[[Connection], T]) -> T:
        """Carry out a write in a transaction of its own."""
        return await self._database.write(change)

    # --- writing: functions for ``Database.write`` ------------------------------------------------

    def set(self, account: int, secret: str, digits: int, interval: int) -> Callable[[Connection], None]:
        """A write that gives an account a second factor, in place of the one it had."""
        sealed = self._seal.close_text(secret)

        def change(connection: Connection) -> None:
            # Codes of the new secret are all unused, but that there were some of the old one stays known.
            connection.execute(
                "INSERT OR REPLACE INTO second_factor (account, secret, digits, interval, used) VALUES"
                " (?, ?, ?, ?, coalesce((SELECT min(used, 0) FROM second_factor WHERE account = ?), -1))",
                (account, sealed, digits, interval, account),
            )

        return change

    def unset(self, account: int) -> Callable[[Connection], None]:
        """A write that takes an account's second factor away."""

        def change(connection: Connection) -> None:
            connection.execute("DELETE FROM second_factor WHERE account = ?", (account,))

        return change

    def use(self, account: int, number: int) -> Callable[[Connection], bool]:
        """A write that uses up the code of an interval; False when it, or a later one, was used before."""

        def change(connection: Connection) -> bool:
            sql = "UPDATE second_factor SET used = ? WHERE account = ? AND used < ?"
            return connection.execute(sql, (number, account, number)).rowcount == 1

        return change

    def add_onetime(self, account: int, password: str, expires_at: float) -> Callable[[Connection], int]:
        """A write that stores a password for one login, in place of earlier ones, and returns its number."""

        def change(connection: Connection) -> int:
            connection.execute("DELETE FROM onetime_password WHERE account = ?", (account,))
            sql = "INSERT INTO onetime_password (account, digest, expires_at) VALUES (?, ?, ?)"
            number = connection.execute(sql, (account, _digest(password), expires_at)).lastrowid
            assert number is not None
            return number

        return change

    def use_onetime(
        self, account: int, number: int, password: str, now: float
    ) -> Callable[[Connection], bool]:
        """A write that uses such a password up; False when it is no valid one."""

        def change(connection: Connection) -> bool:
            sql = "SELECT digest FROM onetime_password WHERE number = ? AND account = ? AND expires_at > ?"
            row = connection.execute(sql, (number, account, now)).fetchone()
            if row is None or not hmac.compare_digest(str(row[0]), _digest(password)):
                return False
            connection.execute("DELETE FROM onetime_password WHERE number = ?", (number,))
            return True

        return change


def _digest(password: str) -> str:
    # The password is 120 random bits: nothing that would have to be made slow to guess.
    return hashlib.sha256(password.encode()).hexdigest()
