"""Points in time, in the forms in which rows and filters hold them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(value: object) -> object:
    """Make an aware datetime of a datetime (UTC if it is naive) or of milliseconds since the epoch.

    Anything else, and a number beyond the years a datetime can hold, comes back as it is.
    """
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.utcoffset() is None else value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return _EPOCH + timedelta(milliseconds=value)
        except (OverflowError, ValueError):  # ValueError: not a number
            return value
    return value


def unwrap(value: object) -> object:
    """Make an aware datetime of a datetime or of the wire object ``{"$date": ms}``; leave the rest alone."""
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, (dict, Mapping)) and len(value) == 1 and "$date" in value:
        return moment(value["$date"])
    return value


def parse_moment(value: object) -> datetime:
    """Read the value of a filter on a ``.$date`` field; a time without a zone is UTC.

    Raises:
        ValueError: it is neither an ISO-8601 text nor a datetime nor its wire object.
    """
    found = moment(datetime.fromisoformat(value)) if isinstance(value, str) else unwrap(value)
    if not isinstance(found, datetime):
        raise ValueError("not a point in time")  # noqa: TRY004 - one error for every unusable value
    return found
