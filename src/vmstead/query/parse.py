"""Filters as they come over the wire, checked and turned into a tree."""

from vmstead.query.ast import And, Cmp, Node, Or, Path
from vmstead.query.dates import parse_moment
from vmstead.query.errors import Problem, show
from vmstead.query.operators import DATE_OPERATORS, OPERATORS
from vmstead.query.paths import parse_path
from vmstead.query.patterns import MAX_LENGTH, Pattern

#: How many ``OR`` may stand inside each other.
MAX_DEPTH = 3

_SHAPE = '[field, operator, value] or ["OR", [filter, ...]]'
_KNOWN = f"known are {' '.join(OPERATORS)}, and all but ~ also with C in front to ignore case"


def parse_filters(filters: object) -> tuple[And, list[Problem]]:
    """Parse a filter list into the conjunction that it is.

    Args:
        filters: a list of ``[field, operator, value]`` and ``["OR", [branch, ...]]``, or one such ``OR``
            by itself. A list of such items in it means the same as the items (seed, vm.query: ``[[[…]]]``).

    Returns:
        The tree, and everything that is wrong with the list. The tree means nothing unless that is empty.
    """
    if not isinstance(filters, (list, tuple)):
        return And(), [("filters", "Input should be a valid list")]
    wrong: list[str] = []
    if len(filters) == 2 and filters[0] == "OR":
        where = And((_item(filters, 0, wrong),))
    elif filters and isinstance(filters[0], str):
        # Most likely a single condition; one remark helps more than one for each of its parts.
        wrong.append(f"Invalid filter {show(filters[0])}: a filter list holds lists, as in [{_SHAPE}]")
        where = And()
    else:
        where = And(tuple(_group(item, wrong) for item in filters))
    return where, [("filters", f"Value error, {text}") for text in wrong]


def _group(item: object, wrong: list[str]) -> Node:
    if isinstance(item, (list, tuple)) and item and all(isinstance(each, (list, tuple)) for each in item):
        return _branch(item, 0, wrong)
    return _item(item, 0, wrong)


def _item(item: object, depth: int, wrong: list[str]) -> Node:
    if isinstance(item, (list, tuple)):
        if len(item) == 3:
            return _condition(item[0], item[1], item[2], wrong)
        if len(item) == 2 and item[0] == "OR":
            return _or(item[1], depth, wrong)
        if len(item) == 2 and isinstance(item[0], str):
            also = "; filters in a list are combined with AND as they are" if item[0] == "AND" else ""
            return _reject(f"Invalid operation: {_clip(item[0])} (expected {_SHAPE}{also})", wrong)
    return _reject(f"Invalid filter {show(item)}: expected {_SHAPE}", wrong)


def _or(branches: object, depth: int, wrong: list[str]) -> Node:
    if not isinstance(branches, (list, tuple)) or not branches:
        return _reject(f"Invalid OR {show(branches)}: it needs a list of at least one filter", wrong)
    if depth == MAX_DEPTH:
        return _reject(
            f"query-filters max recursion depth exceeded (at most {MAX_DEPTH} OR inside each other)", wrong
        )
    return Or(tuple(_branch(branch, depth + 1, wrong) for branch in branches))


def _branch(branch: object, depth: int, wrong: list[str]) -> Node:
    if isinstance(branch, (list, tuple)) and branch and isinstance(branch[0], (list, tuple)):
        return And(tuple(_item(item, depth, wrong) for item in branch))
    return _item(branch, depth, wrong)


def _condition(field: object, name: object, value: object, wrong: list[str]) -> Node:
    before = len(wrong)
    path = _field(field, wrong)
    op, fold = _operator(name, wrong)
    if len(wrong) > before or path is None:
        return And()
    # An escaped dot makes `$date` a part of the key's own name, so the parts decide and not the text.
    dated = len(path.parts) > 1 and path.parts[-1] == "$date"
    if dated:
        value = _date(path, name, value, wrong)
    elif op == "~":
        value = _pattern(value, wrong)
    return Cmp(path, op, value, fold=fold, dated=dated)


def _field(field: object, wrong: list[str]) -> Path | None:
    if not isinstance(field, str):
        wrong.append(f"Invalid field {show(field)}: it must be a string")
        return None
    try:
        return parse_path(field)
    except ValueError as error:
        wrong.append(str(error))
        return None


def _operator(name: object, wrong: list[str]) -> tuple[str, bool]:
    if not isinstance(name, str) or not name:
        wrong.append(f"Invalid operation: {show(name)} ({_KNOWN})")
        return "", False
    if name in OPERATORS:
        return name, False
    if name == "C~":
        wrong.append("Invalid operation: C~ (start the pattern with (?i) to ignore case)")
    elif not (name.startswith("C") and name[1:] in OPERATORS):
        wrong.append(f"Invalid operation: {_clip(name)} ({_KNOWN})")
    return name[1:], True


def _date(path: Path, name: object, value: object, wrong: list[str]) -> object:
    if name not in DATE_OPERATORS:
        wrong.append(f"{name}: invalid timestamp operation ({path.text} takes = != > >= < <=)")
    try:
        return parse_moment(value)
    except ValueError:
        wrong.append(
            f"Invalid timestamp {show(value)}: {path.text} is compared with an ISO-8601 string, "
            "such as '2025-10-01T12:00:00+00:00'"
        )
        return None


def _pattern(value: object, wrong: list[str]) -> Pattern | None:
    if not isinstance(value, str):
        wrong.append(f"Invalid regular expression {show(value)}: it must be a string")
        return None
    if len(value) > MAX_LENGTH:
        wrong.append(f"Invalid regular expression: longer than {MAX_LENGTH} characters")
        return None
    try:
        return Pattern(value)
    except ValueError as error:
        wrong.append(f"Invalid regular expression {show(value)}: {error}")
        return None


def _reject(text: str, wrong: list[str]) -> Node:
    wrong.append(text)
    return And()  # only fills the place: a query with anything wrong in it is never built


def _clip(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}..."
