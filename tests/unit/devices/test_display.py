"""DISPLAY: ports that nobody else has, passwords that the protocol can carry, addresses to listen on."""

from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.devices.support import OWN_PORT, Bench, fields, placed, refusals, told
from vmstead.addresses import DISPLAY_PORTS, PortRange
from vmstead.devices.display import Display, configured_ports, video_xml
from vmstead.devices.nic import Nic
from vmstead.errors import CallError


def display(port: int | None = None, web_port: int | None = None, **attributes: Any) -> Display:
    return Display.model_validate({"port": port, "web_port": web_port, **attributes})


def ports(device: Display) -> tuple[int | None, int | None]:
    return device.port, device.web_port


# --- what can be sent -------------------------------------------------------------------------------

RESOLUTIONS = [
    "1920x1200",
    "1920x1080",
    "1600x1200",
    "1600x900",
    "1400x1050",
    "1280x1024",
    "1280x720",
    "1024x768",
    "800x600",
    "640x480",
]
NO_ADDRESS = "Value error, Not an IP address; 127.0.0.1 is this host only, 0.0.0.0 every address"


def test_the_defaults_are_those_of_the_contract() -> None:
    assert display().entry() == {
        "dtype": "DISPLAY",
        "type": "SPICE",
        "resolution": "1024x768",
        "port": None,
        "web_port": None,
        "bind": "127.0.0.1",
        "wait": False,
        "password": None,
        "web": True,
    }


@pytest.mark.parametrize("resolution", RESOLUTIONS)
def test_every_resolution_of_the_contract_is_one(resolution: str) -> None:
    assert display(resolution=resolution).resolution == resolution


@pytest.mark.parametrize("name", ["port", "web_port"])
@pytest.mark.parametrize(("given", "port"), [(None, None), (0, None), (5900, 5900), (65535, 65535)])
def test_a_port_is_one_for_displays_or_left_to_the_server(name: str, given: object, port: object) -> None:
    assert Display.model_validate({name: given}).entry()[name] == port


@pytest.mark.parametrize("name", ["port", "web_port"])
@pytest.mark.parametrize(
    ("given", "text"),
    [
        (5899, "Input should be greater than or equal to 5900"),
        (1, "Input should be greater than or equal to 5900"),
        (-1, "Input should be greater than or equal to 5900"),
        (65536, "Input should be less than or equal to 65535"),
        ("5900", "Input should be a valid integer"),
        ("", "Input should be a valid integer"),
        (5900.0, "Input should be a valid integer"),
        (0.0, "Input should be a valid integer"),
        (False, "Input should be a valid integer"),
        (True, "Input should be a valid integer"),
    ],
)
def test_other_ports_are_refused(name: str, given: object, text: str) -> None:
    assert refusals(Display, **{name: given}) == {name: text}


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::", "::1", "192.0.2.7", "2001:db8::1"])
def test_any_address_can_be_listened_on(address: str) -> None:
    assert display(bind=address).bind == address


@pytest.mark.parametrize(
    ("attributes", "problems"),
    [
        ({"bind": "localhost"}, {"bind": NO_ADDRESS}),
        ({"bind": "127.0.0.1:5900"}, {"bind": NO_ADDRESS}),
        ({"bind": "10.0.0.0/8"}, {"bind": NO_ADDRESS}),
        ({"bind": "127.1"}, {"bind": NO_ADDRESS}),
        ({"bind": "[::1]"}, {"bind": NO_ADDRESS}),
        ({"bind": " ::1"}, {"bind": NO_ADDRESS}),
        ({"bind": "*"}, {"bind": NO_ADDRESS}),
        ({"bind": ""}, {"bind": "String should have at least 1 character"}),
        ({"bind": None}, {"bind": "Input should be a valid string"}),
        ({"type": "spice"}, {"type": "Input should be 'SPICE' or 'VNC'"}),
        ({"wait": 0}, {"wait": "Input should be a valid boolean"}),
        ({"web": None}, {"web": "Input should be a valid boolean"}),
        ({"password": 12345678}, {"password": "Input should be a valid string"}),
        ({"password": "x" * 1025}, {"password": "String should have at most 1024 characters"}),
        ({"password_configured": True}, {"password_configured": "Extra inputs are not permitted"}),
    ],
)
def test_what_no_display_can_be_is_refused(attributes: dict[str, Any], problems: dict[str, str]) -> None:
    assert refusals(Display, **attributes) == problems


@pytest.mark.parametrize("resolution", ["1x1", "1024X768", "1024 x 768", "", None])
def test_other_resolutions_are_refused_with_those_there_are(resolution: object) -> None:
    problems = refusals(Display, resolution=resolution)
    assert list(problems) == ["resolution"]
    assert all(repr(each) in problems["resolution"] for each in RESOLUTIONS)


# --- rules ------------------------------------------------------------------------------------------

