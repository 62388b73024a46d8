"""`midclt` as a process: what it asks the server, what it prints where, and its exit status."""

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.unit.client.certificate import self_signed
from tests.unit.client.process import midclt, python
from tests.unit.client.server import (
    NO_ANSWER,
    NOT_AUTHENTICATED,
    Method,
    Peer,
    RefusalError,
    ScriptedServer,
    call_error,
    invalid_params,
)

KEY = "1-" + "k" * 64
NO_DAEMON = "Failed to run middleware call. Daemon not running?\n"


class Serve(Protocol):
    def __call__(self, methods: dict[str, Method] | None = None, **options: Any) -> ScriptedServer: ...


@pytest.fixture
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    with ExitStack() as stack:
        yield lambda methods=None, **options: stack.enter_context(
            ScriptedServer(tmp_path_factory.mktemp("s"), methods, **options)
        )


def refused(error: Exception) -> Method:
    def method(peer: Peer, *params: Any) -> None:
        raise error

    return method


# --- starting fast -------------------------------------------------------------------------------


def test_what_starting_loads() -> None:
    slow = "pydantic aiohttp asyncio click msgspec structlog libvirt websocket ssl getpass pprint"
    program = (
        "import sys; before = set(sys.modules); import vmstead.cli.midclt; "
        f"print([name for name in {slow.split()} if name in set(sys.modules) - before])"
    )
    assert python("-c", program) == (0, "[]\n", "")


def test_what_a_call_loads(serve: Serve) -> None:
    slow = "pydantic aiohttp asyncio click msgspec structlog libvirt getpass pprint configparser dataclasses"
    program = (
        "import sys; from vmstead.cli.midclt import main; main(['ping']); "
        f"print([name for name in {slow.split()} if name in sys.modules])"
    )
    assert python("-c", program, VMSTEAD_SOCKET=str(serve().path)) == (0, "pong\n[]\n", "")


# --- results -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "printed"),
    [
        (True, "True"),
        (False, "False"),
        (7, "7"),
        ("text with ä", "text with ä"),
        ("", ""),
        (None, "null"),
        (1.5, "1.5"),
        ([], "[]"),
        ([1, "ä", None], '[1, "\\u00e4", null]'),
        ({"a": {"b": True}}, '{"a": {"b": true}}'),
        ({"$date": 1760000000000}, '{"$date": 1760000000000}'),
        ({"roles": {"$set": ["B", "A"]}}, '{"roles": {"$set": ["A", "B"]}}'),
    ],
)
def test_results(serve: Serve, result: Any, printed: str) -> None:
    server = serve({"some.method": lambda peer: result})
    assert midclt("-u", server.uri, "call", "some.method") == (0, printed + "\n", "")


def test_arguments(serve: Serve) -> None:
    server = serve({"m": lambda peer, *params: None})
    arguments = [
        "4",
        "true",
        "null",
        "1.5",
        '"4"',
        "text",
        "[1",
        '{"a": [1]}',
        '{"$date": 0}',
        "",
        "-5",
        '{"$date": "x"}',
    ]
    assert midclt("-u", server.uri, "call", "m", *arguments).status == 0
    assert server.calls("m") == [
        [4, True, None, 1.5, "4", "text", "[1", {"a": [1]}, {"$date": 0}, "", -5, '{"$date": "x"}']
    ]


def test_arguments_from_standard_input(serve: Serve) -> None:
    server = serve({"m": lambda peer, *params: None})
    assert midclt("-u", server.uri, "call", "m", "-", "x", "-", stdin=b'{"name": "a"}\n').status == 0
    assert midclt("-u", server.uri, "call", "m", "-", stdin=b"not json").status == 0
    assert server.calls("m") == [[{"name": "a"}, "x", {"name": "a"}], ["not json"]]


def test_no_arguments_from_a_terminal(serve: Serve) -> None:
    server = serve({"m": lambda peer, *params: None})
    status, out, err = midclt("-u", server.uri, "call", "m", "-", stdin=None)
    assert (status, out) == (1, "")
    assert "standard input, which is a terminal" in err
    assert server.calls("m") == []


def test_addresses(serve: Serve) -> None:
    server = serve()
    for uri in (server.uri, server.tcp_uri, f"{server.tcp_uri}/api/current", f"{server.tcp_uri}/websocket"):
        assert midclt("--uri", uri, "ping") == (0, "pong\n", "")
    assert midclt("ping", VMSTEAD_SOCKET=str(server.path)) == (0, "pong\n", "")


