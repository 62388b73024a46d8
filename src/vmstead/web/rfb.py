"""VNC's protocol as far as a viewer who may only look is concerned. Pure: bytes in, bytes out.

See https://www.rfc-editor.org/rfc/rfc6143 and https://github.com/rfbproto/rfbproto for the later messages.
"""

VERSION = b"RFB 003.008\n"
_NO_AUTHENTICATION = 1

_SET_ENCODINGS, _KEY, _POINTER, _CUT_TEXT = 2, 4, 5, 6
_FENCE, _SET_DESKTOP_SIZE, _QEMU = 248, 251, 255
#: Length of the messages that always have the same.
_FIXED = {0: 20, 3: 10, _KEY: 8, 150: 10}
#: How much of a message tells its length.
_NEEDED = {_SET_ENCODINGS: 4, _POINTER: 2, _CUT_TEXT: 8, _FENCE: 9, _SET_DESKTOP_SIZE: 8, _QEMU: 4}
#: What looking takes: the pixels' format, the encodings, requests for updates, and their flow control.
_PASSES = frozenset({0, _SET_ENCODINGS, 3, 150, _FENCE})


class RfbError(Exception):
    """What was said cannot be understood, so nothing more can be let through."""


class LookFilter:
    """Lets through what a viewer who may only look may say."""

    def __init__(self) -> None:
        self._pending = bytearray()
        #: What comes before the first message: the version, the way of logging in, and whether others may stay.
        self._greeting: list[bytes | None] = [VERSION, bytes([_NO_AUTHENTICATION]), None]

    def feed(self, data: bytes) -> bytes:
        """What of the client's bytes goes on to the display. Raises RfbError."""
        self._pending += data
        passed = bytearray()
        while self._greeting:
            expected = self._greeting[0]
            size = len(expected or b"?")
            if len(self._pending) < size:
                return bytes(passed)
            said = self._take(size)
            if expected is not None and said != expected:
                raise RfbError("version 3.8 of the protocol without authentication is expected")
            passed += said if expected is not None else b"\x01"  # others may always stay
            del self._greeting[0]
        while self._pending and (size := self._size()) <= len(self._pending):
            message = self._take(size)
            passed += message if message[0] in _PASSES else b""
        return bytes(passed)

    def _take(self, size: int) -> bytes:
        taken = bytes(self._pending[:size])
        del self._pending[:size]
        return taken

    def _size(self) -> int:
        """Length of the first message; more than is there while that cannot be told yet."""
        start = bytes(self._pending[:9])
        kind = start[0]
        if kind in _FIXED:
            return _FIXED[kind]
        if kind not in _NEEDED:
            raise RfbError(f"message {kind} is not known")
        if len(start) < _NEEDED[kind]:
            return len(self._pending) + 1
        if kind == _SET_ENCODINGS:
            return 4 + 4 * int.from_bytes(start[2:4], "big")
        if kind == _POINTER:
            return 7 if start[1] & 0x80 else 6  # with the later extension the mask has a second byte
        if kind == _CUT_TEXT:
            return 8 + abs(int.from_bytes(start[4:8], "big", signed=True))
        if kind == _FENCE:
            return 9 + start[8]
        if kind == _SET_DESKTOP_SIZE:
            return 8 + 16 * start[6]
        return self._qemu_size(start)

    def _qemu_size(self, start: bytes) -> int:
        if start[1] == 0:
            return 12  # a key with its place on the keyboard
        if start[1] != 1:
            raise RfbError(f"message {_QEMU}.{start[1]} is not known")
        return 10 if start[2:4] == b"\x00\x02" else 4  # sound: its format, or on and off
