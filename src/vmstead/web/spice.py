"""SPICE as far as the server takes part in it: the link, at which it logs in for the viewer, and what a viewer
who may only look may say. Pure: bytes in, bytes out.

See https://www.spice-space.org/spice-protocol.html. Logging in here keeps passwords out of browsers. It also
mends what browser clients get wrong: about one login in 250 of theirs is encrypted too short, and refused.
"""

import struct
from dataclasses import dataclass

MAIN, DISPLAY, INPUTS, CURSOR, PLAYBACK, RECORD = range(1, 7)
#: What each kind of viewer may open. USB redirection, shared folders and ports of the host stay shut.
CHANNELS = frozenset({MAIN, DISPLAY, INPUTS, CURSOR, PLAYBACK, RECORD})
CHANNELS_TO_LOOK = frozenset({MAIN, DISPLAY, CURSOR, PLAYBACK})

_MAGIC = b"REDQ"
_HEADER = struct.Struct("<4sIII")
_MESSAGE = struct.Struct("<IBBIII")
_REPLY = struct.Struct("<I162sIII")
#: Bytes of a link message or reply beyond which nobody means well.
_LONGEST = 4096
_TICKET = 128
#: Numbers of common capabilities, and of the way of logging in by a password.
_AUTH_SELECTION, _MINI_HEADER = 0, 3
_BY_PASSWORD = 1
#: Messages of the main channel that reach into the guest: the mouse's mode, and everything for its agent (the
#: clipboard, the size of the screen, files).
_REACHES_GUEST = frozenset({105, 106, 107, 108})
_FULL = struct.Struct("<QHII")
_MINI = struct.Struct("<HI")


class SpiceError(Exception):
    """What was said is not SPICE, or not what is served. The text says which."""


@dataclass(frozen=True)
class Link:
    """One side's opening message.

    Attributes:
        data: all of it.
        channel: the kind that a client asks for; 0 in a reply.
        capabilities: the common ones, as bits.
        key: the key that passwords are encrypted with; empty in a client's message.
    """

    data: bytes
    channel: int
    capabilities: int
    key: bytes = b""

    def has(self, capability: int) -> bool:
        return bool(self.capabilities >> capability & 1)


def link_size(header: bytes) -> int:
    """How many bytes follow the 16 of an opening message's header. Raises SpiceError."""
    magic, _, _, size = _HEADER.unpack(header)
    if magic != _MAGIC:
        raise SpiceError("this is not SPICE")
    if not _MESSAGE.size <= size <= _LONGEST:
        raise SpiceError("the link message has an impossible length")
    return int(size)


def client_link(header: bytes, body: bytes) -> Link:
    """A client's opening message. Raises SpiceError."""
    _, channel, _, common, _, offset = _MESSAGE.unpack_from(body)
    return Link(header + body, channel, _capabilities(body, common, offset))


def server_link(header: bytes, body: bytes) -> Link:
    """The reply to it. Raises SpiceError."""
    if len(body) < _REPLY.size:
        raise SpiceError("the display refused the link")
    error, key, common, _, offset = _REPLY.unpack_from(body)
    if error:
        raise SpiceError(f"the display refused the link with error {error}")
    return Link(header + body, 0, _capabilities(body, common, offset), key)


def _capabilities(body: bytes, count: int, offset: int) -> int:
    if count == 0:
        return 0
    if offset + 4 > len(body):
        raise SpiceError("the link message ends before its capabilities")
    return int.from_bytes(body[offset : offset + 4], "little")


def ticket_size(client: Link) -> int:
    """How many bytes the client's own login has, which is not passed on."""
    return _TICKET + (4 if client.has(_AUTH_SELECTION) else 0)


def login(client: Link, server: Link, password: bytes = b"") -> bytes:
    """What logs in, in place of what the client sent. Raises SpiceError."""
    # Loaded when somebody looks: few starts of the server need it.
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.padding import MGF1, OAEP
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        key = load_der_public_key(server.key)
    except ValueError as error:
        raise SpiceError(f"the display's key cannot be used: {error}") from None
    if not isinstance(key, RSAPublicKey):
        raise SpiceError("the display's key is not of the kind that SPICE has")
    # SHA-1 is what the protocol says; here it is part of a padding, not of a signature.
    padding = OAEP(MGF1(hashes.SHA1()), hashes.SHA1(), None)  # noqa: S303
    ticket = key.encrypt(password + b"\0", padding)
    return (struct.pack("<I", _BY_PASSWORD) if client.has(_AUTH_SELECTION) else b"") + ticket


class MainFilter:
    """Lets through what a viewer who may only look may say on the main channel."""

    def __init__(self, client: Link, server: Link) -> None:
        self._is_mini = client.has(_MINI_HEADER) and server.has(_MINI_HEADER)
        self._pending = bytearray()
        #: Bytes of the message under way that are still to come, and whether they are passed on.
        self._left = 0
        self._passes = False

    def feed(self, data: bytes) -> bytes:
        """What of the client's bytes goes on to the display."""
        passed = bytearray()
        self._pending += data
        while self._pending:
            if self._left:
                piece = self._pending[: self._left]
                del self._pending[: self._left]
                self._left -= len(piece)
                passed += piece if self._passes else b""
                continue
            size = _MINI.size if self._is_mini else _FULL.size
            if len(self._pending) < size:
                break
            header = bytes(self._pending[:size])
            del self._pending[:size]
            kind, self._left = _MINI.unpack(header) if self._is_mini else _FULL.unpack(header)[1:3]
            self._passes = kind not in _REACHES_GUEST
            passed += header if self._passes else b""
        return bytes(passed)
