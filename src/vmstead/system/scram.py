"""SCRAM-SHA-512 (RFC 5802), the server's side: a client proves that it has an API key without sending it.

No input or output here: texts in, texts out. In the dialect of TrueNAS clients the user name is followed by the
number of the key (``alice:7``), and both sides' nonces are 32 bytes, joined before they are written as Base64.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field

from vmstead.system.secrets import Verifier

#: How a client binds its proof to the TLS connection: by a digest of the server's certificate (RFC 5929).
BINDING = "p=tls-server-end-point"
_NONCE = 32


class Malformed(Exception):
    """A message is not as RFC 5802 has it. The text says what is wrong."""


@dataclass(frozen=True, slots=True)
class ClientFirst:
    """The first message of a client.

    Attributes:
        flag: ``n``: no channel binding; ``y``: the client would, but thinks that the server does not;
            ``p=<type>``: with that type.
        bare: the part of the message that is proved.
    """

    flag: str
    username: str
    key: int | None
    nonce: bytes
    bare: str


def read_first(text: str) -> ClientFirst:
    """Take a client's first message apart. Raises Malformed."""
    flag, _, rest = text.partition(",")
    authorized_as, _, bare = rest.partition(",")
    if not (flag in ("n", "y") or flag.startswith("p=")) or authorized_as:
        raise Malformed("it must begin with n,, or p=tls-server-end-point,,")
    name, nonce = _attributes(bare, "nr")
    username, _, number = name.rpartition(":")
    known = bool(username) and number.isdecimal() and len(number) < 18
    return ClientFirst(
        flag,
        (username if known else name).replace("=2C", ",").replace("=3D", "="),
        int(number) if known else None,
        _bytes(nonce, _NONCE),
        bare,
    )


@dataclass(frozen=True, slots=True)
class Exchange:
    """A login of which the first two messages have been exchanged.

    Attributes:
        answer: the server's first message.
    """

    first: ClientFirst
    verifier: Verifier
    nonce: bytes = field(default_factory=lambda: secrets.token_bytes(_NONCE))

    @property
    def answer(self) -> str:
        """What the client is answered: the nonce of both, and what its key was stored with."""
        salt = _text(self.verifier.salt)
        return f"r={_text(self.first.nonce + self.nonce)},s={salt},i={self.verifier.iterations}"

    def finish(self, text: str, binding: bytes | None) -> str | None:
        """Check a client's second message; the server's second one, or None where the proof is wrong.

        ``binding`` is the digest of the certificate that the connection is encrypted with, where there is one.

        Raises:
            Malformed: it is no such message.
        """
        without_proof, _, proof = text.rpartition(",p=")
        bound, nonce = _attributes(without_proof, "cr")
        stored = self.verifier
        if not stored.stored_key or not self._is_bound(bound, binding):
            return None
        if nonce != _text(self.first.nonce + self.nonce):
            return None
        message = f"{self.first.bare},{self.answer},{without_proof}".encode()
        signature = hmac.digest(stored.stored_key, message, "sha512")
        key = bytes(a ^ b for a, b in zip(_bytes(proof, len(signature)), signature, strict=True))
        if not hmac.compare_digest(hashlib.sha512(key).digest(), stored.stored_key):
            return None
        return f"v={_text(hmac.digest(stored.server_key, message, 'sha512'))}"

    def _is_bound(self, given: str, binding: bytes | None) -> bool:
        flag = self.first.flag
        if flag == "n":
            return given == _text(b"n,,")
        if flag == "y":
            # A client that was told by somebody on the way that this server does not bind is told no.
            return given == _text(b"y,,") and binding is None
        return flag == BINDING and binding is not None and given == _text(f"{flag},,".encode() + binding)


def _attributes(text: str, names: str) -> list[str]:
    """The values of exactly these attributes in this order. Raises Malformed."""
    parts = text.split(",")
    if [part[:2] for part in parts] != [f"{name}=" for name in names]:
        raise Malformed(f"it must have {' and '.join(f'{name}=' for name in names)}, in this order")
    return [part[2:] for part in parts]


def _bytes(text: str, length: int) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    if len(data) != length:
        raise Malformed(f"{length} bytes in Base64 are expected")
    return data


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
