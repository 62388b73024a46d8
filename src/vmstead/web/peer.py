"""Who is at the other end of a connection."""

import socket
import struct

from aiohttp import web

from vmstead.rpc.caller import Origin

_FORMAT = "3i"


def origin_of(request: web.Request) -> Origin:
    """The peer of a request's connection."""
    transport = request.transport
    assert transport is not None
    connection: socket.socket = transport.get_extra_info("socket")
    if connection.family == socket.AF_UNIX:
        pid, uid, gid = peer_credentials(connection)
        return Origin(pid=pid, uid=uid, gid=gid)
    address, port, *_ = transport.get_extra_info("peername")
    own_address, own_port, *_ = transport.get_extra_info("sockname")
    return Origin(
        address=address,
        port=port,
        is_tls=transport.get_extra_info("sslcontext") is not None,
        local_address=own_address,
        local_port=own_port,
    )


def peer_credentials(connection: socket.socket) -> tuple[int, int, int]:
    """Process, user and group id of the peer, as the kernel knows them: they cannot be made up."""
    size = struct.calcsize(_FORMAT)
    pid, uid, gid = struct.unpack(_FORMAT, connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return pid, uid, gid
