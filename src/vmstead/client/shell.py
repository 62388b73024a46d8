"""The serial console of a virtual machine, over the server's terminal endpoint."""

import json
from math import inf
from time import monotonic
from types import TracebackType
from typing import Self

from vmstead.client.ejson import Json
from vmstead.client.endpoint import resolve
from vmstead.client.errors import CallTimeout, ClientError, ConnectError, ConnectionLostError
from vmstead.client.transport import Connection


class ShellConnection:
    """An open serial console: bytes in, bytes out.

    Use it in a `with` statement, or call `close`. To wait for it together with other things, `select` on
    `fileno`, but only when `pending` is false.

    Attributes:
        id: the server's id of the terminal, for `core.resize_shell`.
    """

    def __init__(
        self, uri: str | None, token: str, vm_id: int, *, timeout: float = 30.0, verify_tls: bool = True
    ) -> None:
        """Connect to the console.

        Args:
            uri: address of the server, as for `Client`; a path in it does not matter.
            token: from `auth.generate_token`, called from this machine. It must be valid now, not afterwards.
            vm_id: which virtual machine; it must be running.
            timeout: seconds until the console must be open.
            verify_tls: False accepts any certificate.

        Raises:
            ConnectError: no server there, or it gave no console: its text is the server's reason, if there is
                one.
            CallTimeout: no console in time.
        """
        self.id = ""
        self._early: list[bytes] = []
        self._ended = False
        self._connection = Connection(resolve(uri).shell(), timeout=timeout, verify_tls=verify_tls)
        try:
            self._connection.send_text(json.dumps({"token": token, "options": {"vm_id": vm_id}}))
            self._await_connected(timeout)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def read(self, timeout: float | None = None) -> bytes | None:
        """The next piece of output.

        Args:
            timeout: seconds to wait; None for ever, 0 takes what has arrived already.

        Returns:
            Bytes; none of them (`b""`) when the console was closed in due form; None when nothing came in
            time.

        Raises:
            ConnectionLostError: the connection broke.
        """
        if self._early:
            return self._early.pop(0)
        deadline = monotonic() + (inf if timeout is None else timeout)
        while not self._ended:
            left = deadline - monotonic()
            try:
                data = self._connection.receive(None if left == inf else max(left, 0))
            except ConnectionLostError as lost:
                if lost.code is None:
                    raise
                self._ended = True
                break
            # Output comes in binary frames; text frames are for messages about the console.
            if data is None or (isinstance(data, bytes) and data):
                return data
        return b""

    def write(self, data: bytes) -> None:
        """Send input to the console.

        Raises:
            ConnectionLostError: it is closed or has broken.
        """
        self._connection.send_bytes(data)

    def ping(self) -> None:
        """Send a ping, so that proxies do not take a quiet console for a dead one; errors as for `write`."""
        self._connection.ping()

    def pending(self) -> bool:
        """Whether `read` has something although `fileno` may not be readable."""
        return bool(self._early) or self._connection.pending()

    def fileno(self) -> int:
        """The socket, for `select`; -1 once the connection is closed."""
        return self._connection.fileno()

    def close(self) -> None:
        """Close the console. Never fails; a second call does nothing."""
        self._connection.close()

    def _await_connected(self, timeout: float) -> None:
        deadline = monotonic() + timeout
        while True:
            try:
                message = self._connection.receive(max(deadline - monotonic(), 0))
            except ConnectionLostError as lost:
                raise ConnectError(f"The server gave no console: {lost.error}", lost.errno) from None
            if message is None:
                raise CallTimeout("The server did not open the console in time")
            if isinstance(message, bytes):
                # The machine may speak before the server has said that the console is open.
                self._early.append(message)
                continue
            match _parsed(message):
                case {"msg": "connected", **rest}:
                    self.id = str(rest.get("id", ""))
                    return
                case {"msg": "failed", **rest}:
                    raise _refusal(rest.get("error"))
                case _:
                    pass


def _parsed(text: str) -> Json:
    try:
        return json.loads(text)
    except ValueError:
        return None


def _refusal(error: Json) -> ClientError:
    fields = error if isinstance(error, dict) else {}
    number = fields.get("error")
    reason = str(fields.get("reason") or "it did not say why")
    return ConnectError(f"The server gave no console: {reason}", number if isinstance(number, int) else None)
