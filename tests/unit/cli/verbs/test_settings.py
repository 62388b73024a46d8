"""FIELD=VALUE on the command line."""

import click
import pytest

from vmstead.cli.verbs.settings import read_settings, vm_fields


def test_values_are_json_where_they_can_be_read_as_such() -> None:
    texts = {
        "a=1": 1,
        "a=true": True,
        "a=null": None,
        "a=1.5": 1.5,
        'a="1"': "1",
        "a=text": "text",
        "a=": "",
        'a={"x": [1]}': {"x": [1]},
        "a=[1": "[1",
        "a=b=c": "b=c",
        "a=0-3": "0-3",
    }
    for text, value in texts.items():
        assert read_settings([text], sizes_in={}) == {"a": value}


def test_sizes_take_units() -> None:
    assert read_settings(["size=2K", "other=2K"], sizes_in={"size": ""}) == {"size": 2048, "other": "2K"}
    assert read_settings(["size=null"], sizes_in={"size": ""}) == {"size": None}


def test_memory_of_a_vm_is_in_mib() -> None:
    assert vm_fields(["memory=4G", "min_memory=512", "vcpus=2"]) == {
        "memory": 4096,
        "min_memory": 512,
        "vcpus": 2,
    }
    assert vm_fields(["min_memory=null"]) == {"min_memory": None}


@pytest.mark.parametrize("text", ["", "=", "=x", "memory", "memory=4Q"])
def test_what_is_not_understood(text: str) -> None:
    with pytest.raises(click.UsageError):
        vm_fields([text])
