"""Passwords and API keys: made, stored as what they cannot be got back from, and checked.

Passwords are chosen by people, so checking one is slow and takes memory (argon2id). API keys are random; they
are stored in the form that SCRAM-SHA-512 needs (RFC 5802), which lets a client prove that it has the key
without sending it, and lets the server check a key that is sent.
"""

import asyncio
import base64
import functools
import hashlib
import hmac
import secrets
import string
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Self

_ALPHABET = string.ascii_letters + string.digits
_KEY_LENGTH = 64
#: SCRAM clients refuse fewer than 50,000. A random key of 64 characters needs no more.
_ITERATIONS = 50_000
#: Each check of a password takes 64 MiB for its time: callers who are not logged in must not make it many.
_THREADS = ThreadPoolExecutor(2, thread_name_prefix="passwords")


async def hash_password(password: str) -> str:
    """What is stored of a password."""
    return await asyncio.get_running_loop().run_in_executor(_THREADS, _hash_password, password)


async def check_password(password: str, stored: str | None) -> bool:
    """Whether this is the password. Takes as long when there is none to compare with."""
    return await asyncio.get_running_loop().run_in_executor(_THREADS, _check_password, password, stored)


def _hash_password(password: str) -> str:
    from argon2 import PasswordHasher

    return PasswordHasher().hash(password)


def _check_password(password: str, stored: str | None) -> bool:
    from argon2 import PasswordHasher
    from argon2.exceptions import Argon2Error, InvalidHashError

    try:
        PasswordHasher().verify(stored or _decoy(), password)
    except (Argon2Error, InvalidHashError):
        return False
    return stored is not None


@functools.cache
def _decoy() -> str:
    """Something to compare with where an account has no password, so that the answer takes as long."""
    return _hash_password(secrets.token_hex())


def new_api_key() -> tuple[str, str]:
    """A new key without its number, and what is stored of it."""
    key = "".join(secrets.choice(_ALPHABET) for _ in range(_KEY_LENGTH))
    salt = secrets.token_bytes(16)
    stored_key, server_key = _scram_keys(key, salt, _ITERATIONS)
    parts = (base64.b64encode(part).decode() for part in (salt, stored_key, server_key))
    return key, "$".join(("scram-sha-512", str(_ITERATIONS), *parts))


async def check_api_key(key: str, verifier: str) -> bool:
    """Whether this is the key (without its number)."""
    return await asyncio.get_running_loop().run_in_executor(_THREADS, _check_api_key, key, verifier)


def _check_api_key(key: str, verifier: str) -> bool:
    stored = Verifier.of(verifier)
    found, _ = _scram_keys(key, stored.salt, stored.iterations)
    return hmac.compare_digest(found, stored.stored_key)


@dataclass(frozen=True, slots=True)
class Verifier:
    """What is stored of an API key, taken apart (RFC 5802, section 3)."""

    iterations: int
    salt: bytes
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)

    @classmethod
    def of(cls, text: str) -> Self:
        """From its stored form."""
        _, iterations, *parts = text.split("$")
        return cls(int(iterations), *(base64.b64decode(part) for part in parts))

    @classmethod
    def decoy(cls, seed: bytes) -> Self:
        """One that no key belongs to, always the same for a seed: for who asks for a key that is not there."""
        return cls(_ITERATIONS, hashlib.sha512(seed).digest()[:16], b"", b"")


def new_onetime_password() -> str:
    """The random part of a password for one login."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(6)) for _ in range(4))


def new_password() -> str:
    """A random password of 20 characters."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(20))


def _scram_keys(key: str, salt: bytes, iterations: int) -> tuple[bytes, bytes]:
    """StoredKey and ServerKey of RFC 5802, with SHA-512."""
    salted = hashlib.pbkdf2_hmac("sha512", key.encode(), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha512")
    return hashlib.sha512(client_key).digest(), hmac.digest(salted, b"Server Key", "sha512")
