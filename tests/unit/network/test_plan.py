"""From what a host is to what is to be done."""

import msgspec
import pytest

from tests.unit.network.support import IFUPDOWN, NETWORKD, host, with_bridge
from vmstead.network.plan import plan_create, plan_delete
from vmstead.ports.host_network import (
    Cable,
    Cabling,
    Change,
    Kept,
    Management,
    NetworkError,
    Remove,
    Replace,
    Write,
)

RECORD = "/records/lan0.json"


@pytest.mark.parametrize("management", [NETWORKD, IFUPDOWN])
def test_what_is_kept_remembers_how_to_undo_it(management: Management) -> None:
    plan, kept = plan_create(host(management).present, management, "lan0", "enp1s0", RECORD)
    first = plan.keep[0]
    assert isinstance(first, Write)
    assert first.path == RECORD
    assert msgspec.json.decode(first.text, type=Kept) == kept
    assert plan.undo[0] == Remove(RECORD)


@pytest.mark.parametrize("management", [NETWORKD, IFUPDOWN])
def test_a_change_is_the_same_after_it_was_written_down(management: Management) -> None:
    plan, _ = plan_create(host(management).present, management, "lan0", "enp1s0", RECORD)
    change = Change("1", "create", "lan0", "enp1s0", "applied", 9.5, plan.undo, plan.keep)
    assert msgspec.json.decode(msgspec.json.encode(change), type=Change) == change


async def test_what_was_confirmed_by_half_is_taken_back_too() -> None:
    there = host(IFUPDOWN)
    before = dict(there.files)
    plan, _ = plan_create(there.present, IFUPDOWN, "lan0", "enp1s0", RECORD)
    for step in (*plan.do, *plan.keep):
        await there.perform(step)
    assert "auto lan0" in there.files["/etc/network/interfaces"]
    for step in plan.undo:
        await there.perform(step)
    assert there.files == before


def test_deleting_puts_the_file_back() -> None:
    there = host(IFUPDOWN)
    plan, kept = plan_create(there.present, IFUPDOWN, "lan0", "enp1s0", RECORD)
    (keep,) = [step for step in plan.keep if isinstance(step, Replace)]
    there.files[keep.path] = keep.new
    with_bridge(there)
    deletion = plan_delete(there.present, there.told["enp1s0"], kept, RECORD)
    assert Replace(keep.path, keep.new, keep.old) in deletion.do
    assert Replace(keep.path, keep.old, keep.new) in deletion.undo
    assert deletion.keep == (Remove(RECORD),)


def test_a_bridge_that_nobody_has_made_is_deleted_by_its_files_alone() -> None:
    kept = Kept("lan0", "enp9s0", "networkd", files={"0-vmstead-lan0.netdev": "x"})
    plan = plan_delete(Cabling({}), Management("unmanaged"), kept, RECORD)
    assert Remove("/etc/systemd/network/0-vmstead-lan0.netdev") in plan.do


@pytest.mark.parametrize(
    ("cables", "port", "text"),
    [
        ([Cable("enp2s0")], "enp1s0", "there is no interface enp1s0; there is enp2s0"),
        ([], "enp1s0", "there is no interface enp1s0; there is none that could be used"),
        ([Cable("enp1s0", master="br0")], "enp1s0", "enp1s0 is a port of br0 already; attach guests to that"),
        ([Cable("wg0", "wireguard", carries=False)], "wg0", "wg0 is a wireguard, which no bridge can have"),
        ([Cable("wlan0", carries=False)], "wlan0", "wlan0 is no Ethernet by wire"),
        (
            [Cable("enp1s0"), Cable("macvtap0", "macvtap", parent="enp1s0")],
            "enp1s0",
            "guests use enp1s0 at this moment, by macvtap0; shut down",
        ),
        ([Cable("enp1s0"), Cable("lan0")], "enp1s0", "there is an interface lan0 already"),
    ],
)
def test_which_card_it_cannot_be(cables: list[Cable], port: str, text: str) -> None:
    cabling = Cabling({each.name: each for each in cables})
    with pytest.raises(NetworkError, match=text):
        plan_create(cabling, NETWORKD, "lan0", port, RECORD)
