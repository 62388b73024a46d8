"""The server goes nowhere by itself: whom a client names, it does not call."""

import ast
import socket
import sys
from pathlib import Path
from typing import Any

from tests.arch.source import PACKAGE, modules, name_of, tree
from tests.harness import server
from vmstead.kernel.run import run

#: What connects to somebody, as the last part of a call's name.
_REACHES = {
    *(
        "urlopen",
        "urlretrieve",
        "create_connection",
        "open_connection",
        "open_unix_connection",
        "sock_connect",
    ),
    *("connect_ex", "ClientSession", "HTTPConnection", "HTTPSConnection", "create_datagram_endpoint"),
}
#: Who may: to sockets of this machine only.
_MAY = {"src/vmstead/web/display.py": {"open_connection"}}


def calls(path: Path) -> set[str]:
    """The last parts of the names of all that a module calls."""
    names = [node.func for node in ast.walk(tree(path)) if isinstance(node, ast.Call)]
    return {ast.unparse(name).rpartition(".")[2] for name in names}


def test_the_server_connects_to_nobody() -> None:
    parts = [path for path in modules() if path.relative_to(PACKAGE).parts[0] not in ("client", "cli")]
    assert len(parts) > 100
    found = {name_of(path): calls(path) & _REACHES for path in parts}
    reaching = {
        name: left for name, all_of_it in found.items() if (left := all_of_it - _MAY.get(name, set()))
    }
    assert reaching == {}


def test_sockets_are_made_of_this_machine_alone() -> None:
    made: dict[str, list[str]] = {}
    for path in modules():
        if path.relative_to(PACKAGE).parts[0] in ("client", "cli"):
            continue
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "socket.socket":
                made.setdefault(name_of(path), []).append(ast.unparse(node))
    # Of this machine are its sockets by path, and the kernel's own.
    own = ("AF_UNIX", "AF_NETLINK")
    others = {
        name: left
        for name, each in made.items()
        if (left := [one for one in each if not any(family in one for family in own)])
    }
    assert others == {
        # One to listen on, and a descriptor from libvirt.
        "src/vmstead/web/tls_listener.py": ["socket.socket(family, kind, proto)"],
        "src/vmstead/adapters/libvirt_engine/displays.py": ["socket.socket(fileno=descriptor)"],
    }


#: Runs a server with requests that name addresses, and tells where it connected to.
_PROGRAM = """
import asyncio, sys, tempfile
from pathlib import Path
from tests.hardening.test_reach import ask_for_addresses
seen = []
sys.addaudithook(lambda event, arguments: seen.append(arguments[1]) if event == "socket.connect" else None)
with tempfile.TemporaryDirectory() as folder:
    asyncio.run(ask_for_addresses(Path(folder)))
print([each for each in seen if not isinstance(each, (str, bytes))])
"""

_ADDRESS = "http://192.0.2.1:9/x"


async def ask_for_addresses(folder: Path) -> None:
    """Everything that takes a path or a name, with an address in its place."""
    async with server(folder) as host:
        raw: dict[str, Any] = {"dtype": "RAW", "path": _ADDRESS, "exists": True}
        cdrom: dict[str, Any] = {"dtype": "CDROM", "path": _ADDRESS}
        vm = await host.api.call("vm.create", {"name": "a", "memory": 64})
        for attributes in (raw, cdrom, {"dtype": "DISK", "path": _ADDRESS}):
            await host.api.failure("vm.device.create", {"vm": vm["id"], "attributes": attributes})
        await host.api.failure("vm.device.virtual_size", {"path": _ADDRESS})
        await host.api.failure("filesystem.stat", _ADDRESS)


async def test_an_address_in_place_of_a_path_is_called_by_nobody() -> None:
    assert (await run([sys.executable, "-c", _PROGRAM])).decode().splitlines()[-1] == "[]"


async def test_the_program_would_notice() -> None:
    """A connection to an address is seen, so that none being seen means something."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = listening.getsockname()
        program = (
            "import socket, sys\n"
            "sys.addaudithook(lambda event, given: print(given[1]) if event == 'socket.connect' else None)\n"
            f"socket.create_connection({address!r}).close()\n"
        )
        seen = (await run([sys.executable, "-c", program])).decode().splitlines()
    assert seen == [str(address)]
