"""The network of a Linux host, changed by the programs that people change it with."""

import asyncio
import contextlib
import json
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import structlog
from pyroute2 import AsyncIPRoute
from pyroute2.netlink.rtnl import RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR, RTMGRP_LINK

from vmstead.adapters.network_managers import read_management
from vmstead.kernel.run import CommandError, run
from vmstead.network.cabling import cabling_of
from vmstead.ports.host_network import (
    Arrive,
    Cable,
    Cabling,
    Hold,
    Kept,
    Management,
    NetworkError,
    Remove,
    Replace,
    Run,
    Step,
    Write,
)

log = structlog.get_logger()

#: Where programs of root's are, whatever a shell was told.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: Seconds that one program gets: asking for an address takes long.
_PATIENCE = 60.0


class LinuxHostNetwork:
    """The network namespace that this process is in.

    Args:
        records: the folder for what is remembered of bridges.
        etc, run: where programs are told how to behave, and where they say what they do.
    """

    def __init__(self, records: Path, *, etc: Path = Path("/etc"), run: Path = Path("/run")) -> None:
        self._records = records
        self._etc = etc
        self._run = run

    async def cabling(self) -> Cabling:
        route = ("route", "show", "table", "all")
        return cabling_of(
            await _ip("-details", "address", "show"), await _ip("-4", *route), await _ip("-6", *route)
        )

    async def management(self, name: str) -> Management:
        return await read_management(name, self._etc, self._run)

    def record(self, bridge: str) -> str:
        return str(self._records / f"{bridge}.json")

    async def kept(self) -> Sequence[Kept]:
        return await asyncio.to_thread(self._read_records)

    def _read_records(self) -> list[Kept]:
        found = []
        for path in sorted(self._records.glob("*.json")):
            try:
                found.append(msgspec.json.decode(path.read_bytes(), type=Kept))
            except (OSError, msgspec.MsgspecError) as error:
                raise NetworkError(f"{path}, which tells of a bridge, cannot be read: {error}") from error
        return found

    async def perform(self, step: Step) -> None:
        await _perform_if_needed(step)


async def _perform_if_needed(step: Step) -> None:
    try:
        await _perform(step)
    except NetworkError as error:
        if isinstance(step, Run | Replace | Arrive) and not step.needed:
            log.info("a step that is not needed has failed", reason=str(error))
            return
        raise


async def _perform(step: Step) -> None:
    if isinstance(step, Run):
        # Whoever asks for addresses goes on when ``ifup`` has ended.
        await _program(step.argv, leaves=True)
    elif isinstance(step, Arrive):
        await _arrive(step)
    elif isinstance(step, Hold):
        await _hold(step)
    else:
        try:
            await asyncio.to_thread(_on_files, step)
        except OSError as error:
            raise NetworkError(f"{step.path}: {error.strerror}") from error


async def _ip(*words: str) -> Any:  # noqa: ANN401 - JSON
    """What ``ip`` says. It knows nothing of no routes at all."""
    return json.loads(await _program(("ip", "-json", *words)) or b"[]")


async def _program(argv: Sequence[str], *, leaves: bool = False) -> bytes:
    try:
        return await run(argv, env={"PATH": PATH}, timeout=_PATIENCE, leaves=leaves)
    except CommandError as error:
        raise NetworkError(f"{' '.join(argv)} failed: {error.output.strip()}") from error


def _on_files(step: Write | Remove | Replace) -> None:
    # Where a link stands, what it leads to is meant.
    path = Path(os.path.realpath(step.path))
    if isinstance(step, Write):
        path.parent.mkdir(parents=True, exist_ok=True)
        _put(path, step.text)
    elif isinstance(step, Remove):
        Path(step.path).unlink(missing_ok=True)
    else:
        present = path.read_text() if path.exists() else ""
        if present == step.old:
            _put(path, step.new)
        elif present != step.new:
            raise NetworkError(f"{step.path} has been changed by somebody else meanwhile")


def _put(path: Path, text: str) -> None:
    """Write all of a file or nothing, on the disk itself: the host may be about to lose its power.

    It keeps its owner and who may read it; a new one is everybody's to read, as systemd-networkd runs as nobody
    in particular.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w") as file:
            if path.exists():
                old = path.stat()
                os.fchown(descriptor, old.st_uid, old.st_gid)
                os.fchmod(descriptor, old.st_mode & 0o7777)
            else:
                os.fchmod(descriptor, 0o644)
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


async def _arrive(step: Arrive) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(step.seconds), AsyncIPRoute() as kernel:
            await kernel.bind(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR)
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(step.ask_after):
                        await _until_arrived(step, kernel)
                        return
                if step.ask:
                    await _perform_if_needed(Run(step.ask, needed=False))
    cables = list(await _link(step.link))
    if not any(has_arrived(step, cable) for cable in cables):
        wanted = ", ".join(step.addresses) or ("an address by DHCP" if step.lent else "a connection")
        seen = _seen(cables[0]) if cables else "it is not there"
        raise NetworkError(f"{step.link} did not get {wanted} within {step.seconds:g} seconds: {seen}")


async def _until_arrived(step: Arrive, kernel: AsyncIPRoute) -> None:
    """Look at the interface whenever the kernel tells of a change."""
    while not any(has_arrived(step, cable) for cable in await _link(step.link)):
        async for _ in kernel.get():
            break


async def _hold(step: Hold) -> None:
    """Set the addresses and routes, and again whenever the kernel tells that an address has gone."""
    loop = asyncio.get_running_loop()
    end = loop.time() + step.seconds
    async with AsyncIPRoute() as kernel:
        await kernel.bind(RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR)
        await _set_what_can_be(step)
        while True:
            try:
                async with asyncio.timeout_at(end):
                    async for _ in kernel.get():
                        break
            except TimeoutError:
                break
            if await _missing(step):
                await _set_what_can_be(step)
    # Routes go without a word here, and are set again with the rest.
    await _set(step)
    if missing := await _missing(step):
        raise NetworkError(f"{step.link} does not keep {', '.join(sorted(missing))}")


async def _set_what_can_be(step: Hold) -> None:
    try:
        await _set(step)
    except NetworkError as error:
        log.info("an address or route cannot be set yet", link=step.link, reason=str(error))


async def _set(step: Hold) -> None:
    failed = []
    for each in step.steps:
        try:
            await _perform_if_needed(each)
        except NetworkError as error:
            failed.append(error)
    if failed:
        raise failed[0]


async def _missing(step: Hold) -> set[str]:
    present = {each.interface for cable in await _link(step.link) for each in cable.addresses}
    return set(step.addresses) - present


async def _link(name: str) -> Iterable[Cable]:
    links = await _ip("-details", "address", "show")
    return [cable for cable in cabling_of(links, (), ()).cables.values() if cable.name == name]


def has_arrived(step: Arrive, cable: Cable) -> bool:
    """Whether an interface has what is waited for."""
    present = {each.interface for each in cable.addresses}
    lent = any(not each.is_ipv6 for each in cable.addresses)
    return cable.is_up and present >= set(step.addresses) and (lent or not step.lent)


def _seen(cable: Cable) -> str:
    state = "up" if cable.is_up else "down"
    return f"it is {state} and has {', '.join(each.interface for each in cable.addresses) or 'no address'}"
