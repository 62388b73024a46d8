"""Whatever is told reaches the client."""

import json
import os

from vmstead.kernel.encode import encode


def test_values_are_json() -> None:
    assert json.loads(encode({"a": [1, "ä", None, {"b": True}]})) == {"a": [1, "ä", None, {"b": True}]}


def test_what_is_no_text_does_not_keep_the_rest_from_being_told() -> None:
    name = os.fsdecode(b"bad\xff.iso")
    told = json.loads(encode({"files": [{"name": name, "size": 5}, ("x", name)], name: {name}}))
    assert told == {
        "files": [{"name": "bad\ufffd.iso", "size": 5}, ["x", "bad\ufffd.iso"]],
        "bad\ufffd.iso": ["bad\ufffd.iso"],
    }