VNC = [("attributes.password", "VNC passwords have at most 8 bytes")]
SPICE = [("attributes.password", "SPICE passwords have at most 60 bytes")]
CONTROL = [("attributes.password", "must not contain control characters")]


@pytest.mark.parametrize(
    ("type", "password", "problems"),
    [
        ("VNC", None, []),
        ("VNC", "", []),
        ("VNC", "12345678", []),
        ("VNC", "pass word", VNC),
        ("VNC", "123456789", VNC),
        ("VNC", "\u00fc" * 4, []),
        ("VNC", "\u00fc" * 5, VNC),
        ("SPICE", None, []),
        ("SPICE", "x" * 60, []),
        ("SPICE", "x" * 61, SPICE),
        ("SPICE", "\U0001f600" * 15, []),
        ("SPICE", "\U0001f600" * 16, SPICE),
        ("SPICE", "<&>\"' %s", []),
        ("SPICE", "a\n", CONTROL),
        ("SPICE", "a\0", CONTROL),
        ("VNC", "\x1b", CONTROL),
        ("VNC", "\uffff" * 100, CONTROL),
    ],
)
def test_a_password_is_one_that_the_protocol_carries(
    type: str, password: str | None, problems: list[tuple[str, str]]
) -> None:
    found = told(display(5900, 5901, type=type, password=password).check([], None))
    assert found == problems
    assert not any(password and password in text for _, text in found)


def test_the_display_and_its_web_page_have_ports_of_their_own() -> None:
    assert told(display(5900, 5900).check([], None)) == [("attributes.port", "must differ from web_port")]
    assert told(display(5900, 5901).check([], None)) == []
    assert told(display().check([], None)) == []


def test_a_vm_has_one_display_of_each_type() -> None:
    spice, vnc = display(5900, 5901), display(5902, 5903, type="VNC")
    assert told(spice.check(placed(Nic(), vnc), None)) == []
    for device in (spice, vnc):
        text = f"this VM has a {device.type} display already; one of each type is possible"
        assert told(device.check(placed(spice, vnc), None)) == [("attributes.type", text)]


def test_all_that_is_wrong_is_told_at_once() -> None:
    device = display(5900, 5900, type="VNC", password="too long for it")
    assert fields(device.check(placed(device), None)) == [
        "attributes.port",
        "attributes.type",
        "attributes.password",
    ]


# --- choosing ports ---------------------------------------------------------------------------------


async def test_the_lowest_free_ports_are_chosen(bench: Bench) -> None:
    bench.machine.ports = {5900, 5903}
    others = [*placed(display(5901, 5902)), *placed(Nic(), display(5905, 5906), vm=2)]
    assert ports(await display().complete(bench.ctx, others, None)) == (5904, 5907)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((5950, None), (5950, 5900)),
        ((None, 5950), (5900, 5950)),
        ((5900, None), (5900, 5901)),
        ((None, 5900), (5901, 5900)),
        ((5950, 5951), (5950, 5951)),
        ((None, None), (5900, 5901)),
    ],
)
async def test_ports_that_were_given_stay(
    bench: Bench, given: tuple[int | None, int | None], expected: tuple[int, int]
) -> None:
    assert ports(await display(*given).complete(bench.ctx, [], None)) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((None, None), (5950, 5951)),
        ((5960, None), (5960, 5951)),
        ((None, 5960), (5950, 5960)),
        # The client has given the stored port to the other purpose.
        ((5951, None), (5951, 5900)),
        ((None, 5950), (5900, 5950)),
        ((5951, 5950), (5951, 5950)),
    ],
)
async def test_ports_that_were_chosen_once_stay(
    bench: Bench, given: tuple[int | None, int | None], expected: tuple[int, int]
) -> None:
    # Its own guest listens there while it runs.
    bench.machine.ports = {5950, 5951}
    old = display(5950, 5951)
    filled = await display(*given).complete(bench.ctx, [], old)
    assert ports(filled) == expected
    assert told(filled.check([], old)) == []
    assert await filled.examine(bench.ctx, [], old) == []


async def test_a_stored_display_without_ports_gets_some(bench: Bench) -> None:
    assert ports(await display().complete(bench.ctx, [], display())) == (5900, 5901)


async def test_the_port_that_browsers_refuse_is_never_chosen(bench: Bench) -> None:
    bench.machine.ports = set(range(5900, 6000))
    assert ports(await display().complete(bench.ctx, [], None)) == (6001, 6002)


async def test_the_last_ports_are_given_out_too(bench: Bench) -> None:
    bench.machine.ports = set(DISPLAY_PORTS) - {65000, 65535}
    assert ports(await display().complete(bench.ctx, [], None)) == (65000, 65535)


async def test_where_ports_are_set_apart_for_displays_others_are_not_chosen(bench: Bench) -> None:
    config = replace(bench.ctx.config, display_ports=PortRange(5950, 5953))
    ctx = replace(bench.ctx, config=config)
    assert ports(await display().complete(ctx, placed(display(5950, 5952)), None)) == (5951, 5953)
    with pytest.raises(CallError, match="no TCP port from 5950 to 5953 is free for a display"):
        await display().complete(ctx, placed(display(5950, 5952), display(5951, 5900)), None)
    assert await display(5900, 5901).examine(ctx, [], None) == []


