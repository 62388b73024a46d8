"""``system.general``, ``system.advanced`` and ``system.ntpserver``: settings of the host, as they are.

They are read from the host and from this server's own settings, never kept; what only an appliance has is
answered with what stands for "none", field by field. They are changed where they are kept.
"""

import asyncio
import ipaddress
import re
import socket
from pathlib import Path
from typing import Any, Literal

from vmstead.addresses import Address
from vmstead.ctx import Ctx
from vmstead.devices import pci
from vmstead.errors import host_errors
from vmstead.kernel.model import Field, Model
from vmstead.ports.hardware import PciDevice
from vmstead.query import Query
from vmstead.rpc.queries import QueryOptions
from vmstead.rpc.registry import Namespace
from vmstead.system.rows import instance

general = Namespace("system.general")
advanced = Namespace("system.advanced")
ntpserver = Namespace("system.ntpserver")

_DISPLAY = 0x03
_SERIAL_CONSOLE = re.compile(r"\bconsole=(ttyS\d+)(?:,(\d+))?")
_SPEEDS = ("9600", "19200", "38400", "57600", "115200")


class General(Model):
    """Where the API and the page are served, and where the host is."""

    id: int = Field(description="1.")
    ui_certificate: dict[str, Any] | None = Field(description="TLS: the file with the certificate.")
    ui_httpsport: int | None = Field(description="Port for TLS; null without TLS.")
    ui_httpsredirect: bool = Field(description="Whether plain HTTP leads to TLS; it does where there is TLS.")
    ui_httpsprotocols: list[str] = Field(description="Versions of TLS that are spoken.")
    ui_port: int | None = Field(description="Port without TLS; null with TLS.")
    ui_address: list[str] = Field(description="IPv4 addresses that are listened on.")
    ui_v6address: list[str] = Field(description="IPv6 addresses that are listened on.")
    ui_allowlist: list[str] = Field(description="Networks that may connect; empty: all.")
    ui_consolemsg: bool = Field(description="The page shows the host's console: it does not.")
    ui_x_frame_options: Literal["SAMEORIGIN"] = Field(description="Only the page itself may frame it.")
    kbdmap: str = Field(description="Layout of the keyboard at the host's console.")
    timezone: str = Field(description="Where the host is, as a name of the tz database.")
    usage_collection: bool = Field(description="Somebody is told how this is used: nobody is.")
    wizardshown: bool = Field(description="There is nothing left to be asked at the first visit.")
    usage_collection_is_set: bool = Field(description="That is certain.")
    ds_auth: bool = Field(description="Users of a directory may log in: there is none.")


@general.method(role="SYSTEM_GENERAL_READ", returns=General)
async def config(ctx: Ctx) -> dict[str, Any]:
    """Where the API and the page are served, and where the host is."""
    with host_errors("the host cannot be looked at"):
        machine = await ctx.host.machine()
        addresses = await _addresses(ctx.config.listen)
    certificate, port = ctx.config.certificate, ctx.config.listen.port if ctx.config.listen else None
    return {
        "id": 1,
        "ui_certificate": _certificate(certificate) if certificate else None,
        "ui_httpsport": port if certificate else None,
        "ui_httpsredirect": certificate is not None,
        "ui_httpsprotocols": ["TLSv1.2", "TLSv1.3"] if certificate else [],
        "ui_port": None if certificate else port,
        "ui_address": [each for each in addresses if ":" not in each],
        "ui_v6address": [each for each in addresses if ":" in each],
        "ui_allowlist": [],
        "ui_consolemsg": False,
        "ui_x_frame_options": "SAMEORIGIN",
        "kbdmap": machine.keymap,
        "timezone": machine.timezone,
        "usage_collection": False,
        "wizardshown": True,
        "usage_collection_is_set": True,
        "ds_auth": False,
    }


async def _addresses(listen: Address | None) -> list[str]:
    """What the address to listen on stands for."""
    if listen is None:
        return []
    if not listen.host:
        return ["0.0.0.0", "::"]  # noqa: S104 - told, not listened on
    try:
        return [str(ipaddress.ip_address(listen.host))]
    except ValueError:
        found = await asyncio.get_running_loop().getaddrinfo(listen.host, None, type=socket.SOCK_STREAM)
        return sorted({str(address[0]) for *_, address in found})


def _certificate(path: Path) -> dict[str, Any]:
    return {"id": 1, "name": path.stem, "certificate_path": str(path)}


class Advanced(Model):
    """What is told to the host's kernel, and to people."""

    id: int = Field(description="1.")
    advancedmode: bool = Field(description="Has no meaning here.")
    autotune: bool = Field(description="Has no meaning here.")
    kdump_enabled: bool = Field(description="A crash of the host's kernel leaves a dump.")
    boot_scrub: None = Field(description="Days between scrubs of the boot pool: there is none.")
    consolemenu: bool = Field(description="The host's console shows a menu: it does not.")
    consolemsg: bool = Field(description="The page shows the host's console: it does not.")
    debugkernel: bool = Field(description="Has no meaning here.")
    fqdn_syslog: bool = Field(description="Has no meaning here.")
    motd: str = Field(description="What people read after they have logged in at the host.")
    login_banner: str = Field(
        description="What people read before they log in; see system.advanced.login_banner."
    )
    powerdaemon: bool = Field(description="Has no meaning here.")
    serialconsole: bool = Field(description="The host has its console on a serial port.")
    serialport: str = Field(description="Which; empty where it has none there.")
    anonstats_token: str = Field(description="Empty: nobody is told how this is used.")
    serialspeed: str | None = Field(description="How fast that is; null where it is not told.")
    overprovision: None = Field(description="Has no meaning here.")
    traceback: bool = Field(description="Has no meaning here.")
    uploadcrash: bool = Field(description="Somebody is told of crashes: nobody is.")
    anonstats: bool = Field(description="Somebody is told how this is used: nobody is.")
    sed_user: None = Field(description="Who unlocks encrypting drives: not this server.")
    sysloglevel: Literal["F_INFO"] = Field(description="What this server logs.")
    syslogservers: list[str] = Field(description="Where logs are sent to: nowhere.")
    syslog_audit: bool = Field(description="The audit is sent there too.")
    isolated_gpu_pci_ids: list[str] = Field(
        description="GPUs that are kept for guests, by the driver vfio-pci."
    )
    kernel_extra_options: str = Field(description="The command line of the host's kernel.")