def test_the_socket_of_an_ordinary_user(serve: Serve) -> None:
    server = serve()
    own = server.path.parent / "vmstead" / "middlewared.sock"
    own.parent.mkdir()
    own.symlink_to(server.path)
    if any(Path(f"{top}/middleware/middlewared.sock").exists() for top in ("/run", "/var/run")):
        pytest.skip("this machine has a system-wide server, which goes before a user's own")
    assert midclt("ping", XDG_RUNTIME_DIR=str(server.path.parent)) == (0, "pong\n", "")


def test_ready_at_once(serve: Serve) -> None:
    server = serve()
    assert midclt("-u", server.uri, "-U", "root", "-K", "1-wrong", "waitready") == (0, "", "")
    assert server.methods_called() == ["core.set_options", "core.ping"]


def test_ready_once_somebody_listens(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    late = tmp_path / "late"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(late))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(midclt, "waitready", "-t", "50", VMSTEAD_SOCKET=str(late))
        late.unlink()
        late.symlink_to(server.path)
        assert waiting.result() == (0, "", "")


@pytest.mark.parametrize("flags", [["-t", "1", "waitready"], ["waitready", "--timeout", "1"]])
def test_never_ready(tmp_path: Path, flags: list[str]) -> None:
    status, out, err = midclt("-u", f"ws+unix://{tmp_path}/none", *flags)
    assert (status, out) == (1, "")
    assert err.startswith("The server was not ready within 1 seconds: Cannot connect to ")


def test_no_sql(serve: Serve) -> None:
    status, out, err = midclt("-u", serve().uri, "sql", "SELECT * FROM vm", "--json")
    assert (status, out) == (1, "")
    assert "there is no SQL" in err


# --- errors --------------------------------------------------------------------------------------


def test_call_error(serve: Serve) -> None:
    error = call_error(14, "[EFAULT] boom", extra={"why": [1, 2]}, formatted="Traceback (most recent)\nboom")
    server = serve({"m": refused(error)})
    outcome = midclt("-u", server.uri, "call", "m")
    assert outcome == (1, "", "[EFAULT] boom\nTraceback (most recent)\nboom\n{'why': [1, 2]}\n")
    for flags in (["call", "-q"], ["-q", "call"], ["--quiet", "call", "--quiet"]):
        assert midclt("-u", server.uri, *flags, "m") == (1, "", "")


def test_call_error_without_trace(serve: Serve) -> None:
    server = serve({"m": refused(call_error(2, "[ENOENT] none"))})
    assert midclt("-u", server.uri, "call", "m") == (1, "", "[ENOENT] none\n")


def test_validation_errors(serve: Serve) -> None:
    faults = (["vm_create.name", "Field required", 22], [None, "VM 9 does not exist", 2])
    server = serve({"m": refused(invalid_params(*faults))})
    expected = "[EINVAL] vm_create.name: Field required\n[ENOENT] ALL: VM 9 does not exist\n"
    assert midclt("-u", server.uri, "call", "m") == (1, "", expected)


def test_unknown_method_and_not_logged_in(serve: Serve) -> None:
    server = serve({"m": refused(RefusalError(NOT_AUTHENTICATED))})
    assert midclt("-u", server.uri, "call", "no.such") == (1, "", "Method does not exist\n")
    expected = "[ENOTAUTHENTICATED] Not authenticated\nTraceback: not in\n"
    assert midclt("-u", server.uri, "call", "m") == (1, "", expected)


def test_timeout(serve: Serve) -> None:
    server = serve({"m": lambda peer: NO_ANSWER})
    assert midclt("-u", server.uri, "-t", "1", "call", "m") == (1, "", "Call timeout\n")
    outcome = midclt("-u", server.uri, "call", "m", CALL_TIMEOUT="0.05")
    assert outcome == (1, "", "Call timeout\n")
    assert midclt("-u", server.uri, "ping", CALL_TIMEOUT="nonsense").status == 0


def test_connection_lost(serve: Serve) -> None:
    async def leave(peer: Peer) -> object:
        await peer.close(1011, "oops")
        return NO_ANSWER

    server = serve({"m": leave})
    assert midclt("-u", server.uri, "call", "m") == (1, "", "The server closed the connection (1011: oops)\n")


@pytest.mark.parametrize("command", [["call", "m"], ["ping"], ["subscribe", "vm.query"]])
def test_no_daemon(tmp_path: Path, command: list[str]) -> None:
    assert midclt("-u", f"ws+unix://{tmp_path}/none", *command) == (1, "", NO_DAEMON)
    assert midclt(*command, VMSTEAD_SOCKET=str(tmp_path / "none")) == (1, "", NO_DAEMON)


