"""``vmstead network``: networks for guests, made on this machine by its administrator.

The server has no part in it: it may not change the host's network, and what goes wrong here must not depend on a
connection to it. It finds the bridges by looking at the host.
"""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from vmstead.cli.options import read_settings, settings_options
from vmstead.cli.tables import table
from vmstead.config import Config

if TYPE_CHECKING:
    from vmstead.network.listing import Listed
    from vmstead.ports.host_network import Cable, HostNetwork, Trials
    from vmstead.ports.networks import NatNetwork, NatNetworks

T = TypeVar("T")


@dataclass
class Desk:
    """The host, and what is known of its networks."""

    config: Config
    host: "HostNetwork"
    trials: "Trials"

    @asynccontextmanager
    async def nat(self) -> AsyncIterator["NatNetworks"]:
        """libvirt's networks; without a libvirt that can keep any, the command ends."""
        from vmstead.adapters.engine_choice import nat_networks
        from vmstead.adapters.linux_host import LinuxHost

        async with nat_networks(self.config, LinuxHost()) as networks:
            if networks is None:
                raise click.ClickException(
                    f"engine = {self.config.engine} has no NAT networks on this machine; run this as root, with "
                    "engine = auto, private or qemu:///system"
                )
            yield networks

    def users(self) -> Mapping[str, list[str]]:
        """Names of the VMs whose NICs are attached to an interface, by its name; whether the server runs or not."""
        from vmstead.store.db import DatabaseError
        from vmstead.store.files import DATABASE, KEY, open_settings
        from vmstead.store.seal import Seal
        from vmstead.store.vms import VmStore

        found: dict[str, list[str]] = {}
        if not (self.config.state / DATABASE).exists():
            return found
        try:
            database = open_settings(self.config.state)
        except (OSError, DatabaseError) as error:
            raise click.ClickException(f"it cannot be seen which VMs there are: {error}") from None
        with closing(database):
            for vm in VmStore(database, Seal(self.config.state / KEY)).all_stored():
                bridges = {device["attributes"].get("nic_attach") for device in vm.devices} - {None}
                for bridge in sorted(bridges):
                    found.setdefault(bridge, []).append(vm.row["name"])
        return found


def _desk(given: dict[str, object], config_file: Path | None) -> Desk:
    from vmstead.adapters.host_network import LinuxHostNetwork
    from vmstead.adapters.trials import FileTrials

    config = read_settings(given, config_file).config
    return Desk(config, LinuxHostNetwork(config.state / "networks"), FileTrials())


def _root() -> None:
    if os.geteuid() != 0:
        raise click.ClickException("the network of this machine is root's alone; use sudo")


def _run(work: Coroutine[Any, Any, T]) -> T:
    """Do it; what goes wrong ends the command with one line."""
    from vmstead.ports.engine import EngineError
    from vmstead.ports.host_network import NetworkError

    try:
        return asyncio.run(work)
    except NetworkError as error:
        raise click.ClickException(str(error)) from None
    except EngineError as error:
        raise click.ClickException(f"libvirt: {error}") from None


