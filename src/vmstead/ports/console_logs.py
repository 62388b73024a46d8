"""What guests have written to their serial consoles, in files.

The engine writes them, from a guest's start to its end, whether this server runs or not. The server says where,
reads what was written while it was away, and sees to it that there is not too much.
"""

from pathlib import Path
from typing import Protocol


class ConsoleLogs(Protocol):
    """The logs, by the uuid of the VM. No method raises: what a log lacks is missing, and no guest waits for it."""

    async def begin(self, uuid: str) -> Path | None:
        """Make the log of a start; that of the run before is kept beside it.

        Returns:
            The file that the engine is to append to; None when there cannot be one.
        """

    async def length(self, uuid: str) -> int:
        """How many bytes the latest run has written so far, as far as is known; a position for ``tail``."""

    async def tail(self, uuid: str, limit: int, end: int) -> bytes:
        """The last bytes, at most ``limit``, before a position."""

    async def previous(self, uuid: str, limit: int) -> bytes:
        """The last bytes, at most ``limit``, of the run before the latest."""

    async def trim(self, uuid: str) -> None:
        """Give back the oldest of a log that has become large."""

    async def remove(self, uuid: str) -> None:
        """Remove everything that there is of a VM. Unknown: nothing happens."""
