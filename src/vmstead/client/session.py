"""Requests and answers on one connection: who asked what, and which answer is whose.

There is one reader, without a thread: whoever waits reads frames and hands each to its owner, until its own
has come. So answers may arrive in any order, and events between them.
"""

import os
from collections.abc import Callable, Iterable
from math import inf
from time import monotonic

from vmstead.client import ejson
from vmstead.client.ejson import Json
from vmstead.client.errors import CallTimeout, ClientError, ConnectionLostError, error_from_answer
from vmstead.client.transport import Connection

#: Seconds of silence after which a waiting client sends a ping. Web proxies cut connections after 60.
_KEEPALIVE = 25.0
#: Seconds beyond a deadline for handling what had arrived before it.
_OVERTIME = 1.0


class Call:
    """One request and what became of it.

    Attributes:
        id: identifies the answer; unlike that of any other client, because job events name it to everybody.
        done: whether it has an outcome, which is one of the following three.
        result: the server's result.
        error: the server's error, or the loss of the connection.
        job: the job that the request started, as a job event described it.
    """

    __slots__ = ("done", "error", "id", "job", "result")

    def __init__(self, call_id: str) -> None:
        self.id = call_id
        self.done = False
        self.result: Json = None
        self.error: ClientError | None = None
        self.job: dict[str, Json] | None = None


class Session:
    """The requests of one connection.

    Args:
        connection: an open one; the session closes it.
        on_notification: given the method and params of every notification.
        on_late_answer: given the call id, result and error of an answer to a call that is no longer waited
            for.
        keepalive: seconds of silence after which a waiting session sends a ping.
    """

    def __init__(
        self,
        connection: Connection,
        on_notification: Callable[[str, dict[str, Json]], None],
        on_late_answer: Callable[[str, Json, ClientError | None], None],
        *,
        keepalive: float = _KEEPALIVE,
    ) -> None:
        self._connection = connection
        self._keepalive = keepalive
        self._on_notification = on_notification
        self._on_late_answer = on_late_answer
        self._calls: dict[str, Call] = {}
        self._prefix = os.urandom(12).hex()
        self._number = 0
        self._quiet_since = monotonic()

    def start(self, method: str, params: Iterable[Json]) -> Call:
        """Send a request; `finish` waits for its outcome.

        Raises:
            ConnectionLostError: it could not be sent.
            TypeError: a parameter has no JSON form; nothing was sent.
        """
        self._number += 1
        call = Call(f"{self._prefix}-{self._number}")
        request = {"jsonrpc": "2.0", "method": method, "id": call.id, "params": list(params)}
        text = ejson.dumps(request)
        self._calls[call.id] = call
        self._quiet_since = monotonic()
        try:
            self._connection.send_text(text)
        except ConnectionLostError as lost:
            self._fail_all(lost)
            raise
        return call

    def finish(self, call: Call, timeout: float) -> None:
        """Wait until the call has a result or has started a job.

        Raises:
            CallTimeout: neither came in time; an answer that comes later is ignored.
            ClientError: the server's error.
            ConnectionLostError: the connection ended first.
        """
        try:
            if not self.wait_until(lambda: call.done, timeout):
                raise CallTimeout
        finally:
            self._calls.pop(call.id, None)
        if call.error is not None:
            raise call.error

    def waiting(self, call_id: str) -> Call | None:
        """The call of that id, while it waits for its outcome."""
        call = self._calls.get(call_id)
        return None if call is None or call.done else call

    def wait_until(self, reached: Callable[[], object], timeout: float) -> bool:
        """Read frames until something is reached; whether it was, in time.

        Args:
            reached: asked before the first frame and after every one.
            timeout: seconds; infinity waits for ever, 0 takes what has arrived already.

        Raises:
            ConnectionLostError: the connection ended, and it was not reached.
        """
        deadline = monotonic() + timeout
        drained = False
        while not reached():
            left = deadline - monotonic()
            # What had arrived by the deadline still counts, unless frames come in faster than they are
            # handled.
            if left < -_OVERTIME or (left <= 0 and drained):
                return False
            drained = not self._read_frame(max(left, 0))
        return True

    def fileno(self) -> int:
        """The socket, for `select`; -1 once it is closed."""
        return self._connection.fileno()

    def close(self) -> None:
        """Close the connection. Calls that still wait fail."""
        self._connection.close()
        self._fail_all(ConnectionLostError("The connection is closed"))

    def _read_frame(self, timeout: float) -> bool:
        """Handle one frame; False when none came in time. Keeps a quiet connection alive."""
        until_ping = max(self._quiet_since + self._keepalive - monotonic(), 0)
        try:
            text = self._connection.receive(min(timeout, until_ping))
            if text is None and timeout >= until_ping:
                self._connection.ping()
                self._quiet_since = monotonic()
                return True
        except ConnectionLostError as lost:
            self._fail_all(lost)
            raise
        if text is None:
            return False
        self._quiet_since = monotonic()
        try:
            message = ejson.loads(text if isinstance(text, str) else text.decode())
        except ValueError as error:
            # The frame may have been the answer that somebody waits for, so going on as if nothing happened
            # could mean to wait for ever.
            broken = ConnectionLostError(f"The server sent something that is not extended JSON: {error}")
            self._connection.close()
            self._fail_all(broken)
            raise broken from error
        if isinstance(message, dict):
            self._handle(message)
        return True

    def _handle(self, message: dict[str, Json]) -> None:
        if "method" in message:
            params = message.get("params")
            if isinstance(params, dict):
                self._on_notification(str(message["method"]), params)
            return
        call_id = message.get("id")
        error = error_from_answer(message["error"]) if "error" in message else None
        if call_id is None:
            # An error without an id concerns the connection as a whole.
            if error is not None:
                self._fail_all(error)
            return
        call = self.waiting(str(call_id))
        if call is None:
            self._on_late_answer(str(call_id), message.get("result"), error)
            return
        call.result = message.get("result")
        call.error = error
        call.done = True

    def _fail_all(self, error: ClientError) -> None:
        for call in self._calls.values():
            if not call.done:
                call.error = error
                call.done = True


def seconds(timeout: float | None, default: float | None) -> float:
    """A timeout as number: the given one, else the default, else infinity."""
    if timeout is not None:
        return timeout
    return inf if default is None else default
