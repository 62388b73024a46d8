"""NIC: a network card."""

import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field

from vmstead.ctx import Ctx
from vmstead.devices.base import Device, Placed, Slots, problem
from vmstead.errors import Problem
from vmstead.kernel.model import NonEmpty, Text
from vmstead.kernel.xml import Element, el

#: The choice that needs nothing of the host: QEMU translates addresses itself, guests reach out, nobody in.
USER_NAT = "user"

_MAC = re.compile(r"([0-9A-Fa-f]{2}[:-]?){5}[0-9A-Fa-f]{2}")


def _mac(text: str) -> str:
    if not _MAC.fullmatch(text):
        raise ValueError("Not a MAC address; write it like 00:a0:98:12:34:56")
    return text


@lru_cache(maxsize=10_000)
def canonical_mac(mac: str) -> str:
    """The form in which two spellings of an address are equal: lower case, with colons."""
    digits = re.sub("[:-]", "", mac).lower()
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2))


def random_mac() -> str:
    """An address in the range that TrueNAS draws from."""
    last = (secrets.randbelow(0x80), secrets.randbelow(0x100), secrets.randbelow(0x100))
    return "00:a0:98:" + ":".join(f"{part:02x}" for part in last)


@dataclass(frozen=True)
class Attachment:
    """Where a NIC is plugged in: ``kind`` is libvirt's interface type, ``name`` the bridge or device."""

    kind: Literal["bridge", "direct", "user"]
    name: str | None = None


class Nic(Device):
    """A network card, plugged into a bridge, into a host interface (macvtap) or into user-mode NAT."""

    dtype: Literal["NIC"] = "NIC"
    type: Literal["E1000", "VIRTIO"] = Field("E1000", description="The card that the guest sees.")
    nic_attach: NonEmpty | None = Field(
        None,
        description="One of vm.device.nic_attach_choices; null: the interface of the default route, "
        "or user-mode NAT where a guest cannot be attached to that.",
    )
    mac: Annotated[Text, AfterValidator(_mac)] | None = Field(
        None, description="Hardware address; made up once if null."
    )
    trust_guest_rx_filters: bool = Field(
        False, description="Let the guest change its address filters (VIRTIO on a host interface only)."
    )

    async def complete(self, ctx: Ctx, others: Sequence[Placed], old: Self | None) -> Self:
        if self.mac:
            return self
        if old is not None and old.mac:
            # It is made up once: a guest with another address is another machine to its network.
            return self.model_copy(update={"mac": old.mac})
        used = {
            canonical_mac(other.device.mac)
            for other in others
            if isinstance(other.device, Nic) and other.device.mac
        }
        mac = random_mac()
        while mac in used:
            mac = random_mac()
        return self.model_copy(update={"mac": mac})

    def check(self, siblings: Sequence[Placed], old: Self | None) -> Iterator[Problem]:
        if self.mac and int(canonical_mac(self.mac)[:2], 16) & 1:
            yield problem("mac", f"{self.mac} is a multicast address; the first octet must be even")
        if self.trust_guest_rx_filters and self.type == "E1000":
            yield problem("trust_guest_rx_filters", "is possible with type VIRTIO only")
        for sibling in siblings:
            other = sibling.device
            if (
                isinstance(other, Nic)
                and self.mac
                and other.mac
                and canonical_mac(other.mac) == canonical_mac(self.mac)
            ):
                yield problem("mac", f"{self.mac} is the address of {sibling.label} already")

    async def examine(self, ctx: Ctx, others: Sequence[Placed], old: Self | None) -> list[Problem]:
        if old is not None and (old.nic_attach, old.trust_guest_rx_filters) == (
            self.nic_attach,
            self.trust_guest_rx_filters,
        ):
            return []
        choices = await attachments(ctx)
        if self.nic_attach is not None and self.nic_attach not in choices:
            known = ", ".join(choices)
            return [problem("nic_attach", f"{self.nic_attach} is not there to attach to; there is {known}")]
        if self.trust_guest_rx_filters and (await self.resolve(ctx)).kind != "direct":
            return [
                problem("trust_guest_rx_filters", "is possible only on a host interface that is no bridge")
            ]
        return []

    async def preflight(self, ctx: Ctx) -> Iterator[str]:
        if self.nic_attach is None or self.nic_attach in await attachments(ctx):
            return iter(())
        return iter([f"the interface {self.nic_attach} is not there"])

    async def resolve(self, ctx: Ctx) -> Attachment:
        if self.nic_attach is None:
            return await default_attachment(ctx)
        return (await attachments(ctx)).get(self.nic_attach, Attachment("user"))

    async def copy_for(self, name: str, ctx: Ctx, steps: AsyncExitStack) -> Self:
        return self.model_copy(update={"mac": None})

    def xml(self, resolved: object, slots: Slots) -> Iterator[Element]:
        assert isinstance(resolved, Attachment)
        source = {
            "bridge": el("source", bridge=resolved.name),
            "direct": el("source", dev=resolved.name, mode="bridge"),
            "user": None,
        }[resolved.kind]
        yield el(
            "interface",
            el("mac", address=canonical_mac(self.mac or random_mac())),
            source,
            el("model", type=self.type.lower()),
            # By the network, where the device's place among the others puts it: after all disks if not told.
            el("boot", order=slots.boot()),
            type=resolved.kind,
            trustGuestRxFilters=self.trust_guest_rx_filters if resolved.kind == "direct" else None,
        )

    @property
    def identity(self) -> str:
        return self.nic_attach or "default interface"


async def attachments(ctx: Ctx) -> dict[str, Attachment]:
    """What a NIC can be attached to by name: bridges, host interfaces, and always user-mode NAT."""
    may_use_host = ctx.engine.info is None or ctx.engine.info.privileged
    found: dict[str, Attachment] = {}
    for interface in (await ctx.host.interfaces()).values():
        if interface.is_bridge:
            found[interface.name] = Attachment("bridge", interface.name)
        elif (
            may_use_host and interface.bridge is None and not (interface.is_virtual or interface.is_wireless)
        ):
            found[interface.name] = Attachment("direct", interface.name)
    # An interface that happens to have this name is meant when somebody names it.
    return {**found, USER_NAT: found.get(USER_NAT, Attachment("user"))}


async def default_attachment(ctx: Ctx) -> Attachment:
    """Where a NIC without ``nic_attach`` goes: the default route's bridge or interface, else NAT."""
    name = await ctx.host.default_interface()
    interface = (await ctx.host.interfaces()).get(name or "")
    if interface is None:
        return Attachment("user")
    choices = await attachments(ctx)
    return choices.get(interface.bridge or interface.name, Attachment("user"))


async def attachment_labels(ctx: Ctx) -> dict[str, str]:
    """The choices with what they are to a person, for ``vm.device.nic_attach_choices``."""
    interfaces = await ctx.host.interfaces()
    labels = {}
    for name, attachment in (await attachments(ctx)).items():
        description = interfaces[name].description if name in interfaces else ""
        if attachment.kind == "user":
            description = "NAT, reaches out and needs nothing of the host"
        labels[name] = f"{name}: {description}" if description else name
    return labels
