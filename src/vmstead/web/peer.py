"""Who is at the other end of a unix socket."""

import socket
import struct

_FORMAT = "3i"


def peer_credentials(connection: socket.socket) -> tuple[int, int, int]:
    """Process, user and group id of the peer, as the kernel knows them: they cannot be made up."""
    size = struct.calcsize(_FORMAT)
    pid, uid, gid = struct.unpack(_FORMAT, connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return pid, uid, gid
