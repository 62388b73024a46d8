"""Changes that are taken back when a later step fails."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import structlog

log = structlog.get_logger()


@asynccontextmanager
async def undo() -> AsyncIterator[AsyncExitStack]:
    """A stack of undo steps: run in reverse order when the block fails, forgotten when it succeeds.

    Push the step right after the effect it takes back::

        async with undo() as steps:
            await volumes.create(name, size)
            steps.push_async_callback(volumes.destroy, name)
            await store.write(...)        # when this fails, the volume goes

    A block that is cancelled has failed too. A step that fails itself is logged: what leaves the block is
    always what went wrong first.
    """
    steps = AsyncExitStack()
    try:
        yield steps
    except BaseException:
        try:
            await steps.aclose()
        except Exception:
            log.exception("could not take everything back")
        raise
