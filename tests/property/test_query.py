"""Queries of every shape over rows of every shape, against the naive interpreter and against noise."""

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.property import reference_query as reference
from vmstead.query import MatchNotFound, QueryRuntimeError, QuerySyntaxError, parse
from vmstead.query.operators import DATE_OPERATORS, OPERATORS

# No deadline: how long an example takes says more about the machine than about the code.
QUICK = settings(deadline=None)
THOROUGH = settings(deadline=None, max_examples=400)

# A small vocabulary, so that filters and rows meet often: most fields exist, and hold what their name says.
TEXTS = st.sampled_from(["", "a", "A", "ab", "aB", "ba", "ß", "SS"])
NUMBERS = st.integers(-1, 2) | st.sampled_from([0.5, 1.0, True, False])
LISTS = st.lists(TEXTS, max_size=3)
DAYS = [datetime(2025, 1, day) for day in (1, 4)]  # noqa: DTZ001 - hypothesis adds the zones
TIMES = st.datetimes(*DAYS, timezones=st.sampled_from([None, UTC]))
WIRE_TIMES = st.sampled_from([0, 1_735_689_600_000, 1_735_776_000_000, 10**30]).map(lambda ms: {"$date": ms})
VALUES = st.recursive(
    st.none() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["n", "t", "x.y"]), inner),
    max_leaves=5,
)
LEAVES: dict[str, st.SearchStrategy[Any]] = {
    "n": NUMBERS | st.none(),
    "t": TEXTS | st.none(),
    "l": LISTS,
    "at": TIMES | WIRE_TIMES | st.none(),
}
INNER = st.fixed_dictionaries({}, optional=LEAVES)
ROW = st.fixed_dictionaries(
    {}, optional={**LEAVES, "d": INNER, "ds": st.lists(INNER, max_size=3), "x.y": VALUES}
)
MIXED_ROW = st.dictionaries(
    st.sampled_from(["n", "t", "l", "at", "d", "ds", "x.y"]), VALUES | TIMES, max_size=4
)
ROWS = st.lists(ROW, max_size=5) | st.lists(ROW | MIXED_ROW, max_size=5)


def placed(field: str) -> st.SearchStrategy[str]:
    return st.sampled_from(["{}", "{}", "d.{}", "ds.*.{}", "ds.0.{}"]).map(lambda place: place.format(field))


PARTS = st.sampled_from(["n", "t", "d", "ds", "l", "x\\.y", "at", "0", "1", "*"])
FIELDS = st.one_of(
    st.sampled_from(["n", "t", "at", "l", "d"]).flatmap(placed),
    st.lists(PARTS, min_size=1, max_size=3).map(".".join),
)
PLAIN_NAMES = st.sampled_from([op for op in OPERATORS if op != "~"])
NAMES = st.one_of(PLAIN_NAMES, PLAIN_NAMES, PLAIN_NAMES.map(lambda op: f"C{op}"))


def conditions(
    field: st.SearchStrategy[str], names: str, values: st.SearchStrategy[Any]
) -> st.SearchStrategy[Any]:
    return st.tuples(field, st.sampled_from(names.split()), values).map(list)


CONDITIONS = st.one_of(
    conditions(placed("n"), "= != > >= < <=", NUMBERS),
    conditions(placed("t"), "= != ^ !^ $ !$ C= C!= C^ C!^ C$ C!$ C> C<=", TEXTS),
    conditions(placed("t"), "in nin Cin Cnin", LISTS | TEXTS),
    conditions(placed("t"), "~", st.sampled_from(["a", "b", "^$", "(?i)A", ".*b$"])),
    conditions(placed("l"), "rin rnin Crin Crnin", TEXTS),
    conditions(placed("at.$date"), " ".join(sorted(DATE_OPERATORS)), TIMES.map(datetime.isoformat)),
    conditions(placed("l.*"), "= != Cin ^", TEXTS),
    st.tuples(FIELDS, NAMES, VALUES).map(list),
)


def either(items: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    branches = st.lists(items | st.lists(items, min_size=1, max_size=2), min_size=1, max_size=3)
    return branches.map(lambda given: ["OR", given])


ITEMS = CONDITIONS
for _ in range(3):
    ITEMS = CONDITIONS | either(ITEMS)
FILTERS = st.lists(ITEMS, max_size=3) | either(CONDITIONS)

ORDER_BY = st.builds(
    lambda nulls, sign, field: f"{nulls}{sign}{field}",
    st.sampled_from(["", "nulls_first:", "nulls_last:"]),
    st.sampled_from(["", "-"]),
    FIELDS,
)
ALIASED = st.tuples(FIELDS, st.sampled_from(["alias", "n", "x.y"])).map(list)
SELECT: st.SearchStrategy[list[Any]] = st.lists(FIELDS | ALIASED, max_size=3)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "order_by": st.lists(ORDER_BY, max_size=2),
        "select": SELECT,
        "count": st.booleans(),
        "force_sql_filters": st.booleans(),
    },
)
PAGE = st.one_of(
    st.fixed_dictionaries({"get": st.just(True)}, optional={"limit": st.integers(0, 1)}),
    st.fixed_dictionaries({}, optional={"offset": st.integers(-4, 4), "limit": st.integers(0, 4)}),
)


