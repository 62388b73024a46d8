"""What a guest's agent tells through libvirt. It is the guest's program: it may say anything, late, or never."""

import contextlib
from typing import Any

import libvirt

from vmstead.ports.engine import EngineError, EngineErrorKind, GuestInterface

#: Seconds that an agent gets for an answer; without it libvirt would wait for ever.
_PATIENCE = 5


def read_interfaces(domain: Any) -> list[GuestInterface]:
    """The interfaces of a guest, as its agent tells them.

    Raises:
        libvirtError: it does not answer, or not as it should.
        EngineError: NO_AGENT, when what it answers is not even text.
    """
    with contextlib.suppress(libvirt.libvirtError):  # a driver whose agents are made up
        domain.agentSetResponseTimeout(_PATIENCE, 0)
    try:
        found = domain.interfaceAddresses(libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT, 0)
    except (SystemError, UnicodeDecodeError) as error:
        # The binding trips over bytes that are no UTF-8, also where libvirt only quotes them in its error.
        raise EngineError(EngineErrorKind.NO_AGENT, "its agent's answer is not text") from error
    return [
        GuestInterface(
            name,
            each.get("hwaddr") or "",
            tuple((address["addr"], address["prefix"]) for address in each.get("addrs") or ()),
        )
        for name, each in found.items()
    ]
