"""What the engine last said of every domain, so that reading a state costs nothing.

The cache follows the engine by list and watch: one listing after each connection, events afterwards. Waiting
for a state is waiting for the event that brings it.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

from vmstead.kernel.clock import Clock, within
from vmstead.ports.engine import INACTIVE, DomainState

Watcher = Callable[[str, DomainState, DomainState], None]


class States:
    """Domain states by uuid, kept by an engine's events. It is the engine's listener.

    Args:
        watcher: told (uuid, old, new) whenever a state differs from the one before.
        on_connected: called after each listing, when every state is known.
        on_viewed: told the uuid when somebody has opened a display.
    """

    def __init__(
        self,
        clock: Clock,
        watcher: Watcher,
        on_connected: Callable[[], None] = lambda: None,
        on_viewed: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._clock = clock
        self._watcher = watcher
        self._on_connected = on_connected
        self._on_viewed = on_viewed
        self._states: dict[str, DomainState] = {}
        self._expected: dict[str, list[Expectation]] = {}
        self._known = asyncio.Event()
        self.disconnected_reason: str | None = "not connected yet"

    def get(self, uuid: str) -> DomainState:
        """The domain's state; ``INACTIVE`` for one the engine has not spoken of."""
        return self._states.get(uuid, INACTIVE)

    def active(self) -> dict[str, DomainState]:
        """The domains with a guest process."""
        return {uuid: state for uuid, state in self._states.items() if state.active}

    @property
    def is_connected(self) -> bool:
        """Whether the states are kept up to date at the moment."""
        return self.disconnected_reason is None

    async def settled(self, timeout: float) -> None:
        """Wait for the first listing, or the first failure to get one, at most ``timeout`` seconds."""
        if not self._known.is_set():
            with suppress(TimeoutError):
                await within(self._clock, timeout, asyncio.ensure_future(self._known.wait()))

    @contextmanager
    def expect(self, uuid: str, wanted: Callable[[DomainState], bool]) -> "Iterator[Expectation]":
        """Watch for a state from here on, so that what happens before the waiting begins is not missed.

        ::

            with states.expect(uuid, is_active) as active:
                await engine.start(uuid)
                await active.within(10)
        """
        expectation = Expectation(self._clock, wanted)
        self._expected.setdefault(uuid, []).append(expectation)
        try:
            yield expectation
        finally:
            expectations = self._expected[uuid]
            expectations.remove(expectation)
            if not expectations:
                del self._expected[uuid]

    async def until(self, uuid: str, wanted: Callable[[DomainState], bool], timeout: float) -> DomainState:
        """Wait for a state, at most ``timeout`` seconds. It counts if it holds already.

        Raises:
            TimeoutError: it did not come.
        """
        with self.expect(uuid, wanted) as expectation:
            now = self.get(uuid)
            return now if wanted(now) else await expectation.within(timeout)

    def connected(self, states: Mapping[str, DomainState]) -> None:
        """Take over a listing: what it leaves out is gone, and every difference counts as a change."""
        self.disconnected_reason = None
        for uuid in [known for known in self._states if known not in states]:
            self.changed(uuid, INACTIVE)
        for uuid, state in states.items():
            self.changed(uuid, state)
        self._on_connected()
        self._known.set()

    def disconnected(self, reason: str) -> None:
        """Keep the last known states: the guests most likely go on."""
        self.disconnected_reason = reason
        # Nobody need wait any longer for a first listing that may never come.
        self._known.set()

    def viewed(self, uuid: str) -> None:
        """Pass on that somebody has opened a display."""
        self._on_viewed(uuid)

    def changed(self, uuid: str, state: DomainState) -> None:
        """Take over one state and tell whoever waits for it."""
        old = self.get(uuid)
        if state.active:
            self._states[uuid] = state
        else:
            # An inactive domain is remembered only where its state says more than the default does.
            self._states.pop(uuid, None)
            if state != INACTIVE:
                self._states[uuid] = state
        for expectation in self._expected.get(uuid, ()):
            expectation.observe(state)
        if old != state:
            self._watcher(uuid, old, state)


class Expectation:
    """A state that is watched for. ``States.expect`` makes them."""

    def __init__(self, clock: Clock, wanted: Callable[[DomainState], bool]) -> None:
        self._clock = clock
        self._wanted = wanted
        self._future: asyncio.Future[DomainState] = asyncio.get_running_loop().create_future()

    def observe(self, state: DomainState) -> None:
        """Take note if this is the state."""
        if not self._future.done() and self._wanted(state):
            self._future.set_result(state)

    async def within(self, seconds: float) -> DomainState:
        """Wait for the state; returns at once when it has been seen. Can be called again after a timeout.

        Raises:
            TimeoutError: it has not come yet.
        """
        try:
            return await within(self._clock, seconds, asyncio.shield(self._future))
        except TimeoutError:
            if self._future.done():
                return self._future.result()
            raise
