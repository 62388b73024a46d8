"""Running what most often ends at once, without a task of its own.

asyncio's tasks begin in a later turn of the event loop, and each is an object that others can wait for. Most calls
end before they have waited for anything; for them that costs more than they do.
"""

from collections.abc import Coroutine, Generator
from contextvars import Context, copy_context
from functools import partial
from typing import Any


class Rest:
    """What is left of a coroutine that has to wait: to be awaited once, or closed."""

    def __init__(self, coroutine: Coroutine[Any, Any, None], context: Context, awaited: object) -> None:
        self._coroutine = coroutine
        self._context = context
        self._awaited = awaited

    def __await__(self) -> Generator[object, object, None]:
        """Pass on what the coroutine waits for, and what becomes of it."""
        while True:
            try:
                step = partial(self._coroutine.send, (yield self._awaited))
            except BaseException as error:  # noqa: BLE001 - also what cancels the task, or ends it
                step = partial(self._coroutine.throw, error)
            try:
                self._awaited = self._context.run(step)
            except StopIteration:
                return

    def close(self) -> None:
        """Give it up."""
        self._context.run(self._coroutine.close)


def started(coroutine: Coroutine[Any, Any, None]) -> Rest | None:
    """Run a coroutine until it has to wait. Returns what is left of it; None when it has ended.

    It has context variables of its own, as a task has. What it takes for its task is the one that runs at this
    moment: either that task awaits what is left, or the coroutine must not ask for it (``asyncio.timeout`` does).
    """
    context = copy_context()
    try:
        awaited = context.run(coroutine.send, None)
    except StopIteration:
        return None
    return Rest(coroutine, context, awaited)
