"""JSON as TrueNAS extends it: dates, times, sets and interface addresses travel as small marked objects.

| Python | JSON |
| --- | --- |
| datetime | `{"$date": milliseconds since 1970, UTC}`; decoded as an aware datetime in UTC |
| date | `{"$type": "date", "$value": "2025-10-01"}` |
| time | `{"$time": "12:30:00"}` |
| set, frozenset | `{"$set": [...]}` |
| IPv4Interface, IPv6Interface | `{"$ipv4_interface": "10.0.0.1/24"}`, `{"$ipv6_interface": "fe80::1/64"}` |

What these are made of is imported by the first of them: most answers have none, and commands are to start fast.
"""

import json
from collections.abc import Callable
from typing import Any, TypeAlias

#: A decoded value. It is Any on purpose: the method called decides its shape, which no checker can know, and
#: callers should be able to write `client.call("vm.query")[0]["name"]`.
Json: TypeAlias = Any


def dumps(value: Json) -> str:
    """One line of extended JSON, spaced as the json module does it (`", "` and `": "`).

    Raises:
        TypeError: the value holds something that has no JSON form.
    """
    return json.dumps(value, default=_encode)


def loads(text: str) -> Json:
    """The value of one extended JSON text.

    A marked object anywhere in the text is decoded. A set of things that Python cannot put into a set
    (objects, lists) becomes a list, because the rest of the text should not be lost for it.

    Raises:
        ValueError: the text is not JSON, or a marked object is malformed.
    """
    try:
        return json.loads(text, object_hook=_decode)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _encode(value: object) -> Json:
    from datetime import UTC, date, datetime, time, timedelta
    from ipaddress import IPv4Interface, IPv6Interface

    # A datetime is a date too, so its branch comes first.
    if isinstance(value, datetime):
        aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        return {"$date": (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)}
    if isinstance(value, date):
        return {"$type": "date", "$value": value.isoformat()}
    if isinstance(value, time):
        return {"$time": str(value)}
    if isinstance(value, (set, frozenset)):
        return {"$set": _in_order(value)}
    if isinstance(value, IPv4Interface):
        return {"$ipv4_interface": str(value)}
    if isinstance(value, IPv6Interface):
        return {"$ipv6_interface": str(value)}
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _in_order(values: set[Json] | frozenset[Json]) -> list[Json]:
    # The same output for the same set, wherever the elements can be compared.
    try:
        return sorted(values)
    except TypeError:
        return list(values)


def _date_from_milliseconds(value: Json) -> object:
    from datetime import UTC, datetime, timedelta

    if isinstance(value, bool):
        raise TypeError("a number is needed")
    return datetime(1970, 1, 1, tzinfo=UTC) + value * timedelta(milliseconds=1)


def _date(value: Json) -> object:
    from datetime import date

    return date.fromisoformat(value)


def _time(value: Json) -> object:
    from datetime import time

    return time.fromisoformat(value)


def _set_from_list(value: Json) -> Json:
    if not isinstance(value, list):
        raise TypeError("a list is needed")
    try:
        return set(value)
    except TypeError:
        return value


def _ipv4_interface(value: Json) -> object:
    from ipaddress import IPv4Interface

    return IPv4Interface(value)


def _ipv6_interface(value: Json) -> object:
    from ipaddress import IPv6Interface

    return IPv6Interface(value)


_DECODERS: dict[str, Callable[[Json], Json]] = {
    "$date": _date_from_milliseconds,
    "$time": _time,
    "$set": _set_from_list,
    "$ipv4_interface": _ipv4_interface,
    "$ipv6_interface": _ipv6_interface,
}


def _decode(value: dict[str, Json]) -> Json:
    # Called for every object of every answer, nearly all of which are ordinary: leave early.
    if len(value) > 2:
        return value
    if len(value) == 2:
        if value.get("$type") == "date" and "$value" in value:
            return _converted(_date, "$type", value["$value"])
        return value
    for key, inner in value.items():
        decoder = _DECODERS.get(key)
        if decoder is not None:
            return _converted(decoder, key, inner)
    return value


def _converted(decoder: Callable[[Json], Json], key: str, inner: Json) -> Json:
    try:
        return decoder(inner)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"Error parsing {key}: {error}") from error
