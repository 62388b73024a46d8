"""A WebSocket client that costs next to nothing, so that what is measured is the server."""

import selectors
import socket
import struct
import time
from typing import Any, Self

import msgspec

#: Frames of text, and of a server that asks whether anybody is there.
_TEXT, _PING = 1, 9


def framed(text: bytes, kind: int = _TEXT) -> bytes:
    """A client's frame. Its mask is all zeros, which leaves the text as it is."""
    size = len(text)
    length = struct.pack("!B", 0x80 | size) if size < 126 else struct.pack("!BH", 0x80 | 126, size)
    return bytes([0x80 | kind]) + length + bytes(4) + text


class Wire:
    """A connection to a server on a unix socket."""

    def __init__(self, path: str, where: str = "/api/current") -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(120)
        self.socket.connect(path)
        self.socket.sendall(
            f"GET {where} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )
        self._read = b""
        while b"\r\n\r\n" not in self._read:
            self._more()
        head, _, self._read = self._read.partition(b"\r\n\r\n")
        assert b" 101 " in head, head

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def _more(self) -> None:
        part = self.socket.recv(1 << 20)
        if not part:
            raise ConnectionError
        self._read += part

    def _need(self, size: int) -> None:
        if len(self._read) >= size:
            return
        parts, have = [self._read], len(self._read)
        while have < size:
            part = self.socket.recv(1 << 20)
            if not part:
                raise ConnectionError
            parts.append(part)
            have += len(part)
        self._read = b"".join(parts)

    def frame(self) -> bytes:
        """The text of the next frame."""
        while True:
            self._need(2)
            kind, size, start = self._read[0] & 15, self._read[1], 2
            if size >= 126:
                start = 4 if size == 126 else 10
                self._need(start)
                size = int.from_bytes(self._read[2:start], "big")
            self._need(start + size)
            text, self._read = self._read[start : start + size], self._read[start + size :]
            if kind == _TEXT:
                return text
            assert kind == _PING, text
            self.socket.sendall(framed(text, 10))

    def exchange(self, frame: bytes) -> bytes:
        """Send a frame, and read the next one."""
        self.socket.sendall(frame)
        return self.frame()

    def call(self, method: str, *params: object) -> Any:
        """The result of a call, past events that come before it."""
        self.socket.sendall(request(method, *params))
        while True:
            answer = msgspec.json.decode(self.frame())
            if "id" in answer:
                assert "error" not in answer, answer
                return answer["result"]


def request(method: str, *params: object) -> bytes:
    """The frame of a call."""
    return framed(msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))


def rate(wires: list[Wire], frame: bytes, duration: float) -> float:
    """Exchanges per second when every connection sends again as soon as it has its answer."""
    count = 0
    with selectors.DefaultSelector() as selector:
        for wire in wires:
            selector.register(wire.socket, selectors.EVENT_READ, wire)
            wire.socket.sendall(frame)
        begin = time.perf_counter()
        while time.perf_counter() - begin < duration:
            for key, _ in selector.select():
                key.data.frame()
                count += 1
                key.data.socket.sendall(frame)
        elapsed = time.perf_counter() - begin
        for wire in wires:
            wire.frame()
    return count / elapsed