def outcome(rows: list[dict[str, Any]], filters: Any, options: Any) -> tuple[str, object]:
    try:
        return "result", parse(filters, options).apply(rows)
    except QueryRuntimeError:
        return "incomparable", None
    except MatchNotFound:
        return "no match", None


def expected(rows: list[dict[str, Any]], filters: Any, options: Any) -> tuple[str, object]:
    try:
        return "result", reference.run(rows, filters, options)
    except reference.Incomparable:
        return "incomparable", None
    except reference.NoMatch:
        return "no match", None


@THOROUGH
@given(ROWS, FILTERS)
@example([{"n": None}], [["n", "C=", [[]]]])
def test_filters_agree_with_the_reference(rows, filters):
    assert outcome(rows, filters, {}) == expected(rows, filters, {})


@THOROUGH
@given(ROWS, ITEMS)
def test_each_row_agrees_with_the_reference(rows, item):
    query = parse([item], {})
    for row in rows:
        try:
            matches = query.matches(row)
        except QueryRuntimeError:
            assert expected([row], [item], {}) == ("incomparable", None)
        else:
            assert matches is reference.holds(row, item)


@THOROUGH
@given(ROWS, st.lists(CONDITIONS, max_size=1), OPTIONS, PAGE)
def test_options_agree_with_the_reference(rows, filters, options, page):
    options = {**options, **page}
    before = deepcopy(rows)
    assert outcome(rows, filters, options) == expected(rows, filters, options)
    assert rows == before


@THOROUGH
@given(st.lists(ROW | MIXED_ROW, min_size=2, max_size=5), st.lists(ORDER_BY, min_size=1, max_size=2))
def test_order_agrees_with_the_reference(rows, order_by):
    options = {"order_by": order_by}
    found = outcome(rows, [], options)
    assert found == expected(rows, [], options)
    if isinstance(found[1], list):
        assert sorted(map(id, found[1])) == sorted(map(id, rows))


JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=8),
        st.sampled_from(["OR", "AND", "=", "~", ">", "Cin", "C~", "in", "a.$date", "(", "a{9", "*", "a.*"]),
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=20,
)
# Noise that gets past the first checks: something at every place where a particular thing belongs.
NOISY_ITEMS = st.one_of(
    JSON,
    st.tuples(FIELDS | JSON, NAMES | JSON, JSON).map(list),
    st.tuples(FIELDS, st.just("~"), st.text(alphabet="a(?iL)[]*+{1,2}\\|^$-.", max_size=10)).map(list),
    st.tuples(st.just("OR"), JSON).map(list),
)
NOISY_OPTIONS = st.one_of(
    JSON,
    st.fixed_dictionaries(
        {},
        optional={
            "select": st.lists(FIELDS | JSON, max_size=2),
            "order_by": st.lists(ORDER_BY | JSON, max_size=2),
            "limit": st.integers(-1, 3) | JSON,
            "offset": st.integers(-3, 3) | JSON,
            "get": st.booleans() | JSON,
            "count": st.booleans() | JSON,
            "extra": JSON,
            "other": JSON,
        },
    ),
)


@QUICK
@example(["OR"], {})
@example([["", "", ""]], {})
@example([["OR", [[[]]]]], {"order_by": ["nulls_first:"]})
@given(JSON | st.lists(NOISY_ITEMS, max_size=3), NOISY_OPTIONS)
def test_noise_is_a_syntax_error_or_a_query(filters, options):
    rows: list[dict[str, Any]] = [
        {"a": 1, "b": "x", "at": {"$date": 0}},
        {"a": None, "b": ["x"], "x.y": {}},
        {},
    ]
    problems: list[tuple[str, str]] = []
    try:
        outcome(rows, filters, options)
    except QuerySyntaxError as error:
        problems = error.problems
        assert str(error)  # noqa: PT017 - a query is as good as a syntax error here
    for path, message in problems:
        assert path == "filters" or path.startswith("options")
        assert message


@QUICK
@given(st.lists(st.dictionaries(st.text(max_size=2), JSON, max_size=3), max_size=4), FILTERS, OPTIONS, PAGE)
def test_rows_of_any_json_are_safe(rows, filters, options, page):
    kind, _ = outcome(rows, filters, {**options, **page})
    assert kind in {"result", "incomparable", "no match"}
