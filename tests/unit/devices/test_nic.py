"""NIC: addresses that stay and differ, and what a card can be attached to."""

import re
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.unit.devices.support import Bench, fields, placed, refusals, told
from vmstead.devices import Placed, Slots
from vmstead.devices.display import Display
from vmstead.devices.nic import (
    Attachment,
    Nic,
    attachment_labels,
    attachments,
    canonical_mac,
    default_attachment,
    random_mac,
)
from vmstead.ports.host import Interface

MAC = "00:a0:98:12:34:56"
NETWORK = {
    "br0": Interface("br0", is_bridge=True, is_virtual=True, description="bridge of eth1"),
    "brother": Interface("brother", description="Realtek"),
    "eth0": Interface("eth0"),
    "eth1": Interface("eth1", bridge="br0"),
    "wlan0": Interface("wlan0", is_wireless=True),
    "tap3": Interface("tap3", is_virtual=True),
}
NAT = Attachment("user")
BR0 = Attachment("bridge", "br0")
ETH0 = Attachment("direct", "eth0")


def nic(**attributes: Any) -> Nic:
    return Nic.model_validate(attributes)


@pytest.fixture
def bench(bench: Bench) -> Bench:
    """A host with interfaces of every kind."""
    bench.machine.network = dict(NETWORK)
    return bench


# --- what can be sent -------------------------------------------------------------------------------

NO_MAC = "Value error, Not a MAC address; write it like 00:a0:98:12:34:56"


@pytest.mark.parametrize(
    "mac", [MAC, "00:A0:98:12:34:56", "00-a0-98-12-34-56", "00a098123456", "00:a0-98:12-34:56"]
)
def test_an_address_is_taken_however_it_is_spelt_and_read_back_like_that(mac: str) -> None:
    assert nic(mac=mac).entry()["mac"] == mac
    assert canonical_mac(mac) == MAC


@pytest.mark.parametrize(
    ("mac", "text"),
    [
        ("", NO_MAC),
        ("00:a0:98:12:34", NO_MAC),
        ("00:a0:98:12:34:56:78", NO_MAC),
        ("00:a0:98:12:34:5g", NO_MAC),
        ("0:a0:98:12:34:56", NO_MAC),
        ("00::a0:98:12:34:56", NO_MAC),
        ("00a0.9812.3456", NO_MAC),
        (f"{MAC}\n", NO_MAC),
        (f" {MAC}", NO_MAC),
        (f"{MAC}:", NO_MAC),
        ("\uff10\uff10:a0:98:12:34:56", NO_MAC),
        (0, "Input should be a valid string"),
        (["00:a0:98:12:34:56"], "Input should be a valid string"),
    ],
)
def test_what_is_no_address_is_refused(mac: object, text: str) -> None:
    assert refusals(Nic, mac=mac) == {"mac": text}


@pytest.mark.parametrize(
    ("attributes", "problems"),
    [
        ({"type": "e1000"}, {"type": "Input should be 'E1000' or 'VIRTIO'"}),
        ({"type": "RTL8139"}, {"type": "Input should be 'E1000' or 'VIRTIO'"}),
        ({"nic_attach": ""}, {"nic_attach": "String should have at least 1 character"}),
        ({"nic_attach": 0}, {"nic_attach": "Input should be a valid string"}),
        (
            {"trust_guest_rx_filters": None},
            {"trust_guest_rx_filters": "Input should be a valid boolean"},
        ),
        ({"bridge": "br0"}, {"bridge": "Extra inputs are not permitted"}),
    ],
)
def test_what_no_card_can_be_is_refused(attributes: dict[str, Any], problems: dict[str, str]) -> None:
    assert refusals(Nic, **attributes) == problems


# --- addresses --------------------------------------------------------------------------------------


def test_addresses_are_made_up_in_the_range_that_truenas_draws_from() -> None:
    made = [random_mac() for _ in range(500)]
    assert all(re.fullmatch("00:a0:98:[0-7][0-9a-f]:[0-9a-f]{2}:[0-9a-f]{2}", mac) for mac in made)
    assert len(set(made)) > 490
    for mac in made:
        assert told(nic(mac=mac).check([], None)) == []
        assert canonical_mac(mac) == mac


@pytest.mark.parametrize(
    ("given", "stored", "expected"),
    [
        (MAC, None, MAC),
        (MAC, "02:00:00:00:00:01", MAC),
        (None, "02:00:00:00:00:01", "02:00:00:00:00:01"),
        (None, "02-00-00-00-00-0A", "02-00-00-00-00-0A"),
    ],
)
async def test_an_address_is_made_up_once(
    bench: Bench, given: str | None, stored: str | None, expected: str
) -> None:
    assert (await nic(mac=given).complete(bench.ctx, [], nic(mac=stored))).mac == expected


