"""``vm.get_guest_network_interfaces``: what a guest says of its network, which need not be so."""

import errno
import ipaddress
import re
from collections.abc import Sequence
from itertools import islice
from typing import Any, Literal

from vmstead.ctx import Ctx
from vmstead.errors import CallError
from vmstead.kernel.model import Field, Model
from vmstead.ports.engine import EngineError, EngineErrorKind, GuestInterface
from vmstead.rpc.registry import Namespace
from vmstead.vm.engine_calls import engine_errors
from vmstead.vm.entries import settled, status

vm = Namespace("vm")

#: More than any guest has; a guest that says more is cut off.
_MOST = 64
_LONGEST_NAME = 64
_MAC = re.compile(r"([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}")


class GuestAddress(Model):
    """An address that a guest says it has."""

    ip_address: str = Field(description="The address.")
    prefix: int = Field(description="How many of its bits are the network's.")
    ip_address_type: Literal["IPV4", "IPV6"] = Field(description="What it is.")


class GuestLink(Model):
    """An interface that a guest says it has."""

    name: str = Field(description="What the guest calls it.")
    hardware_address: str = Field(description="Its hardware address; empty where it has none.")
    ip_addresses: list[GuestAddress] = Field(description="Its addresses.")


def cleaned(interfaces: Sequence[GuestInterface]) -> list[dict[str, Any]]:
    """What a guest says, without what makes no sense and what is too much."""
    return [
        {
            "name": "".join(c for c in each.name if c.isprintable())[:_LONGEST_NAME],
            "hardware_address": each.mac.lower() if _MAC.fullmatch(each.mac) else "",
            "ip_addresses": [*islice(_addresses(each), _MOST)],
        }
        for each in islice(interfaces, _MOST)
    ]


def _addresses(interface: GuestInterface) -> Any:  # noqa: ANN401 - dictionaries, one after the other
    for text, prefix in interface.addresses:
        try:
            address = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            continue
        if 0 <= prefix <= address.max_prefixlen:
            kind = f"IPV{address.version}"
            yield {"ip_address": str(address), "prefix": prefix, "ip_address_type": kind}


@vm.method(role="VM_READ", returns=list[GuestLink])
async def get_guest_network_interfaces(ctx: Ctx, id: int) -> list[dict[str, Any]]:
    """The interfaces and addresses that a running guest says it has.

    It is asked through its agent (``qemu-guest-agent``). What it says need not be so: nothing may be allowed
    because of it. Fails with ENOTCONN when no agent answers within a few seconds.
    """
    target = await settled(ctx, id)
    if status(ctx.states.get(target.uuid))["state"] != "RUNNING":
        raise CallError(f"{target} is not running, so nobody in it can answer")
    with engine_errors(f"{target} could not be asked"):
        try:
            return cleaned(await ctx.engine.guest_interfaces(target.uuid))
        except EngineError as error:
            if error.kind is not EngineErrorKind.NO_AGENT:
                raise
            text = f"{target} does not answer: install and start qemu-guest-agent in it ({error})"
            raise CallError(text, errno.ENOTCONN) from error
