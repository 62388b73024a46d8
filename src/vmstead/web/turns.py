"""How many calls of one connection run at a time."""

import asyncio

from vmstead.rpc.dispatch import Busy

RUNNING = 10
WAITING = 10


class Turns:
    """Lets ten calls run and ten more wait; the next is refused.

    ``async with turns:`` waits for a place and holds it. Raises Busy when too many are waiting.
    """

    def __init__(self) -> None:
        self._running = asyncio.Semaphore(RUNNING)
        self._present = 0

    async def __aenter__(self) -> None:
        if self._present >= RUNNING + WAITING:
            raise Busy(f"Maximum number of concurrent calls ({RUNNING + WAITING}) has exceeded")
        self._present += 1
        try:
            await self._running.acquire()
        except BaseException:
            self._present -= 1
            raise

    async def __aexit__(self, *_: object) -> None:
        self._running.release()
        self._present -= 1
