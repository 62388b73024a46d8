"""SCRAM-SHA-512: proofs that are right, proofs that are not, and messages that are none.

The client here follows RFC 5802 by itself and shares nothing with the server but the standard library.
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field

import pytest

from vmstead.system.scram import BINDING, Exchange, Malformed, read_first
from vmstead.system.secrets import Verifier, new_api_key


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def digest(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, text, "sha512").digest()


@dataclass
class ScramClient:
    """The client's side of RFC 5802, section 3."""

    username: str
    key: str
    flag: str = "n"
    binding: bytes = b""
    nonce: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    server_signature: str = ""

    @property
    def bare(self) -> str:
        number, _, _ = self.key.partition("-")
        return f"n={self.username}:{number},r={b64(self.nonce)}"

    @property
    def first(self) -> str:
        return f"{self.flag},,{self.bare}"

    def final(self, answer: str) -> str:
        """The second message, and with it what the server's last one must be."""
        fields = dict(part.split("=", 1) for part in answer.split(","))
        nonce = base64.b64decode(fields["r"])
        assert nonce[:32] == self.nonce
        assert len(nonce) == 64
        assert 50_000 <= int(fields["i"]) <= 5_000_000
        password = self.key.partition("-")[2].encode()
        salted = hashlib.pbkdf2_hmac("sha512", password, base64.b64decode(fields["s"]), int(fields["i"]))
        client_key = digest(salted, b"Client Key")
        bound = b64(f"{self.flag},,".encode() + self.binding)
        without_proof = f"c={bound},r={fields['r']}"
        message = f"{self.bare},{answer},{without_proof}".encode()
        signature = digest(hashlib.sha512(client_key).digest(), message)
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        self.server_signature = f"v={b64(digest(digest(salted, b'Server Key'), message))}"
        return f"{without_proof},p={b64(proof)}"


KEY, STORED = new_api_key()
VERIFIER = Verifier.of(STORED)


def exchange(client: ScramClient, verifier: Verifier = VERIFIER) -> Exchange:
    return Exchange(read_first(client.first), verifier)


def test_a_proof_of_the_key_is_answered_with_a_proof_of_the_server() -> None:
    client = ScramClient("alice", f"7-{KEY}")
    under_way = exchange(client)
    assert (under_way.first.username, under_way.first.key) == ("alice", 7)
    assert under_way.finish(client.final(under_way.answer), None) == client.server_signature


def test_another_key_another_nonce_and_a_replay_prove_nothing() -> None:
    wrong = ScramClient("alice", f"7-{KEY[::-1]}")
    under_way = exchange(wrong)
    assert under_way.finish(wrong.final(under_way.answer), None) is None
    client = ScramClient("alice", f"7-{KEY}")
    first, second = exchange(client), exchange(client)
    assert first.answer != second.answer
    message = client.final(first.answer)
    assert second.finish(message, None) is None, "what was said to one cannot be said to another"
    assert first.finish(message, None) == client.server_signature


def test_a_key_that_is_not_there_is_answered_like_one_that_is() -> None:
    client = ScramClient("alice", f"8-{KEY}")
    decoys = [Verifier.decoy(seed) for seed in (b"a", b"a", b"b")]
    under_way = [exchange(client, decoy) for decoy in decoys]
    salts = [each.answer.split(",s=")[1] for each in under_way]
    assert salts[0] == salts[1] != salts[2]
    assert len(salts[0]) == len(exchange(client).answer.split(",s=")[1])
    assert under_way[0].finish(client.final(under_way[0].answer), None) is None


@pytest.mark.parametrize(
    ("flag", "sent", "own", "good"),
    [
        ("n", b"", None, True),
        ("n", b"", b"digest", True),
        ("y", b"", None, True),
        ("y", b"", b"digest", False),
        (BINDING, b"digest", b"digest", True),
        (BINDING, b"another", b"digest", False),
        (BINDING, b"digest", None, False),
        ("p=tls-unique", b"digest", b"digest", False),
        ("n", b"digest", b"digest", False),
    ],
)
def test_a_login_is_bound_to_the_certificate_where_the_client_binds_it(
    flag: str, sent: bytes, own: bytes | None, good: bool
) -> None:
    client = ScramClient("alice", f"7-{KEY}", flag, sent)
    under_way = exchange(client)
    answer = under_way.finish(client.final(under_way.answer), own)
    assert (answer == client.server_signature) is good
    assert (answer is None) is not good


NONCE = b64(bytes(32))


@pytest.mark.parametrize(
    ("text", "username", "key"),
    [
        (f"n,,n=alice:7,r={NONCE}", "alice", 7),
        (f"n,,n=a=2Cb=3Dc:12,r={NONCE}", "a,b=c", 12),
        (f"n,,n=alice,r={NONCE}", "alice", None),
        (f"n,,n=alice:,r={NONCE}", "alice:", None),
        (f"n,,n=:7,r={NONCE}", ":7", None),
        (f"n,,n=alice:{'9' * 30},r={NONCE}", f"alice:{'9' * 30}", None),
    ],
)
def test_the_name_has_the_number_of_the_key_after_it(text: str, username: str, key: int | None) -> None:
    first = read_first(text)
    assert (first.username, first.key) == (username, key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "n,,",
        f"x,,n=alice:7,r={NONCE}",
        f"n,a=bob,n=alice:7,r={NONCE}",
        f"n,,r={NONCE},n=alice:7",
        "n,,n=alice:7",
        "n,,n=alice:7,r=short",
        "n,,n=alice:7,r=%%%%",
        f"n,,n=alice:7,r={NONCE},x=1",
        f"n,,m=1,n=alice:7,r={NONCE}",
    ],
)
def test_what_is_no_first_message_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        read_first(text)


def finished(message: str) -> str | None:
    under_way = exchange(ScramClient("alice", f"7-{KEY}"))
    nonce = under_way.answer.split(",")[0].removeprefix("r=")
    return under_way.finish(message.replace("{r}", nonce), None)


@pytest.mark.parametrize(
    "message",
    [
        "",
        "c=biws",
        "c=biws,r=x",
        "r=x,c=biws,p=AAAA",
        "c=biws,r={r}",
        "c=biws,r={r},p=AAAA",
        "c=biws,r={r},p=%",
    ],
)
def test_what_is_no_second_message_is_refused(message: str) -> None:
    with pytest.raises(Malformed):
        finished(message)


def test_a_second_message_that_belongs_to_something_else_proves_nothing() -> None:
    assert finished("c=biws,r=x,p=AAAA") is None
    assert finished("c=eSws,r={r},p=AAAA") is None


def test_secrets_are_not_in_what_is_printed() -> None:
    assert "stored_key" not in repr(VERIFIER)
    assert "server_key" not in repr(exchange(ScramClient("alice", f"7-{KEY}")))
