"""How often somebody who has not logged in may call."""

import errno
from collections import deque

from vmstead.errors import CallError
from vmstead.kernel.clock import Clock

_WINDOW = 60.0
#: Addresses that are remembered; a flood from more of them only costs the oldest their record.
_REMEMBERED = 10_000


class RateLimit:
    """So many calls a minute of each method from each address."""

    def __init__(self, clock: Clock, calls: int) -> None:
        self._clock = clock
        self._calls = calls
        self._times: dict[tuple[str, str], deque[float]] = {}

    def check(self, method: str, address: str) -> None:
        """Count a call. Raises CallError with EBUSY when it is one too many."""
        now = self._clock.monotonic()
        key = (method, address)
        times = self._times.pop(key, None) or deque()
        self._times[key] = times  # the one used last is the last to be forgotten
        while times and times[0] <= now - _WINDOW:
            times.popleft()
        if len(self._times) > _REMEMBERED:
            del self._times[next(iter(self._times))]
        if len(times) >= self._calls:
            raise CallError("Rate Limit Exceeded; try again in a minute", errno.EBUSY)
        times.append(now)
