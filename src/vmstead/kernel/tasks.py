"""Tasks that belong to the server rather than to whoever started them."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

log = structlog.get_logger()


async def others_first() -> None:
    """Let everything run that can, before going on with something long."""
    loop = asyncio.get_running_loop()
    turn = loop.create_future()
    loop.call_soon(turn.set_result, None)
    await turn


class Tasks:
    """Keeps running tasks from being forgotten, and ends them in order."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, coroutine: Coroutine[object, object, None], *, name: str) -> "asyncio.Task[None]":
        """Run a coroutine; an exception that leaves it is logged."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self.keep(task, name=name)
        return task

    def keep(self, task: "asyncio.Task[Any]", *, name: str) -> None:
        """Take over a task that has begun elsewhere."""
        task.set_name(name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("task failed unexpectedly", task=task.get_name(), exc_info=error)

    async def close(self, patience: float) -> None:
        """Give the tasks so many seconds to end, then cancel the rest and wait for it."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=patience)
        while self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks)
