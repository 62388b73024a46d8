"""The reader: what keeps a connection alive, and when waiting ends."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from tests.unit.client.raw import CLOSE, PING, TEXT, RawServer, frame, read_frame
from vmstead.client import CallTimeout, ConnectionLostError
from vmstead.client.endpoint import resolve
from vmstead.client.session import Session, seconds
from vmstead.client.transport import Connection

LONG = 30.0


def ignore(*_: Any) -> None:
    pass


@contextmanager
def session(
    tmp_path: Path, script: Callable[[socket.socket], object], **options: Any
) -> Iterator[tuple[Session, list[dict[str, Any]]]]:
    heard: list[dict[str, Any]] = []
    with RawServer(tmp_path / "r.sock", script) as server:
        connection = Connection(resolve(server.uri), timeout=LONG)
        made = Session(connection, lambda method, params: heard.append(params), ignore, **options)
        try:
            yield made, heard
        finally:
            made.close()


def test_silence_is_broken_by_pings(tmp_path: Path) -> None:
    def script(peer: socket.socket) -> None:
        assert [read_frame(peer)[0] for _ in range(3)] == [TEXT, PING, PING]
        peer.sendall(frame(CLOSE, b"\x03\xe8enough"))

    with (
        session(tmp_path, script, keepalive=0.01) as (made, _),
        pytest.raises(ConnectionLostError, match="enough"),
    ):
        made.finish(made.start("core.ping", []), LONG)


def test_waiting_ends_although_frames_keep_coming(tmp_path: Path) -> None:
    event = frame(TEXT, b'{"method": "collection_update", "params": {"n": 1}}')

    def script(peer: socket.socket) -> None:
        try:
            while True:
                peer.sendall(event * 50)
        except OSError:
            pass

    with session(tmp_path, script) as (made, heard):
        begun = monotonic()
        with pytest.raises(CallTimeout):
            made.finish(made.start("never.answered", []), 0.05)
        assert monotonic() - begun < LONG
        assert heard


def test_what_has_arrived_by_the_deadline_counts(tmp_path: Path) -> None:
    def script(peer: socket.socket) -> None:
        peer.sendall(b"".join(frame(TEXT, b'{"method": "e", "params": {"n": %d}}' % n) for n in range(20)))
        assert read_frame(peer)[0] == CLOSE

    with session(tmp_path, script) as (made, heard):
        assert made.wait_until(lambda: heard, LONG)
        assert not made.wait_until(lambda: False, 0)
        assert [params["n"] for params in heard] == list(range(20))


def test_calls_that_wait_fail_when_it_closes(tmp_path: Path) -> None:
    with session(tmp_path, read_frame) as (made, _):
        call = made.start("core.ping", [])
        assert made.waiting(call.id) is call
        made.close()
        assert made.waiting(call.id) is None
        with pytest.raises(ConnectionLostError, match="closed"):
            made.finish(call, LONG)


@pytest.mark.parametrize(
    ("timeout", "default", "result"),
    [(1.0, 2.0, 1.0), (None, 2.0, 2.0), (None, None, inf), (0, 2.0, 0), (inf, 2.0, inf)],
)
def test_seconds(timeout: float | None, default: float | None, result: float) -> None:
    assert seconds(timeout, default) == result
