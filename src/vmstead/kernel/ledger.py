"""Amounts that are promised but not yet taken."""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager


class Ledger:
    """Promises by key. Whoever checks what is left subtracts ``total`` in the same step as promising."""

    def __init__(self) -> None:
        self._amounts: dict[Hashable, int] = {}

    @property
    def total(self) -> int:
        """The sum of all promises."""
        return sum(self._amounts.values())

    @contextmanager
    def promise(self, key: Hashable, amount: int) -> Iterator[None]:
        """Hold an amount during the block."""
        assert key not in self._amounts, f"{key} is promised something already"
        self._amounts[key] = amount
        try:
            yield
        finally:
            del self._amounts[key]
