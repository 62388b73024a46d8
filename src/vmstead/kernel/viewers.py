"""Who looks at which display through this server.

SPICE serves one viewer at a time: QEMU throws the first one out when a second comes. So who is there is known
before somebody else is let in, and the one who has to go is told why.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

#: Connections of one display beyond so many are refused. A SPICE session takes five.
MOST = 40


@dataclass(eq=False)
class Viewing:
    """One viewer: all connections that were opened with the same ticket.

    Attributes:
        ticket: what they were opened with.
        username: whose it is.
        view_only: the viewer's keyboard and mouse do nothing.
        leave: ends each of the connections, with a reason.
    """

    ticket: str
    username: str
    view_only: bool
    leave: set[Callable[[str], None]] = field(default_factory=set)


class Viewers:
    """The viewers of all displays, by the id of the device."""

    def __init__(self) -> None:
        self._viewings: dict[int, list[Viewing]] = {}

    def of(self, device: int) -> list[Viewing]:
        """Who looks at that display, the first first."""
        return list(self._viewings.get(device, ()))

    def is_full(self, device: int) -> bool:
        """Whether it has as many connections as are served."""
        return sum(len(viewing.leave) for viewing in self.of(device)) >= MOST

    def join(
        self, device: int, ticket: str, username: str, leave: Callable[[str], None], *, view_only: bool
    ) -> Callable[[], None]:
        """Note a connection. What is returned forgets it again."""
        present = self._viewings.setdefault(device, [])
        viewing = next((each for each in present if each.ticket == ticket), None)
        if viewing is None:
            viewing = Viewing(ticket, username, view_only)
            present.append(viewing)
        viewing.leave.add(leave)

        def forget() -> None:
            viewing.leave.discard(leave)
            if not viewing.leave and viewing in present:
                present.remove(viewing)
                if not present and self._viewings.get(device) is present:
                    del self._viewings[device]

        return forget

    def send_away(self, device: int, but: str, reason: str) -> None:
        """End the connections of everybody who does not have that ticket."""
        for viewing in self.of(device):
            if viewing.ticket != but:
                for leave in tuple(viewing.leave):
                    leave(reason)
