"""How many calls of one connection run at a time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from vmstead.rpc.dispatch import Busy

RUNNING = 10
WAITING = 10


class Turns:
    """Lets ten calls run and ten more wait; the next is refused."""

    def __init__(self) -> None:
        self._running = asyncio.Semaphore(RUNNING)
        self._present = 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a place and hold it. Raises Busy when too many are waiting."""
        if self._present >= RUNNING + WAITING:
            raise Busy(f"Maximum number of concurrent calls ({RUNNING + WAITING}) has exceeded")
        self._present += 1
        try:
            async with self._running:
                yield
        finally:
            self._present -= 1
