"""Whether the machine can run VMs, prerequisite by prerequisite."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias


class Verdict(Enum):
    """GOOD; POOR: works, with a limit worth knowing; MISSING: no VM can run."""

    GOOD = "ok"
    POOR = "note"
    MISSING = "MISSING"


@dataclass(frozen=True)
class Finding:
    """One prerequisite. ``mend`` is a command, or a sentence where none does it; None when nothing need be done."""

    name: str
    verdict: Verdict
    text: str
    mend: str | None = None


#: Looks at every prerequisite, in the order in which they matter. It takes a second or two.
Examine: TypeAlias = Callable[[], AsyncIterator[Finding]]
