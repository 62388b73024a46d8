"""What can go wrong with a query.

::

    ValueError
    ├── QuerySyntaxError    the filters or options themselves are wrong; known before any row is read
    └── QueryRuntimeError   they are well formed, but a row holds something they cannot be applied to
    LookupError
    └── MatchNotFound       ``get`` was asked for and no row matched
"""

import reprlib
from collections.abc import Iterable

#: One thing wrong with a call: the path of the argument (``options.limit``) and what is wrong with it.
Problem = tuple[str, str]


class QuerySyntaxError(ValueError):
    """The filters or options are malformed; raised by `parse`, never while rows are read.

    Attributes:
        problems: everything that is wrong, as (argument path, message), filters before options. Messages
            are worded as pydantic words them, so that a server can answer with them as they are.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: list[Problem] = list(problems)
        super().__init__("; ".join(f"{path}: {message}" for path, message in self.problems))


class QueryRuntimeError(ValueError):
    """A row holds a value that the query cannot be applied to, such as null where ``>`` needs a number."""


class MatchNotFound(LookupError):
    """The option ``get`` was set and there is no row to return."""


def show(value: object) -> str:
    """Show any value in an error message, briefly however large or deep it is."""
    try:
        return reprlib.repr(value)
    except ValueError:  # an integer of thousands of digits
        return f"<{type(value).__name__}>"