async def test_a_card_that_has_none_gets_an_address_that_no_other_has(bench: Bench) -> None:
    others = placed(Display(), nic(), nic(mac="00A098123456"))
    for id in range(10, 50):
        made = await nic().complete(bench.ctx, others, None if id % 2 else nic())
        others.append(Placed(id, id % 3, None, made))
    assert len({each.device.entry()["mac"] for each in others[2:]}) == 41


@pytest.mark.parametrize(
    ("mac", "is_multicast"),
    [
        (MAC, False),
        ("fe:ff:ff:ff:ff:ff", False),
        ("02:00:00:00:00:00", False),
        ("ff:ff:ff:ff:ff:ff", True),
        ("33:33:00:00:00:01", True),
        ("01-00-5E-00-00-01", True),
        ("0F0000000001", True),
    ],
)
def test_a_card_has_an_address_of_its_own_and_not_one_of_a_group(mac: str, is_multicast: bool) -> None:
    text = f"{mac} is a multicast address; the first octet must be even"
    assert told(nic(mac=mac).check([], None)) == ([("attributes.mac", text)] if is_multicast else [])


@pytest.mark.parametrize("spelt", [MAC, "00:A0:98:12:34:56", "00-a0-98-12-34-56", "00A098123456"])
def test_two_cards_of_a_vm_differ_however_their_addresses_are_spelt(spelt: str) -> None:
    others = placed(Display(), nic(), nic(mac="02:00:00:00:00:01"), nic(mac=spelt))
    assert told(nic(mac=MAC).check(others, None)) == [
        ("attributes.mac", f"{MAC} is the address of device 4 already")
    ]
    assert told(nic().check(others, None)) == []


def test_a_card_that_has_no_id_yet_is_not_named_by_one() -> None:
    assert told(nic(mac=MAC).check([Placed(-2, 1, None, nic(mac=MAC))], None)) == [
        ("attributes.mac", f"{MAC} is the address of another new device already")
    ]


@pytest.mark.parametrize("spelt", ["00-A0-98-12-34-56", "00A098123456"])
def test_the_guest_is_given_the_address_in_the_form_that_libvirt_reads(spelt: str) -> None:
    (element,) = nic(mac=spelt).xml(NAT, Slots())
    address = element.find("mac")
    assert address is not None
    assert address.get("address") == MAC


async def test_a_copy_has_an_address_of_its_own(bench: Bench) -> None:
    async with AsyncExitStack() as steps:
        copy = await nic(mac=MAC, nic_attach="br0", type="VIRTIO").copy_for("web", bench.ctx, steps)
    assert copy == nic(nic_attach="br0", type="VIRTIO")


# --- what there is to attach to ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("privileged", "names"),
    [
        (None, ["br0", "brother", "eth0", "user"]),
        (True, ["br0", "brother", "eth0", "user"]),
        (False, ["br0", "user"]),
    ],
)
async def test_only_an_engine_with_the_rights_to_it_uses_interfaces(
    bench: Bench, privileged: bool | None, names: list[str]
) -> None:
    if privileged is not None:
        bench.engine.become(privileged=privileged)
    assert list(await attachments(bench.ctx)) == names


async def test_a_bridge_is_what_the_kernel_calls_one_whatever_its_name(bench: Bench) -> None:
    found = await attachments(bench.ctx)
    assert (found["br0"], found["brother"]) == (BR0, Attachment("direct", "brother"))
    assert (found["eth0"], found["user"]) == (ETH0, NAT)


async def test_an_interface_may_have_the_name_of_the_choice_that_is_none(bench: Bench) -> None:
    bench.machine.network["user"] = Interface("user")
    assert (await attachments(bench.ctx))["user"] == Attachment("direct", "user")


async def test_choices_say_what_they_are(bench: Bench) -> None:
    assert await attachment_labels(bench.ctx) == {
        "br0": "br0: bridge of eth1",
        "brother": "brother: Realtek",
        "eth0": "eth0",
        "user": "user: NAT, reaches out and needs nothing of the host",
    }


@pytest.mark.parametrize(
    ("route", "attachment"),
    [
        ("br0", BR0),
        ("eth0", ETH0),
        # What is a port of a bridge is reached through that.
        ("eth1", BR0),
        ("wlan0", NAT),
        ("tap3", NAT),
        ("gone0", NAT),
        (None, NAT),
    ],
)
async def test_a_card_without_a_wish_goes_where_the_default_route_goes(
    bench: Bench, route: str | None, attachment: Attachment
) -> None:
    bench.machine.default_route = route
    assert await default_attachment(bench.ctx) == attachment
    assert await nic().resolve(bench.ctx) == attachment
    assert list(await nic().preflight(bench.ctx)) == []


