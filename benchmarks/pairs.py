"""Two things measured by turns, and what sets them apart.

A machine is never quiet for long. Each run of one kind is therefore followed at once by one of the other, every
second pair the other way round, and what counts is the median over the pairs, with the quartiles as its spread.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

Measure = Callable[[], float]


@dataclass(frozen=True)
class Line:
    """A line of the table: what was measured, what it is held against, what is wanted, and what came out."""

    what: str
    against: str
    target: str
    figure: str
    is_met: bool

    def __str__(self) -> str:
        met = "yes" if self.is_met else "**no**"
        return f"| {self.what} | {self.against} | {self.target} | {self.figure} | {met} |"


@dataclass(frozen=True)
class Spread:
    """A median with its quartiles."""

    low: float
    middle: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> "Spread":
        """That of these values."""
        low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(low, middle, high)

    def shown(self, unit: str = "", digits: int = 2) -> str:
        """As text: 1.04 (1.01-1.09)."""
        return f"{self.middle:.{digits}f}{unit} ({self.low:.{digits}f} to {self.high:.{digits}f})"


@dataclass(frozen=True)
class Pairs:
    """Values of two kinds, pair by pair: ours, and what they are held against."""

    ours: list[float]
    theirs: list[float]

    @property
    def ratio(self) -> Spread:
        """Ours by theirs."""
        return Spread.of([mine / other for mine, other in zip(self.ours, self.theirs, strict=True)])

    @property
    def more(self) -> Spread:
        """Ours less theirs."""
        return Spread.of([mine - other for mine, other in zip(self.ours, self.theirs, strict=True)])

    @property
    def middle(self) -> tuple[float, float]:
        """The medians of both."""
        return statistics.median(self.ours), statistics.median(self.theirs)


def by_turns(ours: Measure, theirs: Measure, runs: int) -> Pairs:
    """Measure both once for nothing, then ``runs`` times by turns."""
    ours(), theirs()
    found: tuple[list[float], list[float]] = ([], [])
    for number in range(runs):
        for kind in (0, 1) if number % 2 else (1, 0):
            found[kind].append((ours, theirs)[kind]())
    return Pairs(*found)


def seconds(what: Callable[[], object]) -> float:
    """How long something takes."""
    begin = time.perf_counter()
    what()
    return time.perf_counter() - begin
