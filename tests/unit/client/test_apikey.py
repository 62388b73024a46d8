"""API keys and the files that hold them."""

from pathlib import Path

import pytest

from vmstead.client import LoginError, apikey

KEY = "7-" + "aB3" * 21


@pytest.mark.parametrize("text", [KEY, f"  {KEY}\n", f'{{"raw_key": "{KEY}"}}', f"[x]\nraw_key = {KEY}\n"])
def test_given_directly(text: str) -> None:
    assert apikey.load(text) == KEY


def test_an_odd_key_is_left_for_the_server_to_judge() -> None:
    assert apikey.load("not-a-key") == "not-a-key"
    assert apikey.load("[odd") == "[odd"


@pytest.mark.parametrize(
    "content",
    [
        KEY,
        f"{KEY}\n",
        f'{{"raw_key": "{KEY}", "api_key_id": 7}}',
        f"[TRUENAS_API_KEY]\nraw_key={KEY}\n",
        f"[anything]\nraw_key = {KEY}\n",
        f"[DEFAULT]\nraw_key = {KEY}\n",
        f"[one]\nraw_key = 1-no\n[TRUENAS_API_KEY]\nraw_key = {KEY}\n",
    ],
)
def test_files(tmp_path: Path, content: str) -> None:
    file = tmp_path / "key"
    file.write_text(content)
    assert apikey.load(str(file)) == KEY


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("hidden words", "holds no API key"),
        ("", "holds no API key"),
        ('{"raw_key": hidden', "holds no API key"),
        ('{"raw_key": 5, "hidden": 1}', "has no raw_key"),
        ('{"hidden": 1}', "has no raw_key"),
        ("[a]\nhidden", "holds no API key"),
        ("[a]\nx=hidden\n[b]\ny=1\n", "holds no API key"),
        ('{"client_key": "hidden", "stored_key": "hidden"}', "precomputed SCRAM keys"),
    ],
)
def test_files_without_a_key(tmp_path: Path, content: str, reason: str) -> None:
    file = tmp_path / "key"
    file.write_text(content)
    with pytest.raises(LoginError, match=reason) as caught:
        apikey.load(str(file))
    assert "hidden" not in str(caught.value)
    assert str(file) in str(caught.value)


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(LoginError, match="No such file"):
        apikey.load(str(tmp_path / "missing"))
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(LoginError, match="not a text file"):
        apikey.load(str(binary))
