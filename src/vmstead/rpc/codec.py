"""What a connection speaks: how calls are read and answers are written, and nothing else of it.

A codec belongs to one connection. It does no input or output, knows no method, and decides nothing: the same
session and the same dispatch serve every protocol.
"""

from collections.abc import Collection
from typing import Protocol

from vmstead.errors import ApiError
from vmstead.kernel.bus import Event
from vmstead.rpc import protocol
from vmstead.rpc.protocol import Call, Code


class Broken(Exception):
    """A frame after which the connection cannot go on.

    Attributes:
        code: the WebSocket close code.
        reason: what is wrong, for the close frame.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Codec(Protocol):
    """The protocol of a connection."""

    @property
    def knows_jobs_by_number(self) -> bool:
        """Whether calls of job methods are answered with a number whatever is set, and jobs name no calls."""

    def decode(self, text: str) -> Call:
        """Read one frame.

        Raises:
            Rejected: no call comes of it, at most an answer.
            Broken: the connection is to be closed.
        """

    def result(self, call: Call, result: object) -> str | None:
        """The answer to a call that succeeded; None where there is none."""

    def error(self, call: Call, error: ApiError) -> str | None:
        """The answer to a call that failed."""

    def unknown_method(self, call: Call, known: Collection[str]) -> str | None:
        """The answer to a call of a method that is not among the ``known``."""

    def too_many_calls(self, call: Call, message: str) -> str | None:
        """The answer to a call beyond what a connection may have under way."""

    def event(self, event: Event) -> str:
        """An event of a collection that the client has subscribed to."""

    def unsubscribed(self, collection: str, error: ApiError | None) -> str:
        """The end of an event source, by an error or without."""


class JsonRpc:
    """JSON-RPC 2.0, as ``/api/...`` speaks it."""

    knows_jobs_by_number = False

    def decode(self, text: str) -> Call:
        return protocol.decode(text)

    def result(self, call: Call, result: object) -> str | None:
        return protocol.encode_result(call.id, result) if call.has_id else None

    def error(self, call: Call, error: ApiError) -> str | None:
        return protocol.encode_error(call.id, error) if call.has_id else None

    def unknown_method(self, call: Call, known: Collection[str]) -> str | None:
        return self._fault(call, Code.METHOD_NOT_FOUND, "Method does not exist")

    def too_many_calls(self, call: Call, message: str) -> str | None:
        return self._fault(call, Code.TOO_MANY_CALLS, message)

    def event(self, event: Event) -> str:
        return event.frame

    def unsubscribed(self, collection: str, error: ApiError | None) -> str:
        return protocol.encode_unsubscribed(collection, error)

    @staticmethod
    def _fault(call: Call, code: Code, message: str) -> str | None:
        return protocol.encode_fault(call.id, code, message) if call.has_id else None
