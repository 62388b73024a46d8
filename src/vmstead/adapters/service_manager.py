"""Telling the service manager how far the server is (systemd's ``Type=notify``; see sd_notify(3))."""

import contextlib
import os
import socket


def notify(state: str) -> None:
    """Send a state such as ``READY=1`` to who started this process, if it wants to know.

    Nothing happens where nobody asked (no ``NOTIFY_SOCKET``), nor when nobody listens there any more.
    """
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return
    # A name that begins with @ is one of the abstract name space, which the kernel writes with a NUL.
    address = "\0" + path[1:] if path.startswith("@") else path
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.sendto(state.encode(), address)
