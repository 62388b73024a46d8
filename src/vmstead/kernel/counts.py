"""What the server has done since its start, as plain numbers: counting is all that a call pays for being watched.

Nothing here knows how figures are shown; ``web/exposition.py`` reads them when somebody asks.
"""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

#: Seconds that separate fast calls from slow ones. What takes longer than the last is in a bucket of its own.
BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0)

#: How a call can end: with a result; with an error that tells the client what is wrong; for want of a login or a
#: role; before it began, because the client calls too often or too much at once; given up; with a surprise.
OK, REFUSED, DENIED, LIMITED, ABORTED, FAILED = "ok", "refused", "denied", "limited", "aborted", "failed"

#: What calls are counted under whose method does not exist: clients must not make up names for figures.
UNKNOWN = "unknown"


@dataclass
class MethodCounts:
    """Calls of one method.

    Attributes:
        outcomes: how many ended how.
        buckets: how many took up to each of ``BOUNDS`` and longer than the one before; the last: longer than all.
        seconds: that they took together.
    """

    outcomes: dict[str, int] = field(default_factory=dict)
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    seconds: float = 0.0


@dataclass
class Counts:
    """Everything that is counted.

    Attributes:
        events: notifications that were sent to clients.
        connections: WebSockets that were opened, by what they came over: ``unix`` or ``tcp``.
    """

    events: int = 0
    connections: dict[str, int] = field(default_factory=lambda: {"unix": 0, "tcp": 0})
    _methods: dict[str, MethodCounts] = field(default_factory=dict)

    @property
    def methods(self) -> Mapping[str, MethodCounts]:
        """A copy of the calls by method, of those that were called."""
        return {
            name: replace(each, outcomes={**each.outcomes}, buckets=[*each.buckets])
            for name, each in self._methods.items()
        }

    def called(self, method: str, outcome: str, seconds: float) -> None:
        """A call has ended. A call that became a job ends when the job is there."""
        found = self._methods.get(method)
        if found is None:
            found = self._methods[method] = MethodCounts()
        found.outcomes[outcome] = found.outcomes.get(outcome, 0) + 1
        found.buckets[bisect_left(BOUNDS, seconds)] += 1
        found.seconds += seconds
