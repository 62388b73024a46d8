"""Displays of guests that run, reached by a file descriptor that libvirt hands to QEMU."""

import socket
from typing import Any
from xml.etree.ElementTree import fromstring

import libvirt

from vmstead.kernel.png import NoPicture, as_png
from vmstead.ports.engine import EngineError, EngineErrorKind


def open_display(domain: Any, protocol: str) -> socket.socket:
    """A connection to the domain's display of that protocol (``spice`` or ``vnc``).

    QEMU takes one end of it as a viewer whose password was right; there is no listener, and no network.
    See https://libvirt.org/html/libvirt-libvirt-domain.html#virDomainOpenGraphicsFD.
    """
    if not domain.isActive():
        raise EngineError(EngineErrorKind.WRONG_STATE, "the domain is not running")
    document = fromstring(domain.XMLDesc())  # noqa: S314 - written by libvirt
    kinds = [element.get("type") for element in document.iterfind("devices/graphics")]
    if protocol not in kinds:
        raise EngineError(EngineErrorKind.FAILED, f"the guest was started without a {protocol} display")
    descriptor = domain.openGraphicsFD(kinds.index(protocol), libvirt.VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH)
    connection = socket.socket(fileno=descriptor)
    connection.setblocking(False)
    return connection


def take_picture(domain: Any) -> bytes:
    """The domain's first screen. See https://libvirt.org/html/libvirt-libvirt-domain.html#virDomainScreenshot."""
    stream = domain.connect().newStream()
    data = bytearray()
    domain.screenshot(stream, 0)
    try:
        stream.recvAll(lambda _, piece, kept: kept.extend(piece), data)
        stream.finish()
    except libvirt.libvirtError:
        stream.abort()
        raise
    try:
        return as_png(bytes(data))
    except NoPicture as error:
        raise EngineError(EngineErrorKind.FAILED, f"the screen cannot be shown: {error}") from None
