"""What a guest that does not exist uses: the same at any time of its life on every run."""

from dataclasses import dataclass
from xml.etree.ElementTree import Element

from vmstead.ports.counters import GuestCounters

_KiB, _MiB = 1024, 1024**2


@dataclass
class Running:
    """How long a guest's processors have run, in seconds.

    Attributes:
        before: until they were last halted.
        since: when they were last started, None while they are halted.
    """

    before: float = 0.0
    since: float | None = None

    def seconds(self, now: float) -> float:
        """Up to now."""
        return self.before + (0.0 if self.since is None else now - self.since)

    def switch(self, now: float, *, on: bool) -> None:
        """Start or halt them."""
        self.before, self.since = self.seconds(now), now if on else None


def usage_of(document: Element, seconds: float) -> GuestCounters:
    """A quarter of a processor, half of the memory, and as much of everything each second as in the one before."""
    memory = int(document.findtext("memory", "0")) * _MiB
    return GuestCounters(
        cpu_seconds=seconds / 4,
        processors=int(document.findtext("vcpu", "1")),
        memory=memory,
        resident_memory=memory // 2,
        used_memory=memory // 4,
        reads=int(seconds * 8),
        read_bytes=int(seconds * 512 * _KiB),
        writes=int(seconds * 4),
        written_bytes=int(seconds * 256 * _KiB),
        received_bytes=int(seconds * 128 * _KiB),
        sent_bytes=int(seconds * 64 * _KiB),
    )
