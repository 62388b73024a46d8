"""A listener that remembers what it is told, and that can be waited for."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from vmstead.ports.engine import INACTIVE, DomainState, PowerState

#: Seconds after which a test that waits for something that does not come fails.
PATIENCE = 60


@dataclass
class Listener:
    """An engine's listener.

    Attributes:
        states: the last of every domain.
        history: every change, in order.
        views: domains whose displays were opened.
        connections: how often it was told of a connection, and ``losses`` of a loss.
    """

    states: dict[str, DomainState] = field(default_factory=dict)
    history: list[tuple[str, DomainState]] = field(default_factory=list)
    connections: int = 0
    losses: list[str] = field(default_factory=list)
    views: list[str] = field(default_factory=list)
    _told: asyncio.Event = field(default_factory=asyncio.Event)

    def connected(self, states: Mapping[str, DomainState]) -> None:
        self.states = dict(states)
        self.connections += 1
        self._told.set()

    def disconnected(self, reason: str) -> None:
        self.losses.append(reason)
        self._told.set()

    def viewed(self, uuid: str) -> None:
        self.views.append(uuid)
        self._told.set()

    def changed(self, uuid: str, state: DomainState) -> None:
        self.states[uuid] = state
        self.history.append((uuid, state))
        self._told.set()

    def powers(self, uuid: str) -> list[PowerState]:
        """The states that a domain went through, each once."""
        powers: list[PowerState] = []
        for name, state in self.history:
            if name == uuid and powers[-1:] != [state.power]:
                powers.append(state.power)
        return powers

    async def until(self, wanted: Callable[[], bool]) -> None:
        """Wait for something that follows from what was told."""
        async with asyncio.timeout(PATIENCE):
            while not wanted():
                self._told.clear()
                await self._told.wait()

    async def state(self, uuid: str, wanted: Callable[[DomainState], bool]) -> DomainState:
        """Wait until a domain is in a state."""
        await self.until(lambda: wanted(self.states.get(uuid, INACTIVE)))
        return self.states.get(uuid, INACTIVE)

    async def power(self, uuid: str, power: PowerState) -> DomainState:
        """Wait until a domain is in a state, by its name."""
        return await self.state(uuid, lambda state: state.power is power)

    async def inactive(self, uuid: str) -> DomainState:
        """Wait until a domain has no process."""
        return await self.state(uuid, lambda state: not state.active)