async def test_without_the_rights_to_an_interface_it_goes_to_nat(bench: Bench) -> None:
    bench.engine.become(privileged=False)
    for route, attachment in (("eth0", NAT), ("eth1", BR0)):
        bench.machine.default_route = route
        assert await nic().resolve(bench.ctx) == attachment


@pytest.mark.parametrize(("name", "attachment"), [("br0", BR0), ("eth0", ETH0), ("user", NAT)])
async def test_a_card_goes_where_it_is_told_to(bench: Bench, name: str, attachment: Attachment) -> None:
    bench.machine.default_route = "eth1"
    device = nic(nic_attach=name)
    assert await device.examine(bench.ctx, [], None) == []
    assert list(await device.preflight(bench.ctx)) == []
    assert await device.resolve(bench.ctx) == attachment


@pytest.mark.parametrize("name", ["eth1", "wlan0", "tap3", "gone0", "BR0", "br0 ", "default"])
async def test_what_cannot_carry_a_card_is_refused_with_what_can(bench: Bench, name: str) -> None:
    text = f"{name} is not there to attach to; there is br0, brother, eth0, user"
    assert told(await nic(nic_attach=name).examine(bench.ctx, [], None)) == [("attributes.nic_attach", text)]


async def test_an_interface_that_has_gone_keeps_the_vm_from_starting_and_nothing_else(bench: Bench) -> None:
    device = nic(nic_attach="br7")
    assert list(await device.preflight(bench.ctx)) == ["the interface br7 is not there"]
    assert await nic(nic_attach="br7", type="VIRTIO").examine(bench.ctx, [], device) == []
    assert fields(await device.examine(bench.ctx, [], nic(nic_attach="br0"))) == ["attributes.nic_attach"]


# --- address filters --------------------------------------------------------------------------------

ONLY_VIRTIO = ("attributes.trust_guest_rx_filters", "is possible with type VIRTIO only")
ONLY_DIRECT = (
    "attributes.trust_guest_rx_filters",
    "is possible only on a host interface that is no bridge",
)


def trusting(name: str | None, type: str = "VIRTIO") -> Nic:
    return nic(type=type, nic_attach=name, trust_guest_rx_filters=True)


def test_only_a_virtio_card_tells_the_host_its_filters() -> None:
    assert told(trusting("eth0", "E1000").check([], None)) == [ONLY_VIRTIO]
    assert told(trusting("eth0").check([], None)) == []


@pytest.mark.parametrize(
    ("name", "route", "problems"),
    [
        ("eth0", None, []),
        ("brother", None, []),
        ("br0", "eth0", [ONLY_DIRECT]),
        ("user", "eth0", [ONLY_DIRECT]),
        (None, "eth0", []),
        (None, "eth1", [ONLY_DIRECT]),
        (None, "wlan0", [ONLY_DIRECT]),
        (None, None, [ONLY_DIRECT]),
    ],
)
async def test_only_an_interface_of_the_host_has_such_filters(
    bench: Bench, name: str | None, route: str | None, problems: list[tuple[str, str]]
) -> None:
    bench.machine.default_route = route
    assert told(await trusting(name).examine(bench.ctx, [], None)) == problems


async def test_filters_that_are_asked_for_later_are_looked_at_then(bench: Bench) -> None:
    old = nic(type="VIRTIO", nic_attach="br0")
    assert told(await trusting("br0").examine(bench.ctx, [], old)) == [ONLY_DIRECT]
    assert await trusting("br0").examine(bench.ctx, [], trusting("br0")) == []


@pytest.mark.parametrize(("trust", "text"), [(False, "no"), (True, "yes")])
def test_what_is_not_plugged_into_an_interface_has_no_filters(trust: bool, text: str) -> None:
    device = nic(type="VIRTIO", trust_guest_rx_filters=trust, mac=MAC)
    shown = [next(device.xml(each, Slots())).get("trustGuestRxFilters") for each in (ETH0, BR0, NAT)]
    assert shown == [text, None, None]


@pytest.mark.parametrize(("name", "identity"), [("br0", "br0"), (None, "default interface")])
def test_people_know_it_by_where_it_is_plugged_in(name: str | None, identity: str) -> None:
    assert nic(nic_attach=name).identity == identity
    assert (nic().boots_first, nic().caution) == (False, None)


def test_a_card_boots_at_its_place_among_the_devices() -> None:
    slots = Slots()
    assert slots.boot() == 1
    (element,) = nic(mac=MAC).xml(NAT, slots)
    boot = element.find("boot")
    assert boot is not None
    assert boot.get("order") == "2"
