"""The TCP ports that programs listen on.

The kernel is asked by netlink (man 7 sock_diag) for sockets that listen, which takes 0.1 ms. ``/proc/net/tcp`` says
the same, but to write it the kernel goes through its table of all connections: 20 ms on a machine with much memory.
"""

import contextlib
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")
_LISTEN = 10  # as an enumerator of the kernel; in /proc in hexadecimal
_SOCK_DIAG, _BY_FAMILY, _DUMP = 4, 20, 0x301
_ERROR, _DONE = 2, 3
_HEADER = struct.Struct("=IHHII")
#: The head of inet_diag_req_v2; what follows names a single socket, and is empty.
_QUESTION, _SOCKET = struct.Struct("=BBxxI"), bytes(48)
#: Where an inet_diag_msg has the port of this end.
_PORT = struct.Struct("!4xH")


def listening_ports(proc: Path) -> frozenset[int]:
    """Ports of both families, on whatever address. ``proc`` is where the kernel tells of connections."""
    if proc == _PROC:
        # A kernel without that part of it refuses.
        with contextlib.suppress(OSError):
            return frozenset(
                port for family in (socket.AF_INET, socket.AF_INET6) for port in _asked_for(family)
            )
    return frozenset(_written(proc))


def _asked_for(family: int) -> Iterator[int]:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as kernel:
        question = _QUESTION.pack(family, socket.IPPROTO_TCP, 1 << _LISTEN) + _SOCKET
        kernel.send(_HEADER.pack(_HEADER.size + len(question), _BY_FAMILY, _DUMP, 1, 0) + question)
        while True:
            for kind, content in _messages(kernel.recv(65536)):
                if kind == _DONE:
                    return
                if kind == _ERROR:
                    number: int = struct.unpack_from("=i", content)[0]
                    raise OSError(-number, "the kernel does not tell of sockets")
                yield _PORT.unpack_from(content)[0]


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    while data:
        size, kind, *_ = _HEADER.unpack_from(data)
        yield kind, data[_HEADER.size : size]
        data = data[(size + 3) & ~3 :]


def _written(proc: Path) -> Iterator[int]:
    for table in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / table).read_text().splitlines()[1:]
        except FileNotFoundError:
            continue  # no IPv6
        for line in lines:
            _, local, _, state, *_ = line.split()
            if int(state, 16) == _LISTEN:
                yield int(local.rpartition(":")[2], 16)
