"""Displays: which there are, where a browser finds them, and which ports are free for another."""

import ipaddress
from typing import Any, Literal
from urllib.parse import quote

from vmstead.ctx import Ctx
from vmstead.devices.display import Display, free_ports, resolutions
from vmstead.kernel.model import Field, Model, Text
from vmstead.rpc.registry import Namespace
from vmstead.vm.entries import device_entry, placed, shown
from vmstead.vm.shapes import DeviceShape

vm = Namespace("vm")


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
    displays = [each for each in placed(ctx.vms.devices_of(id)) if isinstance(each.device, Display)]
    if not displays:
        return {"error": "Display device is not configured for this VM", "uri": None}
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


@vm.method(role="VM_READ")
async def port_wizard(ctx: Ctx) -> dict[str, int]:
    """Two TCP ports that are free for a display: on which nothing listens, and that no display has.

    Nothing is reserved by asking. A display whose ports are null gets such ports at its creation.
    """
    port, web = await free_ports(ctx, placed(ctx.vms.all_devices()), 2)
    return {"port": port, "web": web}


@vm.method(role="VM_READ")
async def resolution_choices(ctx: Ctx) -> dict[str, str]:
    """The sizes that a screen can have at the start."""
    return {size: size for size in resolutions()}
