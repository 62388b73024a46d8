"""What waits to be sent to a client."""

from collections import OrderedDict
from collections.abc import Hashable

#: Characters that may wait; a client that is behind by more is cut off.
LIMIT = 16 * 1024 * 1024
#: Frames that wait when a client counts as behind.
BEHIND = 256


class OutboxFull(Exception):
    """More would wait than may."""


class Outbox:
    """Frames in the order in which they are to be sent.

    A frame with a key is out of date as soon as there is a later one with the same key. A client that keeps up gets
    both; for one that is behind the later takes the place of the earlier, at the end. So a storm of changes of the
    same things cannot pile up.
    """

    def __init__(self) -> None:
        self._frames: OrderedDict[int, tuple[str, Hashable]] = OrderedDict()
        self._latest: dict[Hashable, int] = {}
        self._number = 0
        self._size = 0

    def __len__(self) -> int:
        return len(self._frames)

    def put(self, frame: str, key: Hashable = None) -> None:
        """Add a frame. Raises OutboxFull."""
        earlier = self._latest.get(key) if key is not None else None
        if earlier is not None and len(self._frames) >= BEHIND:
            self._size -= len(self._frames.pop(earlier)[0])
        self._number += 1
        self._frames[self._number] = (frame, key)
        if key is not None:
            self._latest[key] = self._number
        self._size += len(frame)
        if self._size > LIMIT:
            raise OutboxFull

    def take(self) -> str | None:
        """The next frame, which does not wait any longer; None when there is none."""
        if not self._frames:
            return None
        number, (frame, key) = self._frames.popitem(last=False)
        if key is not None and self._latest.get(key) == number:
            del self._latest[key]
        self._size -= len(frame)
        return frame

    def clear(self) -> None:
        """Forget all of it."""
        self._frames.clear()
        self._latest.clear()
        self._size = 0
