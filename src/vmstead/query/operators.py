"""The comparison operators: what each one says about the value of a field.

An operator here is a function that takes a condition and returns its test, a function of the field's
value. Whatever depends only on the condition happens once, outside the test. A test is never asked about
a missing field. Null is an ordinary value for ``=``, ``!=`` and ``in``, the empty text for ``~``, an
error for the ordering operators, and false for all others, the negated ones included.
"""

import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from vmstead.query.ast import Cmp
from vmstead.query.errors import QueryRuntimeError
from vmstead.query.patterns import Pattern, TooSlow

#: Says whether the value of a field satisfies a condition.
Test = Callable[[object], bool]
Operator = Callable[[Cmp], Test]


def _not_supported(cmp: Cmp, found: object) -> QueryRuntimeError:
    op = f"C{cmp.op}" if cmp.fold else cmp.op
    types = f"{type(found).__name__!r} and {type(cmp.value).__name__!r}"
    hint = f'; exclude nulls first: ["{cmp.path.text}", "!=", null]' if found is None else ""
    return QueryRuntimeError(f"{cmp.path.text}: {op!r} not supported between instances of {types}{hint}")


def _equal(cmp: Cmp) -> Test:
    value = cmp.value
    return lambda found: found == value


def _not_equal(cmp: Cmp) -> Test:
    value = cmp.value
    return lambda found: found != value


# Any: not every object can be ordered, which is what the test finds out.
def _ordering(compare: Callable[[Any, Any], object]) -> Operator:
    def build(cmp: Cmp) -> Test:
        value = cmp.value

        def test(found: object) -> bool:
            try:
                return bool(compare(found, value))
            except TypeError:
                raise _not_supported(cmp, found) from None

        return test

    return build


def _regex(cmp: Cmp) -> Test:
    pattern = cmp.value
    assert isinstance(pattern, Pattern)  # the parser compiled it

    def test(found: object) -> bool:
        if not isinstance(found, str | None):
            raise QueryRuntimeError(f"{cmp.path.text}: '~' needs a text field, not {type(found).__name__!r}")
        try:
            return pattern.matches(found or "")
        except TooSlow:
            raise QueryRuntimeError(f"{cmp.path.text}: the regular expression takes too long") from None

    return test


def _contains(cmp: Cmp, whole: object, part: object, found: object) -> bool:
    try:
        # Lists, texts (a substring) and sets answer; everything else has no `in` and raises.
        return part in whole  # type: ignore[operator]
    except TypeError:
        raise _not_supported(cmp, found) from None


def _in(cmp: Cmp) -> Test:
    value = cmp.value
    return lambda found: _contains(cmp, value, found, found)


def _not_in(cmp: Cmp) -> Test:
    value = cmp.value
    return lambda found: found is not None and not _contains(cmp, value, found, found)


def _holds(cmp: Cmp) -> Test:
    value = cmp.value
    return lambda found: found is not None and _contains(cmp, found, value, found)


def _not_holds(cmp: Cmp) -> Test:
    value = cmp.value
    return lambda found: found is not None and not _contains(cmp, found, value, found)


def _affix(compare: Callable[[str, str], bool], expected: bool) -> Operator:
    def build(cmp: Cmp) -> Test:
        value = cmp.value

        def test(found: object) -> bool:
            if found is None:
                return False
            if not isinstance(found, str) or not isinstance(value, str):
                raise _not_supported(cmp, found)
            return compare(found, value) is expected

        return test

    return build


#: Every operator by the name it has on the wire, without the ``C`` prefix.
OPERATORS: Final[Mapping[str, Operator]] = MappingProxyType(
    {
        "=": _equal,
        "!=": _not_equal,
        ">": _ordering(operator.gt),
        ">=": _ordering(operator.ge),
        "<": _ordering(operator.lt),
        "<=": _ordering(operator.le),
        "~": _regex,
        "in": _in,
        "nin": _not_in,
        "rin": _holds,
        "rnin": _not_holds,
        "^": _affix(str.startswith, expected=True),
        "!^": _affix(str.startswith, expected=False),
        "$": _affix(str.endswith, expected=True),
        "!$": _affix(str.endswith, expected=False),
    }
)

#: The operators that can compare points in time.
DATE_OPERATORS: Final = frozenset({"=", "!=", ">", ">=", "<", "<="})
