"""Files to and from a server, by HTTP beside the API's connection: ``/_upload`` and ``/_download``."""

import contextlib
import http.client
import json
import os
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import IO, Any
from urllib.parse import urlsplit

from vmstead.client.ejson import Json
from vmstead.client.endpoint import Endpoint
from vmstead.client.errors import CertificateError, ClientError, ConnectError, ConnectionLostError

#: Bytes that are passed on at a time.
_PIECE = 256 * 1024
#: Seconds that the other side may take for a piece.
_TIMEOUT = 60.0
_BOUNDARY = "vmstead-6b1f0d1c5e2a4a7d"

#: Told how many bytes of how many are through; None where it is not known.
OnProgress = Callable[[int, int | None], object]


def upload(
    endpoint: Endpoint,
    token: str,
    method: str,
    params: list[Json],
    file: IO[bytes],
    *,
    verify_tls: bool = True,
    on_progress: OnProgress = lambda done, size: None,
) -> int:
    """Call a method that takes a file, such as ``filesystem.put``, and send it.

    Args:
        token: from ``auth.generate_token``.
        file: what to send; its length must be known.

    Returns:
        The number of the job, which may go on.

    Raises:
        ClientError: the server refused.
        ConnectError: no connection could be made.
        ConnectionLostError: it ended meanwhile.
        OSError: the file cannot be read.
    """
    size = os.fstat(file.fileno()).st_size
    call = json.dumps({"method": method, "params": params})
    head = _part("data", "", "application/json") + call.encode() + b"\r\n"
    head += _part("file", '; filename="file"', "application/octet-stream")
    tail = f"\r\n--{_BOUNDARY}--\r\n".encode()
    with _connected(endpoint, verify_tls=verify_tls) as connection:
        connection.putrequest("POST", "/_upload")
        connection.putheader("Content-Type", f"multipart/form-data; boundary={_BOUNDARY}")
        connection.putheader("Content-Length", str(len(head) + size + len(tail)))
        connection.putheader("Authorization", f"Token {token}")
        connection.endheaders(head)
        done = 0
        # A server that refuses answers at once and reads no further: its answer says more than the broken pipe.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            while piece := file.read(min(_PIECE, size - done)):
                connection.send(piece)
                done += len(piece)
                on_progress(done, size)
            connection.send(tail)
        answer = json.loads(_answer(connection).read())
    return int(answer["job_id"])


def download(
    endpoint: Endpoint,
    path: str,
    target: IO[bytes],
    *,
    verify_tls: bool = True,
    on_progress: OnProgress = lambda done, size: None,
) -> None:
    """Fetch what ``core.download`` has answered with a path for, and write it to a file.

    Raises:
        ClientError: the server refused.
        ConnectError: no connection could be made.
        ConnectionLostError: it ended before everything was there.
        OSError: the file cannot be written.
    """
    with _connected(endpoint, verify_tls=verify_tls) as connection:
        connection.request("GET", path)
        response = _answer(connection)
        done = 0
        while piece := response.read(_PIECE):
            target.write(piece)
            done += len(piece)
            on_progress(done, response.length)


def _part(name: str, more: str, kind: str) -> bytes:
    disposition = f'Content-Disposition: form-data; name="{name}"{more}'
    return f"--{_BOUNDARY}\r\n{disposition}\r\nContent-Type: {kind}\r\n\r\n".encode()


@contextlib.contextmanager
def _connected(endpoint: Endpoint, *, verify_tls: bool) -> Iterator[http.client.HTTPConnection]:
    """A connection during the block; what goes wrong with it becomes the client's own errors."""
    connection = _connection(endpoint, verify_tls=verify_tls)
    try:
        _open(connection, endpoint)
        yield connection
    except http.client.HTTPException as error:
        raise ConnectionLostError(f"The transfer was broken off: {error!r}") from error
    except (ConnectionError, TimeoutError) as error:
        raise ConnectionLostError(f"The transfer was broken off: {error}") from error
    finally:
        connection.close()


def _connection(endpoint: Endpoint, *, verify_tls: bool) -> http.client.HTTPConnection:
    parts = urlsplit(endpoint.url)
    if parts.scheme != "wss":
        return http.client.HTTPConnection(parts.netloc, timeout=_TIMEOUT)
    context = ssl.create_default_context()
    if not verify_tls:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(parts.netloc, timeout=_TIMEOUT, context=context)


def _open(connection: http.client.HTTPConnection, endpoint: Endpoint) -> None:
    try:
        if endpoint.socket is None:
            connection.connect()
            return
        sock: Any = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.sock = sock
        sock.settimeout(_TIMEOUT)
        sock.connect(endpoint.socket)
    except ssl.SSLCertVerificationError as error:
        text = f"The certificate of {endpoint.server} is not trusted: {error.verify_message}"
        raise CertificateError(text) from error
    except OSError as error:
        text = f"Cannot connect to {endpoint.server}: {error.strerror or error}"
        raise ConnectError(text, error.errno) from error


def _answer(connection: http.client.HTTPConnection) -> http.client.HTTPResponse:
    """The answer, if it is one of success."""
    response = connection.getresponse()
    if response.status == http.client.OK:
        return response
    text = response.read().decode(errors="replace").strip()
    raise ClientError(text or f"The server answered with HTTP status {response.status}")
