"""Secrets at rest."""

import json
import os
import stat
from pathlib import Path

import pytest

from vmstead.kernel.model import SECRET_KEYS
from vmstead.store.seal import Seal


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return tmp_path / "secret.key"


@pytest.mark.parametrize("key", sorted(SECRET_KEYS))
@pytest.mark.parametrize("secret", ["x", "p\u00e4ss w\u00f6rd \U0001f600", "x" * 1024, "********"])
def test_a_secret_is_not_to_be_seen_and_comes_back_as_it_was(key_file: Path, key: str, secret: str) -> None:
    seal = Seal(key_file)
    closed = seal.close({"dtype": "DISPLAY", key: secret, "port": 5900})
    assert closed.keys() == {"dtype", key, "port"}
    if len(secret) > 1:
        assert secret not in json.dumps(closed, ensure_ascii=False)
    stored = json.loads(json.dumps(closed))
    assert seal.open(stored) == {"dtype": "DISPLAY", key: secret, "port": 5900}


def test_nothing_but_secrets_is_changed(key_file: Path) -> None:
    attributes = {
        "password": None,
        "token": "",
        "name": "password",
        "list": ["password", {"password": "x"}],
        "number": 5,
        "object": {"a": 1},
    }
    before = json.dumps(attributes)
    seal = Seal(key_file)
    assert seal.close(attributes) == attributes
    assert seal.open(dict(attributes)) == attributes
    assert json.dumps(attributes) == before
    assert not key_file.exists(), "a key is made for the first secret, not before"


def test_closing_leaves_what_it_was_given_alone(key_file: Path) -> None:
    attributes = {"password": "x"}
    Seal(key_file).close(attributes)
    assert attributes == {"password": "x"}


def test_equal_secrets_do_not_look_equal(key_file: Path) -> None:
    seal = Seal(key_file)
    assert seal.close({"password": "same"}) != seal.close({"password": "same"})


def test_the_key_can_be_read_by_its_owner_alone_and_nothing_lies_beside_it(key_file: Path) -> None:
    before = os.umask(0)
    try:
        Seal(key_file).close({"password": "x"})
    finally:
        os.umask(before)
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert [*key_file.parent.iterdir()] == [key_file]


def test_a_key_that_is_there_is_used_and_kept(key_file: Path) -> None:
    closed = Seal(key_file).close({"password": "x"})
    key = key_file.read_bytes()
    again = Seal(key_file)
    assert again.open(closed) == {"password": "x"}
    assert again.open(again.close({"password": "y"})) == {"password": "y"}
    assert key_file.read_bytes() == key


def test_what_a_writing_of_the_key_that_was_cut_short_left_does_no_harm(key_file: Path) -> None:
    key_file.with_name("secret.key.part").write_bytes(b"half a k")
    seal = Seal(key_file)
    assert seal.open(seal.close({"password": "x"})) == {"password": "x"}
    assert [*key_file.parent.iterdir()] == [key_file]


def test_another_key_does_not_open_it_and_the_way_out_is_told(tmp_path: Path, key_file: Path) -> None:
    closed = Seal(tmp_path / "other.key").close({"password": "x"})
    Seal(key_file).close({"password": "y"})
    with pytest.raises(ValueError, match=r"does not open with the key in .*/secret\.key; put back the key"):
        Seal(key_file).open(closed)


def test_a_key_that_is_gone_is_not_made_anew_by_reading(tmp_path: Path, key_file: Path) -> None:
    closed = Seal(tmp_path / "other.key").close({"password": "x"})
    seal = Seal(key_file)
    with pytest.raises(ValueError, match=r"secret\.key is missing; put back the key file"):
        seal.open(dict(closed))
    assert not key_file.exists()
    (tmp_path / "other.key").rename(key_file)
    assert seal.open(closed) == {"password": "x"}, "once it is back, no restart is needed"


@pytest.mark.parametrize("content", [b"", b"\n", b"too short", b"\xff" * 44, b"x" * 44])
def test_a_file_that_holds_no_key_is_named_and_not_overwritten(key_file: Path, content: bytes) -> None:
    key_file.write_bytes(content)
    with pytest.raises(ValueError, match=r"secret\.key does not hold a key; put back"):
        Seal(key_file).close({"password": "x"})
    assert key_file.read_bytes() == content


def test_a_single_secret_is_sealed_too(key_file: Path) -> None:
    seal = Seal(key_file)
    sealed = seal.close_text("JBSWY3DP")
    assert "JBSWY3DP" not in sealed
    assert seal.close_text("JBSWY3DP") != sealed
    assert Seal(key_file).open_text(sealed) == "JBSWY3DP"
    with pytest.raises(ValueError, match=r"other\.key is missing"):
        Seal(key_file.with_name("other.key")).open_text(sealed)
