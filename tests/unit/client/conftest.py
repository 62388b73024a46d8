"""Fixtures for tests of the client: scripted servers, and a certificate."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.unit.client.certificate import self_signed
from tests.unit.client.server import Method, ScriptedServer


class Serve(Protocol):
    def __call__(self, methods: dict[str, Method] | None = None, **options: Any) -> ScriptedServer: ...


@pytest.fixture
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Starts scripted servers, which stop when the test ends."""
    with ExitStack() as stack:

        def start(methods: dict[str, Method] | None = None, **options: Any) -> ScriptedServer:
            # The path of a unix socket may have 107 characters; test names take too many of them.
            directory = tmp_path_factory.mktemp("s")
            return stack.enter_context(ScriptedServer(directory, methods, **options))

        yield start


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a key and a self-signed certificate for 127.0.0.1."""
    return self_signed(tmp_path_factory.mktemp("tls") / "both.pem")
