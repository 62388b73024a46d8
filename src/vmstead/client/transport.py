"""One open WebSocket, as the rest of the client sees it: the only module that knows the library behind it.

The library (`websocket-client`) has no type hints and its own errors; both end here. It is imported by the
first connection and not with this module, because it and the TLS code take longer to load than most calls to
run.
"""

import socket
from contextlib import suppress
from time import monotonic
from typing import Any

from vmstead.client.endpoint import Endpoint
from vmstead.client.errors import CertificateError, ConnectError, ConnectionLostError

#: Seconds in which the other side must have taken what is sent; after that the connection is given up.
_SEND_TIMEOUT = 30.0
#: The library takes a timeout of 0 as "never block" and then loses its place within a frame.
_SHORTEST = 0.001
#: Seconds to wait for the other side's part of the closing handshake.
_CLOSE_TIMEOUT = 1.0


class Connection:
    """An open WebSocket to a server.

    Frames go out whole and come in whole. After ConnectionLostError every further use raises it again.
    """

    def __init__(self, endpoint: Endpoint, *, timeout: float, verify_tls: bool = True) -> None:
        """Connect, with TLS for `wss`, and upgrade.

        Args:
            endpoint: where to.
            timeout: seconds for each step (name lookup excepted, which the system limits).
            verify_tls: False accepts any certificate.

        Raises:
            CertificateError: the certificate is not trusted.
            ConnectError: anything else that keeps the connection from being made.
        """
        import ssl

        import websocket

        self._lib: Any = websocket
        # ValueError: text that is not UTF-8, or an address that the system does not take.
        self._failures: tuple[type[Exception], ...] = (websocket.WebSocketException, OSError, ValueError)
        self._parts: list[bytes] = []
        self._opcode = 0
        self._lost: ConnectionLostError | None = None
        tls = {} if verify_tls else {"cert_reqs": ssl.CERT_NONE, "check_hostname": False}
        self._ws: Any = self._lib.WebSocket(sslopt=tls, enable_multithread=False, skip_utf8_validation=True)
        self._ws.settimeout(timeout)
        where = endpoint.server
        try:
            unix = None if endpoint.socket is None else _unix_socket(endpoint.socket, timeout)
            # No Origin header: it is what browsers are told apart by.
            self._ws.connect(endpoint.url, socket=unix, suppress_origin=True)
        except ssl.SSLCertVerificationError as error:
            raise CertificateError(
                f"The certificate of {where} is not trusted: {error.verify_message}"
            ) from error
        except websocket.WebSocketBadStatusException as error:
            status = error.status_code
            raise ConnectError(
                f"{where} did not accept a WebSocket connection (HTTP status {status})"
            ) from error
        except self._failures as error:
            text = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise ConnectError(f"Cannot connect to {where}: {text}", getattr(error, "errno", None)) from error

    def send_text(self, text: str) -> None:
        """Send one text frame.

        Raises:
            ConnectionLostError: also when the other side takes nothing for half a minute.
        """
        self._send(text.encode(), self._lib.ABNF.OPCODE_TEXT)

    def send_bytes(self, data: bytes) -> None:
        """Send one binary frame; errors as for `send_text`."""
        self._send(data, self._lib.ABNF.OPCODE_BINARY)

    def ping(self) -> None:
        """Send a ping, which keeps proxies from taking a quiet connection for a dead one; errors as above."""
        self._send(b"", self._lib.ABNF.OPCODE_PING)

    def receive(self, timeout: float | None) -> str | bytes | None:
        """The next text (str) or binary (bytes) message.

        A timeout loses nothing: the next call goes on within a frame that had arrived in part. Pings of the
        other side are answered on the way.

        Args:
            timeout: seconds to wait for a message, None for ever; 0 takes what has arrived already.

        Returns:
            The message, or None when there was none in time.

        Raises:
            ConnectionLostError: the connection ended; `code` is set when the server closed it in due form.
        """
        deadline = None if timeout is None else monotonic() + timeout
        while True:
            if self._lost is not None:
                raise ConnectionLostError(self._lost.error, self._lost.code)
            left = None if deadline is None else max(deadline - monotonic(), _SHORTEST)
            try:
                self._ws.settimeout(left)
                frame = self._ws.recv_frame()
            except self._lib.WebSocketTimeoutException:
                return None
            except self._failures as error:
                self._lose(f"The connection to the server was lost: {error}")
                continue
            try:
                message = self._take(frame)
            except self._failures as error:
                self._lose(f"The connection to the server was lost: {error}")
                continue
            if message is not None:
                return message

    def pending(self) -> bool:
        """Whether data has been taken off the socket already, so that `fileno` may stay quiet about it.

        Only TLS does that: it hands out what a whole record held.
        """
        sock = self._ws.sock
        return sock is not None and hasattr(sock, "pending") and sock.pending() > 0

    def fileno(self) -> int:
        """The socket, for `select`; -1 once the connection is closed."""
        return -1 if self._ws.sock is None else int(self._ws.sock.fileno())

    def close(self) -> None:
        """Close in due form, waiting a moment for the answer. Never fails; a second call does nothing."""
        if self._lost is None:
            self._lost = ConnectionLostError("The connection is closed")
        self._ws.close(timeout=_CLOSE_TIMEOUT)
        self._ws.shutdown()

    def _send(self, payload: bytes, opcode: int) -> None:
        if self._lost is not None:
            raise ConnectionLostError(self._lost.error, self._lost.code)
        try:
            self._ws.settimeout(_SEND_TIMEOUT)
            self._ws.send_frame(self._lib.ABNF.create_frame(payload, opcode))
        except self._failures as error:
            # A server that refuses something says why in its close frame, which may be waiting to be read.
            while self.receive(_SHORTEST) is not None:
                pass
            self._lose(f"The connection to the server was lost: {error}")
            raise ConnectionLostError(f"The connection to the server was lost: {error}") from error

    def _take(self, frame: Any) -> str | bytes | None:  # noqa: ANN401 - the library's untyped frame
        """Digest one frame; the message, when it completes one."""
        abnf = self._lib.ABNF
        if frame.opcode == abnf.OPCODE_PING:
            self._ws.settimeout(_SEND_TIMEOUT)
            self._ws.pong(frame.data)
        elif frame.opcode == abnf.OPCODE_CLOSE:
            self._closed_by_server(bytes(frame.data))
        elif frame.opcode != abnf.OPCODE_PONG:
            if frame.opcode != abnf.OPCODE_CONT:
                self._opcode = frame.opcode
                self._parts.clear()
            self._parts.append(bytes(frame.data))
            if frame.fin:
                data = b"".join(self._parts)
                self._parts.clear()
                return data.decode() if self._opcode == abnf.OPCODE_TEXT else data
        return None

    def _closed_by_server(self, payload: bytes) -> None:
        # 1005 is the code that stands for "closed without a code".
        code = int.from_bytes(payload[:2], "big") if len(payload) >= 2 else 1005
        reason = payload[2:].decode(errors="replace")
        self._lose(f"The server closed the connection ({code}{': ' + reason if reason else ''})", code)
        # Its end of the socket may be gone already; then there is nobody left to answer.
        with suppress(*self._failures):
            self._ws.send_close()

    def _lose(self, text: str, code: int | None = None) -> None:
        if self._lost is None:
            self._lost = ConnectionLostError(text, code)


def _unix_socket(path: str, timeout: float) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(timeout)
        sock.connect(path)
    except BaseException:
        sock.close()
        raise
    return sock
