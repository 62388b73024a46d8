"""Regular expressions that clients send: Python's, with an end to how long they take.

An expression such as ``(.*,){14}P`` tries more ways than anybody can wait for, and nothing else happens in this
process meanwhile. ``re`` cannot be stopped, ``regex`` can; so the former says what is an expression, and the latter
looks for it.
"""

import math
import re
import time
import warnings
from typing import Any

#: Characters of the longest regular expression that should be compiled.
MAX_LENGTH = 1024
#: Seconds for the matches of one query together.
_PATIENCE = 0.1
#: Seconds after which an expression that is kept gets them again.
_WINDOW = 10.0


#: Counted repetitions, of which the highest numbers count.
_COUNTED = re.compile(r"\{(\d*),?(\d*)\}")
#: What an expression may be worth: its characters times all its repetitions, as if each stood in the others. Those
#: that do take half a kilobyte each when they are compiled.
_LARGEST = 1_000_000


class TooSlow(Exception):
    """The expression takes too long."""


class Pattern:
    """One regular expression.

    Raises:
        ValueError: it is none, with the reason.
    """

    def __init__(self, text: str) -> None:
        counts = [max(map(int, filter(None, each)), default=1) for each in _COUNTED.findall(text)]
        if len(text) * math.prod(counts) > _LARGEST:
            raise ValueError("too many repetitions")
        # Loaded for those who need it: it takes longer than the rest of the query language.
        import regex

        try:
            # Python warns of syntax that may change its meaning one day. That is no use in a server's log.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                re.compile(text)
                self._compiled: Any = regex.compile(text, regex.VERSION0)
        except (re.error, regex.error, OverflowError, RecursionError) as error:
            raise ValueError(str(error)) from None
        self._since = float("-inf")
        self._left = 0.0

    def matches(self, text: str) -> bool:
        """Whether a text begins with it. Raises TooSlow."""
        began = time.monotonic()
        if began - self._since > _WINDOW:
            self._since, self._left = began, _PATIENCE
        if self._left <= 0:
            raise TooSlow
        try:
            return self._compiled.match(text, timeout=self._left) is not None
        except TimeoutError:
            raise TooSlow from None
        finally:
            self._left -= time.monotonic() - began