def _note(desk: Desk, method: str, what: str) -> None:
    """Put it into the audit trail."""
    from vmstead.cli.audited import note

    note(desk.config.state, f"network.{method}", what)


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of networks that begin so."""
    given = {name: value for name in ("state", "engine", "accel") if (value := ctx.params.get(name))}
    try:
        rows = asyncio.run(_listed(_desk(given, ctx.params.get("config_file")), start=False))
    except Exception:  # noqa: BLE001 - at the tabulator nothing is said
        return []
    return [CompletionItem(each.name, help=each.kind) for each in rows if each.name.startswith(incomplete)]


_within = click.option(
    "--confirm-within",
    type=click.IntRange(1, 3600),
    default=60,
    show_default=True,
    metavar="SECONDS",
    help="Take it back unless it is confirmed in that time.",
)


@click.group()
def network() -> None:
    """Networks for virtual machines: behind this machine's address, or bridges over its cards.

    They are made on this machine, by root. A NIC is on one by its name: nic_attach, or --nic of vmstead vm create.
    """


@network.command(
    "create-nat", epilog="\b\nExample:\n  vmstead network create-nat lab0 --subnet 192.168.100.0/24"
)
@click.argument("name")
@click.option("--subnet", metavar="NETWORK/BITS", help="Its addresses; a free private /24 by default.")
@settings_options("state", "engine", "accel")
def create_nat(name: str, subnet: str | None, config_file: Path | None, **given: object) -> None:
    """Make a network behind this machine's address.

    Guests get addresses by DHCP, know each other by name, and reach out by this machine's address; nobody outside
    reaches them. It is there again whenever the machine starts.
    """
    _root()
    if shutil.which("dnsmasq", path=f"{os.environ.get('PATH', '')}:/usr/sbin") is None:
        raise click.ClickException(
            "dnsmasq, which gives guests their addresses, is not installed; "
            "install it with: apt-get install dnsmasq-base"
        )
    desk = _desk(given, config_file)

    async def work() -> "NatNetwork":
        from vmstead.network.nat import create_nat

        async with desk.nat() as networks:
            return await create_nat(networks, desk.host, name, subnet)

    made = _run(work())
    _note(desk, "create_nat", f"Make NAT network {name} with {made.gateways[0]}")
    click.echo(f"Made {name}: this machine has {made.gateways[0]} there, guests get theirs by DHCP.")
    click.echo(f"A NIC is on it with: nic_attach={name}")


@network.command("create-bridge", epilog="\b\nExample:\n  vmstead network create-bridge lan0 --port enp1s0")
@click.argument("name")
@click.option("--port", required=True, metavar="INTERFACE", help="The network card that the bridge is over.")
@_within
@settings_options("state")
def create_bridge(
    name: str, port: str, confirm_within: int, config_file: Path | None, **given: object
) -> None:
    """Make a bridge over a network card, on which guests are as this machine is.

    The card's addresses and routes move to the bridge. Unless "vmstead network confirm" is run in time,
    everything becomes as it was, by itself; so it does when this command or the connection to this machine dies,
    or the machine starts anew. Once it is confirmed, the bridge is there whenever the machine starts. It works
    where systemd-networkd or ifupdown configures the card, or nobody does.
    """
    _root()
    desk = _desk(given, config_file)

    async def work() -> "Cable":
        from vmstead.adapters.network_guard import make_guards
        from vmstead.network.bridge import create_bridge

        await create_bridge(desk.host, desk.trials, make_guards(), name, port, confirm_within)
        return (await desk.host.cabling()).cables[name]

    bridge = _run(work())
    _note(desk, "create_bridge", f"Make bridge {name} over {port}, on trial")
    has = ", ".join(each.interface for each in bridge.addresses) or "no address, as the card had none"
    click.echo(f"Bridge {name} over {port} is there, with {has}.")
    _say_trial(confirm_within, f"{name} goes away again")
    users = desk.users().get(port)
    if users:
        click.echo(
            f"NICs of {', '.join(users)} are attached to {port}, where they cannot be now. Once it is confirmed: "
            f"vmstead vm devices set {users[0]} NIC nic_attach={name}"
        )


def _say_trial(seconds: int, otherwise: str) -> None:
    click.echo(f"In {seconds} seconds {otherwise}, unless you run: vmstead network confirm")


@network.command()
@settings_options("state")
def confirm(config_file: Path | None, **given: object) -> None:
    """Keep the bridge that is on trial, or the end of one."""
    _root()
    desk = _desk(given, config_file)
    from vmstead.network.bridge import confirm

    change = _run(confirm(desk.host, desk.trials))
    done = "Keep" if change.verb == "create" else "Do without"
    _note(desk, "confirm", f"{done} bridge {change.bridge} over {change.port}")
    if change.verb == "create":
        click.echo(f"Bridge {change.bridge} stays. A NIC is on it with: nic_attach={change.bridge}")
    else:
        click.echo(f"Bridge {change.bridge} is no more.")


@network.command()
@settings_options("state")
def rollback(config_file: Path | None, **given: object) -> None:
    """Take the change that is on trial back now."""
    _root()
    desk = _desk(given, config_file)
    from vmstead.network.bridge import roll_back

    change = _run(roll_back(desk.host, desk.trials))
    _note(desk, "rollback", f"Take back: {change.verb} bridge {change.bridge}")
    click.echo(f"Everything is as it was before you ran {change.verb} for {change.bridge}.")


@network.command()
@click.argument("name", shell_complete=_complete)
@_within
@settings_options("state", "engine", "accel")
def delete(name: str, confirm_within: int, config_file: Path | None, **given: object) -> None:
    """Delete a network that was made by vmstead. No NIC of a virtual machine may be attached to it.

    A bridge gives its addresses back to its card. It comes back unless "vmstead network confirm" is run in time.
    """
    _root()
    desk = _desk(given, config_file)

    async def work() -> bool:
        from vmstead.adapters.network_guard import make_guards
        from vmstead.network.bridge import delete_bridge
        from vmstead.network.nat import delete_nat
        from vmstead.ports.host_network import NetworkError

        users = desk.users()
        for kept in await desk.host.kept():
            if kept.bridge == name:
                vms = users.get(name, ())
                await delete_bridge(desk.host, desk.trials, make_guards(), kept, vms, confirm_within)
                return True
        async with desk.nat() as networks:
            for each in await networks.networks():
                if name in (each.name, each.bridge):
                    await delete_nat(networks, desk.host, each, users)
                    return False
        raise NetworkError(f"vmstead has made no network {name}; vmstead network list shows what there is")

    on_trial = _run(work())
    _note(desk, "delete", f"Delete network {name}")
    if on_trial:
        click.echo(f"Bridge {name} is gone.")
        _say_trial(confirm_within, "it comes back")
    else:
        click.echo(f"Deleted {name}.")


@network.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@settings_options("state", "engine", "accel")
def list_(as_json: bool, config_file: Path | None, **given: object) -> None:
    """List the networks, and who uses them.

    These are libvirt's NAT networks, whoever made them, and the bridges that were made by vmstead.
    """
    _root()
    rows = _run(_listed(_desk(given, config_file)))
    if as_json:
        click.echo(json.dumps([asdict(each) for each in rows], indent=2))
        return
    cells = [
        (
            each.name,
            each.kind,
            _state(each),
            ", ".join(each.addresses) or "-",
            each.port or "-",
            ", ".join(each.vms) or "-",
        )
        for each in rows
    ]
    click.echo(table(("NAME", "KIND", "STATE", "ADDRESS", "PORT", "VM"), cells))


def _state(each: "Listed") -> str:
    words = {"ACTIVE": "active", "INACTIVE": "inactive", "STUCK": "not taken back"}
    return words.get(each.state) or f"on trial, {each.seconds:.0f} s"


async def _listed(desk: Desk, *, start: bool = True) -> "list[Listed]":
    """All networks. ``start``: also those of a private libvirtd that does not run now."""
    from vmstead.adapters.engine_choice import nat_networks
    from vmstead.adapters.linux_host import LinuxHost
    from vmstead.network.listing import listing

    networks: Sequence[NatNetwork] = ()
    async with nat_networks(desk.config, LinuxHost(), start=start) as found:
        if found is not None:
            networks = await found.networks()
    cabling, kept, change = await desk.host.cabling(), await desk.host.kept(), await desk.trials.read()
    users = await asyncio.to_thread(desk.users)
    return listing(cabling, networks, kept, change, desk.trials.now(), users)
