"""What is told of the server's health, and of its figures, to whom: by where a request comes from."""

import json
import socket
from collections.abc import Iterator
from typing import Any, cast

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from vmstead.config import Config
from vmstead.web.application import Application
from vmstead.web.health import serve_health
from vmstead.web.metrics import is_open


class Transport:
    """A TCP connection from an address."""

    def __init__(self, address: str, connection: socket.socket) -> None:
        self._known = {"socket": connection, "peername": (address, 5), "sockname": ("192.0.2.1", 443)}

    def get_extra_info(self, name: str, default: object = None) -> object:
        return self._known.get(name, default)


class Part:
    """Anything with some attributes."""

    def __init__(self, **attributes: Any) -> None:
        vars(self).update(attributes)


@pytest.fixture
def tcp() -> Iterator[socket.socket]:
    with socket.socket() as connection:
        yield connection


def request(address: str, connection: socket.socket, **headers: str) -> web.Request:
    transport = cast("Any", Transport(address, connection))
    return make_mocked_request("GET", "/", {"Host": "localhost", **headers}, transport=transport)


def application(**settings: Any) -> Application:
    services = Part(
        config=Config(**settings),
        vms=Part(id_of_name=lambda _: None),
        states=Part(disconnected_reason="no such socket: /run/secret"),
    )
    return cast("Application", Part(services=services))


@pytest.mark.parametrize(("address", "is_told"), [("127.0.0.1", True), ("::1", True), ("192.0.2.7", False)])
async def test_what_is_the_matter_is_told_on_this_machine_alone(
    tcp: socket.socket, address: str, is_told: bool
) -> None:
    answer = serve_health(application(), request(address, tcp))
    assert answer.status == 503
    assert isinstance(answer.body, bytes)
    body = json.loads(answer.body)
    assert body["status"] == "engine not connected"
    assert ("reason" in body) is is_told


@pytest.mark.parametrize("address", ["192.0.2.7", "2001:db8::1", "::ffff:192.0.2.7"])
async def test_figures_are_open_to_nobody_elsewhere_whatever_is_set(tcp: socket.socket, address: str) -> None:
    assert not is_open(application(open_metrics=True), request(address, tcp))
    assert not is_open(application(), request("127.0.0.1", tcp))
    assert is_open(application(open_metrics=True), request("127.0.0.1", tcp))