def test_nothing_listens(tmp_path: Path) -> None:
    stale = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(stale))
    assert midclt("-u", f"ws+unix://{stale}", "ping") == (1, "", NO_DAEMON)


def test_not_an_address() -> None:
    status, out, err = midclt("-u", "http://h", "ping")
    assert (status, out) == (1, "")
    assert err.startswith("Not a valid server address: 'http://h'")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [["call"], ["frobnicate"], ["-t", "x", "ping"], ["call", "-jp", "no", "m"]]
)
def test_wrong_command_lines(arguments: list[str]) -> None:
    status, out, err = midclt(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith("usage: midclt")


def test_help() -> None:
    without = midclt()
    assert without.status == 0
    assert without.stdout.startswith("usage: midclt")
    assert midclt("--help") == without
    assert "--job-print" in midclt("call", "-h").stdout


def test_tls(serve: Serve, tmp_path: Path) -> None:
    server = serve(certificate=self_signed(tmp_path / "both.pem"))
    status, out, err = midclt("-u", server.tcp_uri, "ping")
    assert (status, out) == (1, "")
    assert err.startswith("SSL certificate verification failed.\n")
    assert "--insecure" in err
    assert midclt("-u", server.tcp_uri, "--insecure", "ping") == (0, "pong\n", "")


def test_a_reader_that_has_seen_enough(serve: Serve) -> None:
    server = serve({"m": lambda peer: "x" * 200_000})
    program = (
        "import os, sys; from vmstead.cli.midclt import main; "
        "reading, writing = os.pipe(); os.close(reading); os.dup2(writing, 1); "
        f"sys.exit(main(['-u', {server.uri!r}, 'call', 'm']))"
    )
    assert python("-c", program) == (1, "", "")


# --- logging in ----------------------------------------------------------------------------------


def login_ex(peer: Peer, data: dict[str, Any]) -> dict[str, Any]:
    good = data.get("password") == "right" or data.get("api_key") == KEY
    return {"response_type": "SUCCESS" if good else "AUTH_ERR"}


LOGINS: dict[str, Method] = {
    "auth.login_ex": login_ex,
    "auth.login_with_api_key": lambda peer, key: key == KEY,
    "m": lambda peer: "done",
}


def test_logins(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "key.json"
    file.write_text(json.dumps({"raw_key": KEY}))
    ini = tmp_path / "key.ini"
    ini.write_text(f"[TRUENAS_API_KEY]\nraw_key = {KEY}\n")
    server = serve(LOGINS)
    for flags in (
        ["-U", "root", "-P", "right"],
        ["--username", "root", "--password", "right"],
        ["-K", KEY],
        ["--api-key", str(file), "--plain", "--no-channel-binding"],
        ["-K", str(ini)],
        ["-U", "root", "-K", KEY, "--plain"],
    ):
        assert midclt("-u", server.uri, *flags, "call", "m") == (0, "done\n", "")
    assert [data["mechanism"] for (data,) in server.calls("auth.login_ex")] == [
        "PASSWORD_PLAIN",
        "PASSWORD_PLAIN",
        "API_KEY_PLAIN",
    ]
    assert server.calls("auth.login_with_api_key") == [[KEY]] * 3


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (["-U", "root", "-P", "wrong-one"], "Invalid username or password"),
        (["-K", "1-wrong"], "Invalid API key"),
        (["-U", "root", "-K", "1-wrong"], "Invalid API key"),
        (["-K", "/nonexistent/key"], "Cannot read API key file /nonexistent/key: No such file or directory"),
    ],
)
def test_refused_logins(serve: Serve, flags: list[str], text: str) -> None:
    server = serve(LOGINS)
    outcome = midclt("-u", server.uri, *flags, "call", "m")
    assert outcome == (0, f"Failed to login:  {text}\n", "")
    assert "wrong" not in outcome.stdout
    assert server.calls("m") == []


def test_the_password_is_asked_for(serve: Serve) -> None:
    server = serve(LOGINS)
    status, out, err = python(
        "-m", "vmstead.cli.midclt", "-u", server.uri, "-U", "root", "call", "m", stdin=b"right\n"
    )
    assert (status, out) == (0, "done\n")
    assert "Password: " in err
    assert "right" not in err


def test_ping_does_not_log_in(serve: Serve) -> None:
    server = serve(LOGINS)
    assert midclt("-u", server.uri, "-U", "root", "-K", "1-wrong", "ping") == (0, "pong\n", "")
    assert server.methods_called() == ["core.set_options", "core.ping"]
