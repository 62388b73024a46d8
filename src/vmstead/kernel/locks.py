"""One change at a time to one thing, with a name for what is under way."""

import asyncio
import errno
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from vmstead.errors import CallError
from vmstead.kernel.clock import Clock, within


@dataclass(eq=False)
class _Action:
    name: str
    is_transition: bool
    turn: "asyncio.Future[None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Locks:
    """Locks by key (a VM, a resource), held while an action runs.

    There are two kinds of action. An *edit* (attach a device, change a field) is short and waits its turn,
    because clients send several at once. A *transition* (start, delete, clone) also waits for edits, but two
    transitions of one thing make no sense together: the second fails at once, naming the first. Whoever waits
    gets the key in the order of asking.
    """

    def __init__(self, clock: Clock, patience: float = 60.0) -> None:
        """``patience``: seconds an action waits before it fails with EBUSY."""
        self._clock = clock
        self._patience = patience
        #: By key: the action under way, and behind it those that wait.
        self._queues: dict[Hashable, list[_Action]] = {}

    @asynccontextmanager
    async def edit(self, key: Hashable, action: str) -> AsyncIterator[None]:
        """Hold the key for an edit. ``action`` reads like "VM 7 is being updated".

        Raises:
            CallError: EBUSY, when the action under way does not end in time.
        """
        async with self._hold(key, action, is_transition=False):
            yield

    @asynccontextmanager
    async def transition(self, key: Hashable, action: str) -> AsyncIterator[None]:
        """Hold the key for a transition. ``action`` reads like "VM 7 is being started".

        Raises:
            CallError: EBUSY, when another transition is under way or an edit does not end in time.
        """
        async with self._hold(key, action, is_transition=True):
            yield

    @asynccontextmanager
    async def _hold(self, key: Hashable, action: str, *, is_transition: bool) -> AsyncIterator[None]:
        mine = _Action(action, is_transition)
        queue = self._queues.setdefault(key, [])
        for other in queue if is_transition else ():
            if other.is_transition:
                raise CallError(f"{other.name} at this moment; try again when that is done", errno.EBUSY)
        queue.append(mine)
        try:
            if queue[0] is not mine:
                await self._wait(queue, mine)
            yield
        finally:
            self._leave(key, queue, mine)

    async def _wait(self, queue: list[_Action], mine: _Action) -> None:
        try:
            await within(self._clock, self._patience, mine.turn)
        except TimeoutError:
            # Unless the key came free in the same moment.
            if queue[0] is not mine:
                raise CallError(
                    f"{queue[0].name} and has not ended within {self._patience:g} seconds; try again later",
                    errno.EBUSY,
                ) from None

    def _leave(self, key: Hashable, queue: list[_Action], mine: _Action) -> None:
        """Give the key to the next in line, also when ``mine`` was given up just as it got it."""
        had_it = queue[0] is mine
        queue.remove(mine)
        if not queue:
            del self._queues[key]
        elif had_it and not queue[0].turn.done():
            queue[0].turn.set_result(None)
