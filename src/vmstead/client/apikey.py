"""API keys as people keep them: the key itself, or a file with the key alone, in JSON or in INI form."""

import os
import re

from vmstead.client import ejson
from vmstead.client.errors import LoginError

#: The number of the key in the server's database, a dash, and the secret.
_KEY = re.compile(r"\d+-[A-Za-z0-9]+")
_SECTION = "TRUENAS_API_KEY"


def load(text: str) -> str:
    """The API key that a text stands for.

    Args:
        text: a key such as `1-AbC...`, or the absolute path of a file. A file holds the key alone, or a JSON
            object or INI section (`TRUENAS_API_KEY`, or the only one) with the key as `raw_key`. JSON and INI
            are understood in the text itself too.

    Raises:
        LoginError: the file cannot be read, or no key is found. The text names the file, never its content.
    """
    if not os.path.isabs(text):
        return _find(text.strip(), "the given API key") or text.strip()
    try:
        with open(text, encoding="utf-8") as file:
            content = file.read().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not a text file"
        raise LoginError(f"Cannot read API key file {text}: {reason}") from None
    key = _find(content, f"API key file {text}")
    if key is None:
        raise LoginError(f"API key file {text} holds no API key (expected <number>-<letters and digits>)")
    return key


def _find(content: str, where: str) -> str | None:
    """The key in a key, JSON or INI text; None when it is none of these."""
    if _KEY.fullmatch(content):
        return content
    fields = _json_fields(content) if content.startswith("{") else _ini_fields(content)
    if fields is None:
        return None
    key = fields.get("raw_key")
    if isinstance(key, str) and key:
        return key
    if "stored_key" in fields:
        # Such keys only serve SCRAM, where the client proves to know a key without having it.
        raise LoginError(
            f"{where} holds precomputed SCRAM keys; a login here needs the key itself as raw_key"
        )
    raise LoginError(f"{where} has no raw_key")


def _json_fields(content: str) -> dict[str, object] | None:
    try:
        fields = ejson.loads(content)
    except ValueError:
        return None
    return fields if isinstance(fields, dict) else None


def _ini_fields(content: str) -> dict[str, object] | None:
    if "[" not in content:
        return None
    from configparser import Error, RawConfigParser

    parser = RawConfigParser()
    try:
        # Its error texts quote lines of the file, so they must not get out.
        parser.read_string(content)
    except Error:
        return None
    sections = parser.sections()
    if _SECTION in sections:
        return dict(parser[_SECTION])
    if len(sections) == 1:
        return dict(parser[sections[0]])
    return dict(parser.defaults()) if not sections else None
