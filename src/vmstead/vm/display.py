"""Displays: which there are, where a browser finds them, and which ports are free for another."""

import errno
import ipaddress
from base64 import b64encode
from typing import Any, Literal
from urllib.parse import quote

from vmstead.ctx import Ctx
from vmstead.devices.display import Display, free_ports, resolutions
from vmstead.errors import CallError, Problem, ValidationErrors
from vmstead.kernel.model import Field, Model, Text
from vmstead.rpc.registry import Namespace
from vmstead.vm.engine_calls import engine_errors
from vmstead.vm.entries import all_devices, device_entry, devices_of, placed, settled, shown
from vmstead.vm.shapes import DeviceShape

vm = Namespace("vm")

_NO_DISPLAY = "Display device is not configured for this VM"
#: Seconds that a ticket lives unused. A SPICE session opens its connections one after the other.
_TICKET_SECONDS = 30


class DisplayShape(DeviceShape):
    """A display of a virtual machine."""

    password_configured: bool = Field(description="Whether viewers must enter a password.")


@vm.method(role="VM_READ", returns=list[DisplayShape])
async def get_display_devices(ctx: Ctx, id: int) -> list[dict[str, Any]]:
    """The displays of a virtual machine. An empty list also where there is no such machine."""
    entries = [device_entry(row) for row in ctx.vms.devices_of(id)]
    return [
        {
            **shown(ctx, entry, "VM_DEVICE_WRITE"),
            "password_configured": bool(entry["attributes"]["password"]),
        }
        for entry in entries
        if _is_display(entry)
    ]


def _is_display(entry: dict[str, Any]) -> bool:
    return isinstance(placed([entry])[0].device, Display)


class WebUriOptions(Model):
    """What the address is to begin with."""

    protocol: Literal["HTTP", "HTTPS"] = Field("HTTP", description="How the browser reaches this server.")


class WebUri(Model):
    """Where a browser finds a display."""

    error: str | None = Field(description="Why there is none.")
    uri: str | None = Field(description="The address, null with an error.")


@vm.method(role="VM_READ", returns=WebUri)
async def get_display_web_uri(
    ctx: Ctx, id: int, host: Text = "", options: WebUriOptions = WebUriOptions()
) -> dict[str, str | None]:
    """The page with the first display of a virtual machine that is offered in the web page.

    ``host`` is what the browser reached this server under, with the port if it is not the usual one; if it is
    empty, the address that this connection came to is taken. The password is never part of the address.
    """
    displays = [each for each in devices_of(ctx, id) if isinstance(each.device, Display)]
    if not displays:
        return {"error": _NO_DISPLAY, "uri": None}
    offered = [each.id for each in displays if isinstance(each.device, Display) and each.device.web]
    if not offered:
        return {"error": "Web display is not configured", "uri": None}
    path = f"vm/display/{offered[0]}/"
    query = f"path={quote(path, safe='')}&autoconnect=1"
    where = host or _reached_under(ctx)
    return {
        "error": None,
        "uri": f"{options.protocol.lower()}://{where}/{path}spice_auto.html?{query}",
    }


def _reached_under(ctx: Ctx) -> str:
    """The server's own end of the connection, as it stands in an address; for a unix peer where it listens."""
    origin, listen = ctx.session.origin, ctx.config.listen
    if origin.local_address:
        return _written(origin.local_address, origin.local_port)
    if listen is None or ipaddress.ip_address(listen.host).is_unspecified:
        return f"localhost:{listen.port}" if listen else "localhost"
    return _written(listen.host, listen.port)


def _written(address: str, port: int) -> str:
    ip = ipaddress.ip_address(address.partition("%")[0])
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return f"[{ip}]:{port}" if ip.version == 6 else f"{ip}:{port}"


class TicketOptions(Model):
    """What is to be opened, and how."""

    device: int | None = Field(None, description="Id of the display; null: the first that the page offers.")
    view_only: bool = Field(False, description="Look without touching the keyboard and the mouse.")
    take_over: bool = Field(False, description="Send away who looks at a SPICE display now.")


