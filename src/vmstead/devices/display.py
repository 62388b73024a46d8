"""DISPLAY: a screen, keyboard and mouse over the network."""

import errno
import ipaddress
import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack
from typing import Annotated, Literal, Self, get_args

from pydantic import AfterValidator, BeforeValidator, Field

from vmstead.addresses import DISPLAY_PORTS
from vmstead.ctx import Ctx
from vmstead.devices.base import Device, Placed, Slots, problem
from vmstead.errors import CallError, Problem
from vmstead.kernel.model import NonEmpty, Text
from vmstead.kernel.xml import Element, el

#: X11's, which browsers refuse to talk to.
_NEVER = frozenset({6000})
#: Bytes of a password: all that VNC's scheme looks at, and all that SPICE's server takes.
_LONGEST_PASSWORD = {"VNC": 8, "SPICE": 60}

Resolution = Literal[
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


def _ip(text: str) -> str:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        raise ValueError("Not an IP address; 127.0.0.1 is this host only, 0.0.0.0 every address") from None
    return text


def _zero_is_null(value: object) -> object:
    # Some clients send 0 where they mean "choose one".
    return None if type(value) is int and value == 0 else value


Port = Annotated[
    Annotated[int, Field(ge=DISPLAY_PORTS.first, le=DISPLAY_PORTS.last)] | None,
    BeforeValidator(_zero_is_null),
]


class Display(Device):
    """A SPICE or VNC display with a pointer that follows the viewer's."""

    dtype: Literal["DISPLAY"] = "DISPLAY"
    type: Literal["SPICE", "VNC"] = Field("SPICE", description="The protocol.")
    resolution: Resolution = Field("1024x768", description="Size of the screen at start.")
    port: Port = Field(None, description="TCP port of the display; chosen if null.")
    web_port: Port = Field(None, description="Kept for clients that read it; chosen if null.")
    bind: Annotated[NonEmpty, AfterValidator(_ip)] = Field(
        "127.0.0.1", description="Address the display listens on."
    )
    wait: bool = Field(False, description="Hold the guest until somebody looks.")
    password: Text | None = Field(None, description="What viewers must enter; none if null or empty.")
    web: bool = Field(True, description="Offer the display in the web page.")

    async def complete(self, ctx: Ctx, others: Sequence[Placed], old: Self | None) -> Self:
        # What was chosen once stays: clients that leave the ports to the server do so at every update.
        port = self.port or self._kept(old.port if old else None)
        web_port = self.web_port or self._kept(old.web_port if old else None)
        if not port or not web_port:
            given = {each for each in (port, web_port) if each}
            free = iter(await free_ports(ctx, others, 2 - len(given), but=given))
            port, web_port = port or next(free), web_port or next(free)
        return self.model_copy(update={"port": port, "web_port": web_port})

    def _kept(self, port: int | None) -> int | None:
        """The stored port, unless the client has given it to the other purpose now."""
        return port if port not in (self.port, self.web_port) else None

    def check(self, siblings: Sequence[Placed], old: Self | None) -> Iterator[Problem]:
        if self.port is not None and self.port == self.web_port:
            yield problem("port", "must differ from web_port")
        if any(isinstance(other.device, Display) and other.device.type == self.type for other in siblings):
            yield problem("type", f"this VM has a {self.type} display already; one of each type is possible")
        longest = _LONGEST_PASSWORD[self.type]
        if not (self.password or "").isprintable():
            yield problem("password", "must not contain control characters")
        elif len((self.password or "").encode()) > longest:
            yield problem("password", f"{self.type} passwords have at most {longest} bytes")

    async def examine(self, ctx: Ctx, others: Sequence[Placed], old: Self | None) -> list[Problem]:
        taken = configured_ports(others) | _NEVER | _own_port(ctx)
        return [
            problem(name, f"port {port} is taken; null chooses a free one")
            for name, port in (("port", self.port), ("web_port", self.web_port))
            if port in taken and (old is None or port not in (old.port, old.web_port))
        ]

    async def copy_for(self, name: str, ctx: Ctx, steps: AsyncExitStack) -> Self:
        return self.model_copy(update={"port": None, "web_port": None})

    def xml(self, resolved: object, slots: Slots) -> Iterator[Element]:
        """See https://libvirt.org/formatdomain.html#graphical-framebuffers."""
        is_spice = self.type == "SPICE"
        yield el(
            "graphics",
            el("listen", type="address", address=self.bind),
            type=self.type.lower(),
            port=self.port,
            autoport=False,
            passwd=self.password or None,
        )
        if slots.once("pointer"):
            index, controller = slots.usb_controller("nec-xhci")
            yield from controller
            yield el("input", el("address", type="usb", bus=index), type="tablet", bus="usb")
        if is_spice and slots.once("spicevmc"):
            yield el("channel", el("target", type="virtio", name="com.redhat.spice.0"), type="spicevmc")
        if slots.once("video"):
            yield video_xml("qxl" if is_spice else "vga", self.resolution)

    @property
    def holds_guest(self) -> bool:
        return self.wait

    @property
    def caution(self) -> str | None:
        if self.password or ipaddress.ip_address(self.bind).is_loopback:
            return None
        return f"the {self.type} display at {self.identity} has no password: whoever reaches it may use it"

    @property
    def identity(self) -> str:
        return f"{self.bind}:{self.port}"


def video_xml(model: Literal["qxl", "vga"], resolution: str | None = None) -> Element:
    """A graphics card. Sizes are KiB, large enough for the largest resolution with two buffers."""
    width, _, height = (resolution or "").partition("x")
    sizes = {"ram": 131072, "vram": 65536, "vgamem": 65536} if model == "qxl" else {"vram": 65536}
    return el(
        "video",
        el("model", el("resolution", x=width, y=height) if resolution else None, type=model, **sizes),
    )


def configured_ports(devices: Sequence[Placed]) -> frozenset[int]:
    """The ports that these devices have, whether their VMs run or not."""
    return frozenset(
        port
        for placed in devices
        if isinstance(placed.device, Display)
        for port in (placed.device.port, placed.device.web_port)
        if port
    )


async def free_ports(ctx: Ctx, others: Sequence[Placed], count: int, but: Collection[int] = ()) -> list[int]:
    """The lowest ports for displays that nothing listens on and no display has.

    Raises:
        CallError: ENOSPC, when there are not so many.
    """
    used = configured_ports(others) | await ctx.host.listening_ports() | _NEVER | _own_port(ctx) | {*but}
    ports = ctx.config.display_ports
    found = list(itertools.islice((port for port in ports if port not in used), count))
    if len(found) < count:
        text = (
            f"no TCP port from {ports.first} to {ports.last} is free for a display; name another one, or widen the "
            "setting display_ports"
        )
        raise CallError(text, errno.ENOSPC)
    return found


async def taken_port(ctx: Ctx, devices: Iterable[Device]) -> str | None:
    """Which of these displays is to have a port on which something listens, with what to do about it.

    None where there is none. The displays are those of a VM that is off.
    """
    listening = await ctx.host.listening_ports()
    for device in devices:
        if isinstance(device, Display) and device.port in listening:
            return (
                f"another program listens on port {device.port} of its {device.type} display; give the display "
                "another port with vm.device.update"
            )
    return None


def _own_port(ctx: Ctx) -> set[int]:
    """Where the server itself listens; at this moment it may not do so yet, or no more."""
    return {ctx.config.listen.port} if ctx.config.listen is not None else set()


def resolutions() -> tuple[str, ...]:
    """The sizes that a screen can have, largest first."""
    return get_args(Resolution)
