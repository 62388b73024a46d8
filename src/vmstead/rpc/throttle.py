"""Guessing passwords and codes is made slow, without letting anybody keep a user out.

What is counted are attempts that did not succeed, from the moment they begin, so that many at once gain nothing:

- by user and network: after a few, each must wait twice as long as the one before, up to a minute;
- by user, for networks that the user has never logged in from: so many, then a slow trickle.

Who guesses from elsewhere thus slows down other strangers, not the user at the usual place, and nobody who uses an
API key (which cannot be guessed).
"""

import errno
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from vmstead.errors import CallError
from vmstead.kernel.clock import Clock
from vmstead.rpc.caller import Origin

#: Attempts from one network that need not wait, and the longest wait in seconds.
_FREE, _LONGEST = 5, 60.0
#: Seconds without an attempt after which a network's attempts are forgotten.
_FORGOTTEN = 900.0
#: Users, and pairs of user and network, that are remembered.
_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Trickle:
    """What strangers get: so many attempts at once, then one every so many seconds."""

    burst: int
    seconds: float


#: A password has its strength; a code has only a million values, and who tries it has the password.
PASSWORD, CODE = Trickle(50, 12.0), Trickle(10, 600.0)


@dataclass
class _Attempts:
    count: int
    at: float


@dataclass
class _Bucket:
    left: float
    at: float


V = TypeVar("V")


class _Memory(Generic[V]):
    """The values that were used last."""

    def __init__(self) -> None:
        self._values: dict[tuple[object, ...], V] = {}

    def get(self, key: tuple[object, ...], make: Callable[[], V]) -> V:
        value = self._values.pop(key, None) or make()
        self._values[key] = value
        if len(self._values) > _REMEMBERED:
            del self._values[next(iter(self._values))]
        return value

    def forget(self, key: tuple[object, ...]) -> None:
        self._values.pop(key, None)


class Throttle:
    """Counts attempts to log in.

    ``is_known``: whether that user has logged in from that address before.
    """

    def __init__(self, clock: Clock, is_known: Callable[[str, str], bool]) -> None:
        self._clock = clock
        self._is_known = is_known
        self._attempts = _Memory[_Attempts]()
        self._strangers = _Memory[_Bucket]()

    def begin(self, username: str, origin: Origin, kind: Trickle = PASSWORD) -> None:
        """An attempt begins; it counts as failed until ``succeeded``.

        Raises:
            CallError: EBUSY, when it comes too early.
        """
        now = self._clock.monotonic()
        place = _place(origin)
        attempts = self._attempts.get((username, place, kind), lambda: _Attempts(0, now))
        if now - attempts.at >= _FORGOTTEN:
            attempts.count = 0
        wait = attempts.at + _wait_after(attempts.count) - now
        if wait > 0:
            raise _too_many(username, f"try again in {math.ceil(wait)} seconds")
        bucket = self._strangers.get((username, kind), lambda: _Bucket(kind.burst, now))
        bucket.left = min(kind.burst, bucket.left + (now - bucket.at) / kind.seconds)
        bucket.at = now
        if bucket.left < 1 and not origin.is_unix and not self._is_known(username, origin.address):
            raise _too_many(username, "log in from where you usually do, with an API key, or try again later")
        bucket.left = max(0.0, bucket.left - 1)
        attempts.count += 1
        attempts.at = now

    def succeeded(self, username: str, origin: Origin, kind: Trickle = PASSWORD) -> None:
        """The attempt was no guess."""
        self._attempts.forget((username, _place(origin), kind))
        bucket = self._strangers.get((username, kind), lambda: _Bucket(kind.burst, self._clock.monotonic()))
        bucket.left = min(kind.burst, bucket.left + 1)


def _place(origin: Origin) -> str:
    return f"uid {origin.uid}" if origin.is_unix else origin.network


def _wait_after(count: int) -> float:
    return 0.0 if count < _FREE else min(_LONGEST, 2.0 ** (count - _FREE))


def _too_many(username: str, way_out: str) -> CallError:
    return CallError(f"Too many failed logins of {username}; {way_out}", errno.EBUSY)