class DisplayTicket(Model):
    """How a viewer in a browser reaches a display."""

    device: int = Field(description="Id of the display.")
    type: Literal["SPICE", "VNC"] = Field(description="Its protocol.")
    path: str = Field(description="Path and query of the WebSocket that speaks it.")
    view_only: bool = Field(
        description="The keyboard and the mouse do nothing: asked for, or all that is allowed."
    )
    viewers: list[str] = Field(description="Users who look at it at this moment.")


@vm.method(role="VM_READ", returns=DisplayTicket)
async def get_display_ticket(
    ctx: Ctx, id: int, options: TicketOptions = TicketOptions()
) -> dict[str, object]:
    """Let a browser on this connection's host open a display, within half a minute.

    The WebSocket at ``path`` speaks the display's own protocol, logged in already: no password is asked for.
    Who lacks the role VM_WRITE may only look.

    Fails with EBUSY while somebody else looks at a SPICE display, which serves one viewer, unless ``take_over``
    is set. Who may only look cannot send away who may do more.
    """
    target = await settled(ctx, id)
    if not ctx.states.get(target.uuid).active:
        raise CallError(f"{target} is not running; start it to see its display", errno.EAGAIN)
    device_id, display = _offered(ctx, id, options.device)
    view_only = options.view_only or not ctx.caller.may("VM_WRITE")
    present = ctx.viewers.of(device_id)
    names = [viewing.username for viewing in present]
    if display.type == "SPICE" and present:
        if view_only and not all(viewing.view_only for viewing in present):
            raise CallError(
                f"{names[0]} works at this display; who only looks cannot take it over", errno.EBUSY
            )
        if not options.take_over:
            raise CallError(f"{names[0]} looks at this display; with take_over it is yours", errno.EBUSY)
    attributes = {
        "display": device_id,
        "uuid": target.uuid,
        "protocol": display.type.lower(),
        "view_only": view_only,
        "take_over": options.take_over,
    }
    token = ctx.tokens.issue(
        ctx.caller, ctx.session.id, ttl=_TICKET_SECONDS, attributes=attributes, origin=ctx.session.origin
    )
    path = f"/vm/display/{device_id}/?ticket={token}"
    return {
        "device": device_id,
        "type": display.type,
        "path": path,
        "view_only": view_only,
        "viewers": names,
    }


def _offered(ctx: Ctx, id: int, device_id: int | None) -> tuple[int, Display]:
    """The display to open. Raises what tells why there is none."""
    displays = [
        (each.id, each.device)
        for each in devices_of(ctx, id)
        if isinstance(each.device, Display) and device_id in (None, each.id)
    ]
    if not displays and device_id is not None:
        problem = Problem("options.device", f"VM {id} has no display with the id {device_id}", errno.ENOENT)
        raise ValidationErrors([problem])
    offered = [(each, display) for each, display in displays if display.web and each is not None]
    if not offered:
        raise CallError("Web display is not configured" if displays else _NO_DISPLAY, errno.ENODEV)
    return offered[0]


@vm.method(role="VM_READ")
async def get_screenshot(ctx: Ctx, id: int) -> str:
    """What is on the screen of an active virtual machine: a PNG image, as Base64.

    Fails with EAGAIN when it is not active.
    """
    target = await settled(ctx, id)
    if not ctx.states.get(target.uuid).active:
        raise CallError(f"{target} is not running; start it to see its display", errno.EAGAIN)
    with engine_errors(f"the screen of {target} cannot be shown"):
        return b64encode(await ctx.engine.screenshot(target.uuid)).decode()


@vm.method(role="VM_READ")
async def port_wizard(ctx: Ctx) -> dict[str, int]:
    """Two TCP ports that are free for a display: on which nothing listens, and that no display has.

    Nothing is reserved by asking. A display whose ports are null gets such ports at its creation.
    """
    port, web = await free_ports(ctx, all_devices(ctx), 2)
    return {"port": port, "web": web}


@vm.method(role="VM_READ")
async def resolution_choices(ctx: Ctx) -> dict[str, str]:
    """The sizes that a screen can have at the start."""
    return {size: size for size in resolutions()}
