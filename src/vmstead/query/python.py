"""Filters as functions over rows: the tree becomes closures once, and each row is then only calls."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from vmstead.query.ast import And, Cmp, Node, Or, Path
from vmstead.query.dates import moment
from vmstead.query.errors import QueryRuntimeError
from vmstead.query.operators import OPERATORS, Test
from vmstead.query.paths import MISSING, WILDCARD, descend

#: Says whether a row satisfies a filter. Raises QueryRuntimeError where a value cannot be compared.
RowTest = Callable[[Mapping[str, object]], bool]


def compile_node(node: Node) -> RowTest:
    """Return the function that says whether a row satisfies ``node``.

    Conditions are evaluated in the order written and no further than needed, so that an earlier one can
    keep a later one from values it could not compare. Compiling itself never fails.
    """
    match node:
        case Cmp():
            return _at(node.path, _value_test(node))
        case And(items):
            return _all([compile_node(item) for item in items])
        case Or(items):
            return _any([compile_node(item) for item in items])


def _all(tests: list[RowTest]) -> RowTest:
    if len(tests) == 1:
        return tests[0]

    def test(row: Mapping[str, object]) -> bool:
        for each in tests:  # noqa: SIM110 - twice as fast as all() with a generator, and run for every row
            if not each(row):
                return False
        return True

    return test


def _any(tests: list[RowTest]) -> RowTest:
    def test(row: Mapping[str, object]) -> bool:
        for each in tests:  # noqa: SIM110 - as in _all
            if each(row):
                return True
        return False

    return test


def _at(path: Path, test: Test) -> RowTest:
    """Apply a test to the value at a path; a missing value satisfies nothing."""
    key, *below = path.parts
    for part in reversed(below):
        test = _below(part, test)

    # Rows are mappings, so the first step needs no look at what it stands on. Most paths have no other.
    def at(row: Mapping[str, object]) -> bool:
        found = row.get(key, MISSING)
        return found is not MISSING and test(found)

    return at


def _below(part: str, test: Test) -> Test:
    """Apply a test one step further down; a wildcard asks whether any element of a list satisfies it."""

    def below(value: object) -> bool:
        if part == WILDCARD and isinstance(value, (list, tuple)):
            return any(test(element) for element in value)
        found = descend(value, part)
        return found is not MISSING and test(found)

    return below


def _value_test(cmp: Cmp) -> Test:
    if cmp.fold:
        return _folded(cmp)
    test = OPERATORS[cmp.op](cmp)
    if cmp.dated:
        return lambda found: test(moment(found))
    return test


def _folded(cmp: Cmp) -> Test:
    try:
        test = OPERATORS[cmp.op](replace(cmp, value=_fold(cmp.value, cmp)))
    except QueryRuntimeError as error:
        return _refuse(cmp, str(error))
    return lambda found: test(_fold(found, cmp))


def _refuse(cmp: Cmp, reason: str) -> Test:
    # A value that cannot be folded matters only once there is something to compare it with.
    def test(found: object) -> bool:
        _fold(found, cmp)
        raise QueryRuntimeError(reason)

    return test


def _fold(value: object, cmp: Cmp) -> object:
    """Casefold a text, or every text in a list; null stays null."""
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_fold_text(element, cmp) for element in value]
    return _fold_text(value, cmp)


def _fold_text(value: object, cmp: Cmp) -> str | None:
    if value is None:
        return None
    if isinstance(value, str):
        return value.casefold()
    raise QueryRuntimeError(
        f"{type(value)}: support for casefolding object type not implemented. "
        f"{cmp.path.text}: {'C' + cmp.op!r} compares text and lists of text only"
    )