#: What only an appliance has.
_OFF = (
    "advancedmode",
    "anonstats",
    "autotune",
    "consolemenu",
    "consolemsg",
    "debugkernel",
    "fqdn_syslog",
    "powerdaemon",
    "syslog_audit",
    "traceback",
    "uploadcrash",
)
_NONE = ("boot_scrub", "overprovision", "sed_user")


@advanced.method(role="SYSTEM_ADVANCED_READ", returns=Advanced)
async def config_(ctx: Ctx) -> dict[str, Any]:
    """What is told to the host's kernel, and to people."""
    with host_errors("the host cannot be looked at"):
        machine = await ctx.host.machine()
        gpus = await _gpus(ctx)
    console = _SERIAL_CONSOLE.search(machine.kernel_options)
    return {
        "id": 1,
        **dict.fromkeys(_OFF, False),
        **dict.fromkeys(_NONE),
        "kdump_enabled": machine.has_crash_kernel,
        "motd": machine.motd,
        "login_banner": ctx.config.login_banner,
        "serialconsole": console is not None,
        "serialport": console[1] if console else "",
        "serialspeed": console[2] if console and console[2] in _SPEEDS else None,
        "anonstats_token": "",
        "sysloglevel": "F_INFO",
        "syslogservers": [],
        "isolated_gpu_pci_ids": [str(gpu.address) for gpu in gpus if gpu.driver == "vfio-pci"],
        "kernel_extra_options": machine.kernel_options,
    }


@advanced.method(is_public=True)
async def login_banner(ctx: Ctx) -> str:
    """What people are to read before they log in: the setting ``login_banner``; empty without one."""
    return ctx.config.login_banner


class GpuChoice(Model):
    """A GPU."""

    pci_slot: str = Field(description="Where it is.")
    uses_system_critical_devices: bool = Field(description="The host cannot do without it.")
    critical_reason: str | None = Field(description="Why no guest can have it; null when one can.")


@advanced.method(role="SYSTEM_ADVANCED_READ", returns=dict[str, GpuChoice])
async def get_gpu_pci_choices(ctx: Ctx) -> dict[str, dict[str, Any]]:
    """The GPUs of the host, by what they are and where."""
    with host_errors("the host's devices cannot be listed"):
        devices, has_iommu = await ctx.host.pci_devices(), await ctx.host.has_iommu()
        return {
            f"{gpu.product or 'Not Available'} [{gpu.address}]": {
                "pci_slot": str(gpu.address),
                "uses_system_critical_devices": pci.is_critical(gpu.address, devices),
                "critical_reason": pci.unusable(gpu.address, devices, has_iommu=has_iommu),
            }
            for gpu in await _gpus(ctx)
        }


async def _gpus(ctx: Ctx) -> list[PciDevice]:
    devices = await ctx.host.pci_devices()
    return [devices[address] for address in sorted(devices) if devices[address].class_code >> 16 == _DISPLAY]


class NtpServer(Model):
    """A server that the host's clock is set by."""

    id: int = Field(description="Its number, in the order in which they are configured.")
    address: str = Field(description="Its name or address.")
    burst: bool = Field(description="It is asked several times in a row.")
    iburst: bool = Field(description="It is asked several times in a row at first.")
    prefer: bool = Field(description="It is believed rather than others.")
    minpoll: int = Field(description="Shortest time between two questions, as a power of 2, in seconds.")
    maxpoll: int = Field(description="Longest time between two questions, as a power of 2, in seconds.")


async def _ntpservers(ctx: Ctx) -> list[dict[str, Any]]:
    with host_errors("the host's time servers cannot be listed"):
        found = await ctx.host.time_servers()
    names = ("address", "burst", "iburst", "prefer", "minpoll", "maxpoll")
    return [
        {"id": number, **{name: getattr(server, name) for name in names}}
        for number, server in enumerate(found, 1)
    ]


@ntpserver.query(role="SYSTEM_GENERAL_READ", returns=NtpServer)
async def query(ctx: Ctx, query: Query) -> object:
    """The servers that the host's clock is set by, as chrony, ntpd or systemd-timesyncd is told."""
    return query.apply(await _ntpservers(ctx))


@ntpserver.method(role="SYSTEM_GENERAL_READ", returns=NtpServer)
async def get_instance(ctx: Ctx, id: int, options: QueryOptions = {}) -> object:  # noqa: B006
    """One of them. Options are those of ``system.ntpserver.query``. Fails with ENOENT when there is none."""
    return instance("NTPServer", await _ntpservers(ctx), "id", id, options)
