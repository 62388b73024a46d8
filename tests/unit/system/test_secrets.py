"""Passwords and keys: what opens, what does not, and what is stored."""

import base64
import hashlib
import hmac
import re

import pytest

from vmstead.system.secrets import check_api_key, check_password, hash_password, new_api_key


async def test_a_password_opens_what_it_was_stored_for_and_nothing_else_does() -> None:
    stored = await hash_password("p\u00e4ssword")
    assert stored.startswith("$argon2id$")
    assert await check_password("p\u00e4ssword", stored)
    for other in ("", "p\u00e4ssword ", "P\u00e4ssword", "password", stored):
        assert not await check_password(other, stored)


async def test_equal_passwords_are_not_stored_alike() -> None:
    assert await hash_password("same") != await hash_password("same")


@pytest.mark.parametrize("stored", [None, "", "nonsense", "$argon2id$v=19$m=65536,t=3,p=4$x$y"])
async def test_where_nothing_good_is_stored_no_password_opens(stored: str | None) -> None:
    for password in ("", "password", stored or ""):
        assert not await check_password(password, stored)


def test_a_key_is_long_random_and_plain() -> None:
    keys = {new_api_key()[0] for _ in range(3)}
    assert len(keys) == 3
    assert all(re.fullmatch("[A-Za-z0-9]{64}", key) for key in keys)


async def test_a_key_opens_its_own_verifier_and_no_other() -> None:
    (key, verifier), (other, others) = new_api_key(), new_api_key()
    assert await check_api_key(key, verifier)
    assert await check_api_key(other, others)
    for wrong in (other, key[:-1], key + "x", key.swapcase(), "", verifier):
        assert not await check_api_key(wrong, verifier)


def test_what_is_stored_is_what_scram_needs_and_not_the_key() -> None:
    key, verifier = new_api_key()
    assert key not in verifier
    name, iterations, *parts = verifier.split("$")
    salt, stored_key, server_key = map(base64.b64decode, parts)
    assert (name, len(salt)) == ("scram-sha-512", 16)
    assert int(iterations) >= 50_000, "clients refuse fewer"
    # RFC 5802, section 3.
    salted = hashlib.pbkdf2_hmac("sha512", key.encode(), salt, int(iterations))
    client_key = hmac.new(salted, b"Client Key", "sha512").digest()
    assert stored_key == hashlib.sha512(client_key).digest()
    assert server_key == hmac.new(salted, b"Server Key", "sha512").digest()
