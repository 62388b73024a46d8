"""What one connection has subscribed to."""

import errno
import uuid
from collections import Counter
from collections.abc import Callable, Mapping

from vmstead.errors import ApiError, CallError
from vmstead.kernel.bus import Bus, Event
from vmstead.rpc.caller import Caller
from vmstead.rpc.sources import Sources

#: Subscriptions that a connection can have at a time.
LIMIT = 1000


def may_subscribe(caller: Caller, name: str, roles: Mapping[str, str | None]) -> bool:
    """Whether a caller may be told of a collection; ``roles`` has the role for each that there is.

    Administrators may ask for anything: nothing is ever told of a collection that does not exist.
    """
    base = name.partition(":")[0]
    return caller.is_admin or (base in roles and caller.may(roles[base]))


class Subscriptions:
    """Subscriptions by their ids. Several to one name are one for who receives.

    Args:
        deliver: takes an event. Whether its reader may see it is asked by who delivers.
        ended: told the name of a source's stream that has ended, and the error if that is why.
    """

    def __init__(
        self,
        bus: Bus,
        sources: Sources,
        deliver: Callable[[Event], None],
        ended: Callable[[str, ApiError | None], None],
    ) -> None:
        self._bus = bus
        self._sources = sources
        self._deliver = deliver
        self._ended = ended
        self._names: dict[str, str] = {}
        self._counts: Counter[str] = Counter()
        self._stops: dict[str, Callable[[], None]] = {}

    def add(self, name: str) -> str:
        """Subscribe; returns the subscription's id.

        Arguments of a source that are wrong end the stream before it has begun, as TrueNAS does; that is no error
        of the call.

        Raises:
            CallError: there are too many.
        """
        if len(self._names) >= LIMIT:
            text = f"this connection has {LIMIT} subscriptions; end some of them with core.unsubscribe"
            raise CallError(text, errno.EDQUOT)
        id = str(uuid.uuid4())
        if name not in self._counts:
            try:
                self._stops[name] = self._begin(name)
            except ApiError as error:
                self._ended(name, error)
                return id
        self._names[id] = name
        self._counts[name] += 1
        return id

    def _begin(self, name: str) -> Callable[[], None]:
        if self._sources.knows(name):
            return self._sources.subscribe(name, self._deliver, lambda error: self._lost(name, error))
        return self._bus.subscribe(name, self._deliver)

    def remove(self, id: str) -> None:
        """End a subscription; unknown ids are ignored."""
        name = self._names.pop(id, None)
        if name is None:
            return
        self._counts[name] -= 1
        if not self._counts[name]:
            self._stop(name)
            if self._sources.knows(name):
                self._ended(name, None)

    def leave_sources(self) -> None:
        """End those to sources, without a word: whoever they were for is not there any more."""
        for name in [name for name in self._counts if self._sources.knows(name)]:
            self._drop(name)
            self._stop(name)

    def close(self) -> None:
        """End all of them."""
        for stop in self._stops.values():
            stop()
        self._stops.clear()
        self._counts.clear()
        self._names.clear()

    def _lost(self, name: str, error: ApiError | None) -> None:
        """A stream has ended by itself."""
        self._drop(name)
        self._stop(name)
        self._ended(name, error)

    def _drop(self, name: str) -> None:
        self._names = {id: each for id, each in self._names.items() if each != name}

    def _stop(self, name: str) -> None:
        del self._counts[name]
        self._stops.pop(name)()
