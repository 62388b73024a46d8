"""Extended JSON: both directions, and what is not quite JSON."""

import json
from datetime import UTC, date, datetime, time, timedelta, timezone
from ipaddress import IPv4Interface, IPv6Interface
from typing import Any

import pytest

from vmstead.client import ejson

PAIRS: list[tuple[Any, Any]] = [
    (datetime(2025, 10, 9, 8, 53, 20, tzinfo=UTC), {"$date": 1760000000000}),
    (datetime(2025, 10, 9, 8, 53, 20, 123000, tzinfo=UTC), {"$date": 1760000000123}),
    (datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=UTC), {"$date": -1}),
    (date(2025, 10, 1), {"$type": "date", "$value": "2025-10-01"}),
    (time(12, 30), {"$time": "12:30:00"}),
    (time(12, 30, 1, 500), {"$time": "12:30:01.000500"}),
    ({"a", "b"}, {"$set": ["a", "b"]}),
    (IPv4Interface("10.0.0.1/24"), {"$ipv4_interface": "10.0.0.1/24"}),
    (IPv6Interface("fe80::1/64"), {"$ipv6_interface": "fe80::1/64"}),
]


@pytest.mark.parametrize(("value", "plain"), PAIRS)
def test_both_directions(value: Any, plain: Any) -> None:
    assert json.loads(ejson.dumps({"x": [value]})) == {"x": [plain]}
    assert ejson.loads(json.dumps({"x": [plain]})) == {"x": [value]}


def test_dates_are_aware() -> None:
    decoded = ejson.loads('{"$date": 0}')
    assert decoded.tzinfo is UTC


def test_dates_of_other_zones_and_of_none() -> None:
    east = timezone(timedelta(hours=2))
    assert ejson.dumps(datetime(1970, 1, 1, 2, tzinfo=east)) == '{"$date": 0}'
    assert ejson.dumps(datetime(1970, 1, 1)) == '{"$date": 0}'  # noqa: DTZ001 - naive means UTC here


def test_frozen_and_mixed_sets() -> None:
    assert ejson.dumps(frozenset({3, 1, 2})) == '{"$set": [1, 2, 3]}'
    assert sorted(map(str, json.loads(ejson.dumps({1, "a"}))["$set"])) == ["1", "a"]


def test_a_set_of_objects_stays_a_list() -> None:
    assert ejson.loads('{"$set": [{"a": 1}, [2]]}') == [{"a": 1}, [2]]


@pytest.mark.parametrize(
    "text",
    [
        '{"$date": 1, "more": 2}',
        '{"$type": "date", "more": 2}',
        '{"$type": "other", "$value": 2}',
        '{"$type": "date", "$value": "2025-10-01", "more": 1}',
        '{"$unknown": 1}',
        "{}",
    ],
)
def test_objects_that_only_look_marked(text: str) -> None:
    assert ejson.loads(text) == json.loads(text)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('{"$date": "x"}', "$date"),
        ('{"$date": true}', "$date"),
        ('{"$date": null}', "$date"),
        ('{"$date": 1e300}', "$date"),
        ('{"$time": "25:00"}', "$time"),
        ('{"$time": 5}', "$time"),
        ('{"$set": 5}', "$set"),
        ('{"$set": "ab"}', "$set"),
        ('{"$ipv4_interface": "x"}', "$ipv4_interface"),
        ('{"$ipv6_interface": "10.0.0.1"}', "$ipv6_interface"),
        ('{"$type": "date", "$value": "yesterday"}', "$type"),
    ],
)
def test_malformed_marks(text: str, key: str) -> None:
    with pytest.raises(ValueError, match=f"Error parsing \\{key}: "):
        ejson.loads(text)


def test_not_json() -> None:
    with pytest.raises(ValueError, match="Expecting value"):
        ejson.loads("vm")
    with pytest.raises(ValueError, match="nested too deeply"):
        ejson.loads("[" * 100000)


def test_no_json_form() -> None:
    with pytest.raises(TypeError, match="object has no JSON form"):
        ejson.dumps([object()])


def test_spacing_is_that_of_the_json_module() -> None:
    assert ejson.dumps({"a": [1, None, True, 1.5, "ä"]}) == '{"a": [1, null, true, 1.5, "\\u00e4"]}'
