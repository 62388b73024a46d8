"""Two ways of doing the same, by turns on the same machine: what the one costs in terms of the other."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Ratio:
    """How many times as long the first takes as the second.

    Attributes:
        middle: the median of the pairs' ratios; ``low`` and ``high`` are their extremes.
        first, second: the medians of the seconds themselves.
    """

    middle: float
    low: float
    high: float
    first: float
    second: float

    def __str__(self) -> str:
        return f"{self.middle:.2f} ({self.low:.2f} to {self.high:.2f})"


def paired(first: Callable[[], float], second: Callable[[], float], rounds: int) -> Ratio:
    """Measure both by turns, each beginning every other time. Both return seconds."""
    pairs = []
    first(), second()  # what is done at first use alone
    for number in range(rounds):
        if number % 2:
            pairs.append((first(), second()))
        else:
            other = second()
            pairs.append((first(), other))
    ratios = [one / other for one, other in pairs]
    one, other = zip(*pairs, strict=True)
    return Ratio(
        statistics.median(ratios), min(ratios), max(ratios), statistics.median(one), statistics.median(other)
    )
