"""The protocol of ``/websocket``, which is older than JSON-RPC: objects with a ``msg`` that says what they are.

========================================================  ==============================================
client                                                    server
========================================================  ==============================================
``{"msg": "connect", "version": "1", "support": ["1"]}``  ``connected`` with the session's id, ``failed``
``{"msg": "method", "id": …, "method": …, "params": …}``  ``result`` with ``result`` or ``error``
``{"msg": "sub", "id": …, "name": "vm.query"}``           ``ready``, or ``result`` with ``error``
``{"msg": "unsub", "id": …}``                             nothing
``{"msg": "ping", "id": …}``                              ``pong``
                                                          ``added``, ``changed``, ``removed``, ``nosub``
========================================================  ==============================================
"""

import errno as errnos
from collections.abc import Collection

from vmstead.errors import ENOMETHOD, ApiError, CallError, NotFound, ValidationErrors, errname
from vmstead.kernel.bus import Event
from vmstead.kernel.encode import encode
from vmstead.rpc import protocol
from vmstead.rpc.codec import Broken
from vmstead.rpc.protocol import Call, Rejected

_VERSION = "1"
_INVALID_TEXT, _INTERNAL_ERROR = 1007, 1011


class _Subscription(Call, frozen=True):
    """A ``sub``: a call of ``core.subscribe`` that is answered in another form."""


class Legacy:
    """One connection's end of it. ``session`` is the id that the client is told."""

    knows_jobs_by_number = True

    def __init__(self, session: str) -> None:
        self._session = session
        self._is_connected = False
        #: The client's id of a subscription -> ours.
        self._subscriptions: dict[object, object] = {}

    def decode(self, text: str) -> Call:
        message = _message(text)
        kind = message["msg"]
        if kind == "connect":
            raise Rejected(self._connect(message))
        if not self._is_connected:
            raise Rejected(_failed())
        if kind == "method":
            return _method(message)
        if kind == "sub":
            name, id = _member(message, "name"), _member(message, "id")
            return _Subscription(id, has_id=True, method="core.subscribe", params=[name], is_immediate=True)
        if kind == "unsub":
            return self._unsubscription(message)
        if kind == "ping":
            raise Rejected(_encode({"msg": "pong", **({"id": message["id"]} if "id" in message else {})}))
        raise Rejected(None)  # whatever it is, a server of this protocol has never answered it

    def result(self, call: Call, result: object) -> str | None:
        if not call.has_id:
            return None
        if isinstance(call, _Subscription):
            self._subscriptions[call.id] = result
            return _encode({"msg": "ready", "subs": [call.id]})
        return _encode({"id": call.id, "msg": "result", "result": result})

    def error(self, call: Call, error: ApiError) -> str | None:
        if not call.has_id:
            return None
        if isinstance(call, _Subscription) and not isinstance(error, ValidationErrors):
            # Unlike those of calls, the text has no name of the error in front.
            return _error(call.id, errnos.EACCES, "Not authorized")
        return _encode({"msg": "result", "id": call.id, "error": error_data(error)})

    def unknown_method(self, call: Call, known: Collection[str]) -> str | None:
        service, _, method = call.method.rpartition(".")
        if not service:
            return self.error(call, CallError("Invalid method name", errnos.EBADMSG))
        if not any(name.startswith(f"{service}.") for name in known):
            return self.error(call, CallError(f"Service {service!r} not found", ENOMETHOD))
        return self.error(call, CallError(f"Method {method!r} not found in {service!r}", ENOMETHOD))

    def too_many_calls(self, call: Call, message: str) -> str | None:
        return _error(call.id, errnos.ETOOMANYREFS, f"{message}.") if call.has_id else None

    def event(self, event: Event) -> str:
        return event.once("legacy", lambda event: _encode(event.members))

    def unsubscribed(self, collection: str, error: ApiError | None) -> str:
        failed = {} if error is None else {"error": error_data(error)}
        return _encode({"msg": "nosub", "collection": collection, **failed})

    def _connect(self, message: dict[str, object]) -> str:
        if message.get("version") != _VERSION:
            return _failed()
        self._is_connected = True
        return _encode({"msg": "connected", "session": self._session})

    def _unsubscription(self, message: dict[str, object]) -> Call:
        ours = self._subscriptions.pop(_member(message, "id"), None)
        if ours is None:
            raise Rejected(None)
        return Call(None, has_id=False, method="core.unsubscribe", params=[ours], is_immediate=True)


def error_data(error: ApiError) -> dict[str, object]:
    """The error object: that of JSON-RPC with a ``type``, and other numbers for what is wrong with parameters."""
    number = error.errno
    if isinstance(error, NotFound):
        number = error.problems[0].errno
    elif isinstance(error, ValidationErrors):
        number = errnos.EAGAIN
    kind = "VALIDATION" if isinstance(error, ValidationErrors) else None
    return {**protocol.error_data(error), "error": number, "errname": errname(number), "type": kind}


def _message(text: str) -> dict[str, object]:
    try:
        message = protocol.loads(text)
    except ValueError as error:
        raise Broken(_INVALID_TEXT, str(error)) from None
    if not isinstance(message, dict):
        raise Broken(_INVALID_TEXT, "Invalid Message Format")
    _member(message, "msg")
    return message


def _member(message: dict[str, object], name: str) -> object:
    """A member that there must be: a text or a number, so that it can be compared with others."""
    value = message.get(name)
    if not isinstance(value, str | int):
        raise Broken(_INTERNAL_ERROR, f"Message is malformed: {name!r} is absent or no text.")
    return value


def _method(message: dict[str, object]) -> Call:
    id = _member(message, "id")
    method, params = message.get("method"), message.get("params") or []
    if not isinstance(method, str):
        raise Rejected(_error(id, errnos.EINVAL, "Message is malformed: 'method' is absent."))
    if not isinstance(params, list):
        raise Rejected(_error(id, errnos.EINVAL, "`params` must be a list."))
    return Call(id, has_id=True, method=method, params=params)


def _failed() -> str:
    return _encode({"msg": "failed", "version": _VERSION})


def _error(id: object, number: int, reason: str) -> str:
    members = {"type": None, "reason": reason, "trace": None, "extra": None}
    error = {"error": number, "errname": errname(number), **members}
    return _encode({"msg": "result", "id": id, "error": error})


def _encode(message: dict[str, object]) -> str:
    return encode(message)
