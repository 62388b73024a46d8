"""Properties, between the API and ZFS."""

import pytest

from tests.unit.adapters.zfs.test_listing import recorded
from vmstead.adapters.zfs.listing import FoundProperty, properties
from vmstead.adapters.zfs.properties import changes, copied, facts, user_properties
from vmstead.ports.pools import Property
from vmstead.ports.volumes import VolumeError, VolumeErrorKind

WEB = properties(recorded("get.txt"), ["data"])["data/vms/web"]


def test_what_zfs_says_in_the_words_of_the_api() -> None:
    told = facts(WEB)
    assert told["compression"] == Property("ZSTD", "zstd", "LOCAL")
    assert told["deduplication"] == Property("OFF", "off", "DEFAULT")
    assert told["volblocksize"] == Property(16384, "16384", "NONE")
    assert told["comments"] == Property("a web  server", "a web  server", "INHERITED", "data/vms")
    assert told["snapshot_limit"] == Property(0, str(2**64 - 1), "DEFAULT")
    assert told["encryption_algorithm"].value == "OFF"
    assert told.keys().isdisjoint({"type", "dedup", "encryption", "user:nl", "org.omni:managed"})


def test_the_properties_of_clients_are_those_that_were_set_there() -> None:
    assert user_properties(WEB) == {"user:nl": "line1\nline2\tx"}
    assert user_properties(properties(recorded("get.txt"), ["data"])["data/vms"]) == {
        "org.omni:managed": "true"
    }


def test_what_is_wanted_becomes_changes() -> None:
    wanted = {
        "compression": "LZ4",
        "comments": "Web",
        "quota": None,
        "sync": None,
        "copies": 2,
        "recordsize": "1M",
    }
    assert changes(wanted, {}) == (
        {
            "compression": "lz4",
            "org.freenas:description": "Web",
            "quota": "none",
            "copies": "2",
            "recordsize": "1m",
        },
        ["sync"],
    )


def test_the_properties_of_clients_are_all_that_there_are_to_be() -> None:
    old = {
        "a:x": FoundProperty("1", "local"),
        "a:y": FoundProperty("2", "local"),
        "a:z": FoundProperty("3", "local"),
    }
    wanted = {"user_properties": {"a:x": "1", "a:y": "5"}}
    assert changes(wanted, old) == ({"a:y": "5"}, ["a:z"])


def test_what_was_fixed_when_it_was_made_is_left_alone() -> None:
    assert changes({"volblocksize": "16K", "mountpoint": "/etc", "kind": "x"}, {}) == ({}, [])


@pytest.mark.parametrize("name", ["plain", "-o", "A:b", "a b:c", "=:x", ":x", "mountpoint", "x" * 255 + ":"])
def test_what_cannot_be_the_name_of_a_property(name: str) -> None:
    with pytest.raises(VolumeError) as raised:
        changes({"user_properties": {name: "1"}}, {})
    assert raised.value.kind is VolumeErrorKind.BAD_NAME


@pytest.mark.parametrize("value", ["a\nb", "a\tb", "\0"])
def test_what_cannot_be_kept(value: str) -> None:
    for wanted in ({"comments": value}, {"user_properties": {"a:b": value}}):
        with pytest.raises(VolumeError, match="control characters"):
            changes(wanted, {})


def test_what_is_set_on_a_volume_goes_with_it() -> None:
    own = {"volsize": FoundProperty("1", "local"), "sync": FoundProperty("always", "received")}
    assert copied({**WEB, **own}) == {"compression": "zstd", "user:nl": "line1\nline2\tx", "sync": "always"}
