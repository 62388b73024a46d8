"""JSON-RPC 2.0 in TrueNAS's dialect, as functions from text to values and back.

Nothing here does input or output. Dates, sets and the like travel as one-key objects (``{"$date": ms}``);
values read from the database are already in that form, values that clients send are turned into Python's.
"""

import datetime as dt
import ipaddress
from collections.abc import Callable
from enum import IntEnum

import msgspec

from vmstead.errors import ApiError, ValidationErrors, errname
from vmstead.kernel.encode import encode


class Code(IntEnum):
    """The error codes of the protocol. Clients fail on any other."""

    INVALID_JSON = -32700
    INVALID_REQUEST = -32600
    METHOD_NOT_FOUND = -32601
    INVALID_PARAMS = -32602
    INTERNAL_ERROR = -32603
    TOO_MANY_CALLS = -32000
    CALL_ERROR = -32001


class Call(msgspec.Struct, frozen=True):
    """A request.

    Attributes:
        id: what the answer carries.
        has_id: a notification, which has none, is carried out and never answered.
        method: full name.
        params: positional parameters.
        is_immediate: it is carried out before the next frame is read; for what takes no time.
    """

    id: object
    has_id: bool
    method: str
    params: list[object]
    is_immediate: bool = False


class Rejected(Exception):
    """A frame that is not a request. ``frame`` is the answer, None where none may be given."""

    def __init__(self, frame: str | None) -> None:
        super().__init__(frame)
        self.frame = frame


_decoder = msgspec.json.Decoder()
#: What an id may be. (Writing it where it is needed would make a new union for every frame.)
_ID = (str, int, type(None))


def decode(text: str) -> Call:
    """Read one frame.

    Raises:
        Rejected: it is not JSON, or not a request.
    """
    try:
        message = loads(text)
    except ValueError as error:
        raise Rejected(encode_fault(None, Code.INVALID_JSON, str(error))) from None
    if type(message) is list:
        raise Rejected(encode_fault(None, Code.INVALID_JSON, "Batch messages are not supported at this time"))
    if type(message) is not dict:
        raise Rejected(encode_fault(None, Code.INVALID_JSON, "Invalid Message Format"))
    fault = _fault(message)
    if fault is not None:
        raise Rejected(_answer_to(message, fault))
    return Call(message.get("id"), "id" in message, message["method"], message.get("params", []))


def loads(text: str) -> object:
    """The value that a text of extended JSON stands for. Raises ValueError."""
    try:
        value = _decoder.decode(text)
        return _revive(value) if '"$' in text else value
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(str(error)) from None


def _answer_to(message: dict[str, object], fault: str) -> str | None:
    if "id" not in message:
        return None
    try:
        return encode_fault(message["id"], Code.INVALID_REQUEST, fault)
    except RecursionError:
        # Whatever was meant to be an id can be read to a greater depth than it can be written.
        return encode_fault(None, Code.INVALID_REQUEST, fault)


def _fault(message: dict[str, object]) -> str | None:
    """What keeps an object from being a request, in TrueNAS's words."""
    if "jsonrpc" not in message:
        return "Missing 'jsonrpc' member"
    if message["jsonrpc"] != "2.0":
        return "'jsonrpc' member must be of type string and must be exactly '2.0'"
    if not isinstance(message.get("id"), _ID):
        return "'id' member must be of type null, string or number"
    if "method" not in message:
        return "Missing 'method' member"
    if not isinstance(message["method"], str) or not message["method"]:
        return "'method' member must be of type string"
    if not isinstance(message.get("params", []), list):
        return "'params' member must be of type array"
    return None


def encode_result(id: object, result: object) -> str:
    """The answer to a call that succeeded."""
    return encode({"jsonrpc": "2.0", "result": result, "id": id})


def encode_fault(id: object, code: Code, message: str) -> str:
    """The answer to what is no proper call: code and message, nothing else."""
    return encode({"jsonrpc": "2.0", "error": {"code": int(code), "message": message}, "id": id})


def encode_error(id: object, error: ApiError) -> str:
    """The answer to a call that failed."""
    is_validation = isinstance(error, ValidationErrors)
    code, message = (
        (Code.INVALID_PARAMS, "Invalid params") if is_validation else (Code.CALL_ERROR, "Method call error")
    )
    return encode(
        {
            "jsonrpc": "2.0",
            "error": {"code": int(code), "message": message, "data": error_data(error)},
            "id": id,
        }
    )


def encode_unsubscribed(collection: str, error: ApiError | None) -> str:
    """The notification that an event source has ended, by an error or without."""
    params = {"collection": collection, "error": None if error is None else error_data(error)}
    return encode({"jsonrpc": "2.0", "method": "notify_unsubscribed", "params": params})


def error_data(error: ApiError) -> dict[str, object]:
    """The error object. Clients index all five members; a stack trace is never among what they get."""
    return {
        "error": error.errno,
        "errname": errname(error.errno),
        "reason": error.reason,
        "trace": None,
        "extra": error.extra,
    }


# --- extended JSON ------------------------------------------------------------------------------


def _date(value: object) -> dt.datetime:
    return dt.datetime.fromtimestamp(_number(value) / 1000, dt.UTC)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("a number is expected")
    return value


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("a string is expected")
    return value


_REVIVERS: dict[str, Callable[[object], object]] = {
    "$date": _date,
    "$time": lambda value: dt.time.fromisoformat(_string(value)),
    "$set": lambda value: {*value} if isinstance(value, list) else _string(None),
    "$ipv4_interface": lambda value: ipaddress.IPv4Interface(_string(value)),
    "$ipv6_interface": lambda value: ipaddress.IPv6Interface(_string(value)),
}


def _revive(value: object) -> object:
    """Replace every wrapper object, at any depth, by the value it stands for."""
    if isinstance(value, list):
        return [_revive(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        (key, wrapped) = next(iter(value.items()))
        reviver = _REVIVERS.get(key)
        if reviver is not None:
            return _revive_with(reviver, key, _revive(wrapped))
    if value.keys() == {"$type", "$value"} and value["$type"] == "date":
        return _revive_with(lambda text: dt.date.fromisoformat(_string(text)), "$value", value["$value"])
    return {key: _revive(item) for key, item in value.items()}


def wire(value: object) -> object:
    """What ``decode`` made of parameters, in the form in which they came."""
    if isinstance(value, list):
        return [wire(item) for item in value]
    if isinstance(value, dict):
        return {key: wire(item) for key, item in value.items()}
    if isinstance(value, dt.datetime):
        return {"$date": round(value.timestamp() * 1000)}
    if isinstance(value, dt.date):
        return {"$type": "date", "$value": value.isoformat()}
    if isinstance(value, dt.time):
        return {"$time": value.isoformat()}
    if isinstance(value, set):
        return {"$set": [wire(item) for item in value]}
    if isinstance(value, ipaddress.IPv4Interface):
        return {"$ipv4_interface": str(value)}
    if isinstance(value, ipaddress.IPv6Interface):
        return {"$ipv6_interface": str(value)}
    return value


def _revive_with(reviver: Callable[[object], object], key: str, wrapped: object) -> object:
    try:
        return reviver(wrapped)
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise ValueError(f"Error parsing {key}: {error}") from None