@pytest.mark.parametrize("free", [set[int](), {6000}, {65535}])
async def test_when_no_port_is_free_that_is_what_is_said(bench: Bench, free: set[int]) -> None:
    bench.machine.ports = set(DISPLAY_PORTS) - free
    with pytest.raises(CallError) as raised:
        await display().complete(bench.ctx, [], None)
    assert str(raised.value) == (
        "[ENOSPC] no TCP port from 5900 to 65535 is free for a display; name another one, or widen the setting "
        "display_ports"
    )
    assert ports(await display(5900, 5901).complete(bench.ctx, [], None)) == (5900, 5901)


# --- ports that are taken ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("device", "taken"),
    [
        (display(5900, 5902), ["port"]),
        (display(5902, 5901), ["web_port"]),
        (display(5901, 5900), ["port", "web_port"]),
        (display(5902, 5903), []),
        (display(6000, 5902), ["port"]),
        (display(5902, 6000), ["web_port"]),
        (display(OWN_PORT, 5902), ["port"]),
        (display(5900, 5902, bind="192.0.2.7"), ["port"]),
    ],
)
async def test_a_port_is_given_out_once_over_all_vms(bench: Bench, device: Display, taken: list[str]) -> None:
    others = placed(Nic(), display(5900, 5901), vm=2)
    assert told(await device.examine(bench.ctx, others, None)) == [
        (f"attributes.{name}", f"port {device.entry()[name]} is taken; null chooses a free one")
        for name in taken
    ]


async def test_what_listens_now_may_have_gone_at_the_start(bench: Bench) -> None:
    bench.machine.ports = {5900, 5901}
    assert await display(5900, 5901).examine(bench.ctx, [], None) == []


async def test_ports_that_somebody_else_was_given_too_keep_no_other_change_from_being_made(
    bench: Bench,
) -> None:
    others, old = placed(display(5900, 5901), vm=2), display(5900, 5950)
    assert await display(5900, 5950, wait=True).examine(bench.ctx, others, old) == []
    assert await display(5950, 5900).examine(bench.ctx, others, old) == []
    assert fields(await display(5901, 5950).examine(bench.ctx, others, old)) == ["attributes.port"]


def test_ports_count_whatever_they_are_for() -> None:
    devices = placed(display(5900, 5901), Nic(), display(5902, None), display())
    assert configured_ports(devices) == {5900, 5901, 5902}


# --- afterwards -------------------------------------------------------------------------------------


async def test_a_copy_has_no_ports_until_it_is_given_some(bench: Bench) -> None:
    original = display(5900, 5901, password="secret", bind="::")
    async with AsyncExitStack() as steps:
        copy = await original.copy_for("web", bench.ctx, steps)
    assert copy == display(password="secret", bind="::")
    assert ports(await copy.complete(bench.ctx, placed(original), None)) == (5902, 5903)


@pytest.mark.parametrize(
    ("bind", "password", "is_open"),
    [
        ("127.0.0.1", None, False),
        ("127.8.8.8", "", False),
        ("::1", None, False),
        ("0.0.0.0", "secret", False),
        ("::", "secret", False),
        ("0.0.0.0", None, True),
        ("0.0.0.0", "", True),
        ("::", None, True),
        ("192.0.2.7", None, True),
        ("10.0.0.1", None, True),
    ],
)
def test_a_display_that_anybody_may_use_is_pointed_out(
    bind: str, password: str | None, is_open: bool
) -> None:
    device = display(5900, 5901, bind=bind, password=password)
    text = f"the SPICE display at {bind}:5900 has no password: whoever reaches it may use it"
    assert device.caution == (text if is_open else None)


def test_people_know_it_by_where_it_listens() -> None:
    assert display(5900, 5901).identity == "127.0.0.1:5900"
    assert display(5900, 5901).boots_first is False


@pytest.mark.parametrize("resolution", RESOLUTIONS)
@pytest.mark.parametrize("model", ["qxl", "vga"])
def test_a_graphics_card_has_memory_for_two_buffers_of_every_resolution(model: str, resolution: str) -> None:
    card = video_xml("qxl" if model == "qxl" else "vga", resolution).find("model")
    assert card is not None
    width, height = (int(part) for part in resolution.split("x"))
    (size,) = card.iter("resolution")
    assert (size.get("x"), size.get("y")) == (str(width), str(height))
    assert int(card.get("vgamem") or card.get("vram") or 0) * 1024 >= 2 * 4 * width * height


def test_a_graphics_card_can_be_had_without_a_display() -> None:
    card = video_xml("vga").find("model")
    assert card is not None
    assert (card.get("type"), list(card)) == ("vga", [])
