"""The WebSocket: frames in pieces, pings, closings, and TLS."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.unit.client.conftest import Serve
from tests.unit.client.raw import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, RawServer, frame, read_frame
from tests.unit.client.server import NO_ANSWER
from vmstead.client import CertificateError, Client, ConnectError, ConnectionLostError
from vmstead.client.endpoint import resolve
from vmstead.client.transport import Connection

SOON = 0.05
LONG = 30.0


@contextmanager
def connected(tmp_path: Path, script: Callable[[socket.socket], None]) -> Iterator[Connection]:
    with RawServer(tmp_path / "r.sock", script) as server:
        connection = Connection(resolve(server.uri), timeout=LONG)
        try:
            yield connection
        finally:
            connection.close()


def test_messages_in_fragments_with_a_ping_between(tmp_path: Path) -> None:
    pongs: list[tuple[int, bytes]] = []

    def script(peer: socket.socket) -> None:
        peer.sendall(frame(TEXT, "grü".encode()[:3], fin=False))
        peer.sendall(frame(PING, b"still there?"))
        pongs.append(read_frame(peer))
        peer.sendall(frame(PONG))
        peer.sendall(frame(CONTINUATION, "grü".encode()[3:]) + frame(BINARY, b"\x00\xff"))
        read_frame(peer)

    with connected(tmp_path, script) as connection:
        assert connection.receive(LONG) == "grü"
        assert connection.receive(LONG) == b"\x00\xff"
        assert not connection.pending()
    assert pongs == [(PONG, b"still there?")]


def test_a_timeout_in_the_middle_of_a_frame_loses_nothing(tmp_path: Path) -> None:
    go_on = threading.Event()
    whole = frame(TEXT, b"x" * 500)

    def script(peer: socket.socket) -> None:
        for piece in (whole[:1], whole[1:3], whole[3:100], whole[100:]):
            peer.sendall(piece)
            go_on.wait(LONG)
            go_on.clear()

    with connected(tmp_path, script) as connection:
        for _ in range(3):
            assert connection.receive(SOON) is None
            go_on.set()
        assert connection.receive(LONG) == "x" * 500
        assert connection.receive(0) is None
        go_on.set()


def test_closed_at_once_after_the_close_frame(tmp_path: Path) -> None:
    def script(peer: socket.socket) -> None:
        peer.sendall(frame(TEXT, b"last words") + frame(CLOSE, b"\x03\xf0not for you"))

    with connected(tmp_path, script) as connection:
        assert connection.receive(LONG) == "last words"
        for _ in range(2):
            with pytest.raises(ConnectionLostError, match="1008: not for you") as caught:
                connection.receive(LONG)
            assert caught.value.code == 1008
        with pytest.raises(ConnectionLostError, match="1008"):
            connection.send_text("too late")


def test_the_reason_is_found_when_sending_fails(tmp_path: Path) -> None:
    gone = threading.Event()

    def script(peer: socket.socket) -> None:
        peer.sendall(frame(TEXT, b"unread") + frame(CLOSE, b"\x03\xf1too long"))
        peer.close()
        gone.set()

    with connected(tmp_path, script) as connection:
        assert gone.wait(LONG)
        with pytest.raises(ConnectionLostError, match="1009: too long"):
            connection.send_text("hello")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (frame(CLOSE), r"\(1005\)"),
        (frame(TEXT, b"\xff\xfe"), "utf-8"),
        (frame(TEXT, b"half")[:3], "lost"),
        (b"", "lost"),
        (frame(3, b"?"), "lost"),
    ],
)
def test_bad_ends(tmp_path: Path, data: bytes, text: str) -> None:
    with (
        connected(tmp_path, lambda peer: peer.sendall(data)) as connection,
        pytest.raises(ConnectionLostError, match=text),
    ):
        connection.receive(LONG)


def test_frames_sent(tmp_path: Path) -> None:
    got: list[tuple[int, bytes]] = []

    def script(peer: socket.socket) -> None:
        got.extend(read_frame(peer) for _ in range(4))

    with connected(tmp_path, script) as connection:
        connection.send_text("grün")
        connection.send_bytes(b"\x00\x01")
        connection.ping()
    assert got == [(TEXT, "grün".encode()), (BINARY, b"\x00\x01"), (PING, b""), (CLOSE, b"\x03\xe8")]


def test_use_after_closing(tmp_path: Path) -> None:
    with connected(tmp_path, lambda peer: None) as connection:
        connection.close()
        assert connection.fileno() == -1
        assert not connection.pending()
        with pytest.raises(ConnectionLostError, match="closed"):
            connection.send_bytes(b"x")
        with pytest.raises(ConnectionLostError, match="closed"):
            connection.receive(0)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "HTTP status 404"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "Cannot connect to"),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", "Cannot connect"),
        (b"", "Cannot connect to"),
    ],
)
def test_not_a_websocket_server(tmp_path: Path, answer: bytes, text: str) -> None:
    with (
        RawServer(tmp_path / "r.sock", lambda peer: None, answer) as server,
        pytest.raises(ConnectError, match=text),
    ):
        Client(server.uri)


def test_nothing_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(ConnectError, match=f"ws://127.0.0.1:{port}: Connection refused"):
            Client(f"ws://127.0.0.1:{port}")


def test_a_name_that_does_not_exist() -> None:
    with pytest.raises(ConnectError, match=r"Cannot connect to ws://no-such-host\.invalid"):
        Client("ws://no-such-host.invalid")


def test_a_path_too_long_for_a_socket() -> None:
    with pytest.raises(ConnectError, match="too long"):
        Client("ws+unix:///" + "x" * 200)


def test_large_messages(serve: Serve) -> None:
    text = "ä" * 100_000
    with Client(serve({"echo": lambda peer, value: value}).tcp_uri) as client:
        assert client.call("echo", text) == text


# --- TLS -----------------------------------------------------------------------------------------


def test_tls_trusted(serve: Serve, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBSOCKET_CLIENT_CA_BUNDLE", str(certificate))
    with Client(serve(certificate=certificate).tcp_uri) as client:
        assert client.ping() == "pong"


def test_tls_not_trusted(serve: Serve, certificate: Path) -> None:
    server = serve({"slow": lambda peer: NO_ANSWER}, certificate=certificate)
    with pytest.raises(CertificateError, match="self-signed"):
        Client(server.tcp_uri)
    with Client(server.tcp_uri, verify_tls=False) as client:
        assert client.ping() == "pong"


def test_no_tls_where_it_is_expected(serve: Serve) -> None:
    with pytest.raises(ConnectError):
        Client(serve().tcp_uri.replace("ws://", "wss://"), verify_tls=False)


def test_large_messages_over_tls(serve: Serve, certificate: Path) -> None:
    server = serve({"echo": lambda peer, value: value}, certificate=certificate)
    with Client(server.tcp_uri, verify_tls=False) as client:
        for size in (1, 16_383, 16_384, 60_000):
            assert len(client.call("echo", "x" * size)) == size
