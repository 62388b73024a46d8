"""How field names find values."""

import types

import pytest

from vmstead.query import QueryRuntimeError, parse
from vmstead.query.paths import MISSING, lookup, parse_path

ROW = {
    "name": "web01",
    "none": None,
    "foo.bar": 1,
    "status": {"state": "RUNNING", "a.b": 2, "back\\slash": 3},
    "tags": ["x", "y"],
    "matrix": [[1, 2], [3, 4]],
    "devices": [
        {"attributes": {"dtype": "DISK", "path": "/dev/zvol/a"}},
        {"attributes": {"dtype": "NIC"}},
    ],
    "empty": [],
    "pair": (1, 2),
    "0": "zero",
    "*": "star",
    "proxy": types.MappingProxyType({"a": 1}),
}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a", ("a",)),
        ("a.b.c", ("a", "b", "c")),
        ("a\\.b", ("a.b",)),
        ("a\\.b.c\\.d", ("a.b", "c.d")),
        ("a\\b", ("a\\b",)),
        ("*", ("*",)),
    ],
)
def test_parse(text, parts):
    path = parse_path(text)
    assert path.parts == parts
    assert path.text == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Invalid field '': it must be a name, or names joined by single dots"),
        (".", "Invalid field '.': it must be"),
        ("a..b", "Invalid field 'a..b': it must be"),
        (".a", "Invalid field '.a': it must be"),
        ("a.", "Invalid field 'a.': it must be"),
        ("x" * 1025, "longer than 1024 characters"),
        (".".join("x" * 33), "more than 32 parts"),
    ],
)
def test_malformed(text, reason):
    with pytest.raises(ValueError, match="Invalid field") as raised:
        parse_path(text)
    assert reason in str(raised.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "web01"),
        ("foo\\.bar", 1),
        ("status.state", "RUNNING"),
        ("status.a\\.b", 2),
        ("status.back\\slash", 3),
        ("name.x", "web01"),
        ("name.x.y", "web01"),
        ("none.x", None),
        ("tags.0", "x"),
        ("tags.01", "y"),
        ("tags.2", None),
        ("tags.2.deeper", None),
        ("matrix.1.0", 3),
        ("devices.1.attributes.dtype", "NIC"),
        ("pair.1", 2),
        ("empty.0", None),
        ("0", "zero"),
        ("*", "star"),
        ("proxy.a", 1),
        (f"tags.{'9' * 1000}", None),
    ],
)
def test_filter_and_lookup_agree(field, value):
    assert parse([[field, "=", value]], {}).matches(ROW)
    assert lookup(ROW, parse_path(field)) == value


@pytest.mark.parametrize(
    "field",
    ["nope", "foo.bar", "status.nope", "status.nope.deeper", "devices.1.attributes.path", "proxy.b"],
)
def test_missing(field):
    assert not parse([[field, "!=", "anything"]], {}).matches(ROW)
    assert lookup(ROW, parse_path(field)) is MISSING


@pytest.mark.parametrize(
    ("field", "op", "value", "expected"),
    [
        ("tags.*", "=", "y", True),
        ("tags.*", "=", "z", False),
        ("tags.*", "!=", "x", True),
        ("tags.*.x", "=", "y", True),
        ("matrix.*.*", "=", 4, True),
        ("matrix.*.0", "=", 4, False),
        ("matrix.*.1", "=", 4, True),
        ("devices.*.attributes.dtype", "=", "NIC", True),
        ("devices.*.attributes.path", "!=", "x", True),
        ("devices.*.attributes.nope", "!=", "x", False),
        ("empty.*", "!=", "x", False),
        ("name.*", "=", "web01", True),
        ("none.*", "=", None, True),
    ],
)
def test_wildcard_means_any_element(field, op, value, expected):
    assert parse([[field, op, value]], {}).matches(ROW) is expected


@pytest.mark.parametrize("part", ["foo", "-1", "1x", "²", "٣"])
def test_lists_take_an_index_or_a_wildcard(part):
    text = f"{part}: must be array index or wildcard character"
    with pytest.raises(QueryRuntimeError) as raised:
        parse([[f"tags.{part}", "=", 1]], {}).matches(ROW)
    assert str(raised.value) == text


def test_a_single_value_is_needed_where_there_is_no_any():
    with pytest.raises(QueryRuntimeError) as raised:
        lookup(ROW, parse_path("devices.*.attributes"))
    assert str(raised.value) == (
        "devices.*.attributes: a wildcard stands for many values; name a list index here"
    )
