"""What the programs that configure interfaces say of one: systemd-networkd, ifupdown, NetworkManager."""

import asyncio
import contextlib
import json
import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

from vmstead.kernel.run import CommandError, run
from vmstead.ports.host_network import Management, NetworkError

#: Where systemd-networkd's files are, by precedence.
_NETWORKD = ("{etc}/systemd/network", "{run}/systemd/network", "/usr/local/lib/systemd/network")
_NETWORKD_VENDOR = ("/usr/lib/systemd/network", "/lib/systemd/network")
_ASK_BUS = ("busctl", "--system", "--json=short", "call", "org.freedesktop.DBus", "/org/freedesktop/DBus")
_HAS_OWNER = ("org.freedesktop.DBus", "NameHasOwner", "s")
_SBIN = "/usr/sbin:/sbin:/usr/bin:/bin"


async def read_management(name: str, etc: Path, run: Path) -> Management:
    """All of it, for an interface."""
    networkd = await _is_running("org.freedesktop.network1")
    manager = await _network_manager(name)
    return await asyncio.to_thread(_read, name, etc, run, networkd, manager)


async def _is_running(service: str) -> bool:
    """Whether somebody has this name on the system's bus; without a bus nobody does."""
    try:
        answer = json.loads(await run([*_ASK_BUS, *_HAS_OWNER, service], timeout=20))
    except CommandError:
        return False
    return bool(answer["data"][0])


async def _network_manager(name: str) -> str | None:
    if not await _is_running("org.freedesktop.NetworkManager") or shutil.which("nmcli") is None:
        return None
    try:
        listed = (await run(["nmcli", "-t", "-f", "DEVICE,STATE", "device"], timeout=20)).decode()
    except CommandError as error:
        raise NetworkError(
            f"NetworkManager does not say what it configures: {error.output.strip()}"
        ) from error
    states = dict(line.rpartition(":")[::2] for line in listed.splitlines())
    return states.get(name, "unmanaged")


def _read(name: str, etc: Path, run: Path, networkd: bool, manager: str | None) -> Management:
    state: dict[str, str] = {}
    lease: dict[str, str] = {}
    with contextlib.suppress(OSError):  # it may not be there
        number = socket.if_nametoindex(name)
        state = _variables(run / f"systemd/netif/links/{number}")
        lease = _variables(run / f"systemd/netif/leases/{number}")
    file = state.get("NETWORK_FILE") if networkd else None
    has_ifupdown = shutil.which("ifup", path=_SBIN) is not None
    return Management(
        networkd=state.get("ADMIN_STATE", "unmanaged") if networkd else None,
        network_file=file,
        network_texts=tuple(_network_texts(Path(file), etc, run)) if file else (),
        client_id=lease.get("CLIENTID") if networkd else None,
        has_ifupdown=has_ifupdown,
        interfaces=dict(_interfaces(etc / "network/interfaces", set())) if has_ifupdown else {},
        network_manager=manager,
    )


def _variables(file: Path) -> dict[str, str]:
    try:
        lines = file.read_text().splitlines()
    except FileNotFoundError:
        return {}
    return dict(line.split("=", 1) for line in lines if "=" in line)


def _network_texts(file: Path, etc: Path, run: Path) -> Iterator[str]:
    """A file's content, and that of its drop-ins: those of a name hide each other, and their order is by name.

    Nothing where it has gone since systemd-networkd read it. One that has been put in another of its folders, as
    those of a bridge are when it is confirmed, is what it reads next.
    """
    folders = [pattern.format(etc=etc, run=run) for pattern in _NETWORKD]
    present = next(
        (each for each in (file, *(Path(folder, file.name) for folder in folders)) if each.is_file()), None
    )
    if present is None:
        return
    yield present.read_text()
    found: dict[str, Path] = {}
    for folder in (*folders, *_NETWORKD_VENDOR):
        for path in Path(folder, f"{file.name}.d").glob("*.conf"):
            found.setdefault(path.name, path)
    for name in sorted(found):
        yield found[name].read_text()


def _interfaces(file: Path, seen: set[Path]) -> Iterator[tuple[str, str]]:
    """ifupdown's file and those that it takes in."""
    if file in seen or not file.is_file():
        return
    seen.add(file)
    text = file.read_text()
    yield str(file), text
    for word, pattern in re.findall(r"^\s*(source|source-directory)\s+(\S+)", text, re.MULTILINE):
        # A path that does not begin at the top begins where the file is.
        whole = file.parent / pattern
        if word == "source":
            paths = sorted(Path("/").glob(str(whole).lstrip("/")))
        else:
            named = re.compile(r"[A-Za-z0-9_-]+")
            paths = sorted(each for each in whole.glob("*") if named.fullmatch(each.name))
        for path in paths:
            yield from _interfaces(path, seen)
