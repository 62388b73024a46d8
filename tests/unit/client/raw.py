"""A WebSocket server made of bytes, for what a well-behaved library does not send."""

import base64
import hashlib
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Self

TEXT, BINARY, CLOSE, PING, PONG, CONTINUATION = 1, 2, 8, 9, 10, 0

_MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True) -> bytes:
    """One unmasked frame, as servers send them."""
    head = bytes([(0x80 if fin else 0) | opcode])
    if len(payload) < 126:
        return head + bytes([len(payload)]) + payload
    return head + b"\x7e" + struct.pack("!H", len(payload)) + payload


class RawServer:
    """Takes one connection on a unix socket and hands it, upgraded, to a function that runs in a thread.

    Args:
        path: of the socket.
        script: gets the connection; it is closed when the script returns.
        answer: what to send instead of the upgrade.
    """

    def __init__(
        self, path: Path, script: Callable[[socket.socket], object], answer: bytes | None = None
    ) -> None:
        self.uri = f"ws+unix://{path}"
        self._script = script
        self._answer = answer
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(30)
        self._listener.close()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            connection.settimeout(30)
            request = b""
            while not request.endswith(b"\r\n\r\n"):
                request += connection.recv(4096)
            if self._answer is not None:
                connection.sendall(self._answer)
                return
            lines = request.split(b"\r\n")
            key = next(
                line.split(b": ")[1] for line in lines if line.lower().startswith(b"sec-websocket-key")
            )
            accept = base64.b64encode(hashlib.sha1(key + _MAGIC).digest())
            connection.sendall(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
            )
            self._script(connection)


def read_frame(connection: socket.socket) -> tuple[int, bytes]:
    """The next frame of a client: opcode and unmasked payload."""
    head = _exactly(connection, 2)
    length = head[1] & 0x7F
    if length == 126:
        length = struct.unpack("!H", _exactly(connection, 2))[0]
    mask = _exactly(connection, 4)
    masked = _exactly(connection, length)
    return head[0] & 0x0F, bytes(byte ^ mask[i % 4] for i, byte in enumerate(masked))


def _exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return data
