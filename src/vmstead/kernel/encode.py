"""Values as JSON that every client can read."""

import re

import msgspec

_encoder = msgspec.json.Encoder()
#: What stands in Python's texts for bytes that are no text, in names of files for instance.
_NO_TEXT = re.compile("[\ud800-\udfff]")


def encode(value: object) -> str:
    """The JSON of a value. What is no text in it is shown as what it is: a replacement character.

    Raises:
        TypeError: there is something in it that JSON does not have.
    """
    try:
        return _encoder.encode(value).decode()
    except UnicodeEncodeError:
        return _encoder.encode(_readable(value)).decode()


def _readable(value: object) -> object:
    if isinstance(value, str):
        return _NO_TEXT.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_readable(key): _readable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [_readable(item) for item in value]
    return value
