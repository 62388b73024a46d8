"""A real guest on a private libvirtd: what it writes and reads, and that it can be asked to power off."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.contract.bootsector import GREETING, write_disk
from tests.contract.engine import Machine as EngineMachine
from tests.contract.engine import connected, forget, kind_of
from tests.contract.listening import PATIENCE, Listener
from tests.daemons import lasting_engine, needs_private_libvirtd, state_folder
from tests.unit.vm.support import make_vm
from vmstead.devices.raw import Raw
from vmstead.ports.engine import ConsoleStream, Domain, Engine, EngineErrorKind, PowerState
from vmstead.ports.volumes import DiskSource
from vmstead.vm.xml import Launch, domain_xml

pytestmark = needs_private_libvirtd

UUID = "0b3f9e2a-6b52-4d5c-8f2e-3d6a1c9e7b40"


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with state_folder() as folder:
        write_disk(folder / "disk.raw")
        yield folder


@asynccontextmanager
async def booted(folder: Path) -> AsyncIterator[tuple[Engine, Listener, ConsoleStream]]:
    """The guest, which has just answered, and its console."""
    machine = EngineMachine(lasting_engine(folder), lambda uuid, name: b"")
    nowhere = Path("/nonexistent")
    vm = make_vm(uuid=UUID, bootloader="UEFI_CSM", memory=32)
    disk = Raw(path="/mnt/default/disk.raw"), DiskSource(folder / "disk.raw", is_block=False)
    xml = domain_xml(vm, [disk], Launch("tcg", None, nowhere, nowhere))
    async with connected(machine) as (engine, listener), AsyncExitStack() as stack:
        await engine.define(Domain(vm.uuid, vm.domain_name, xml))
        stack.push_async_callback(forget, engine, vm.uuid)
        await engine.start(vm.uuid)
        console = await engine.console(vm.uuid)
        stack.push_async_callback(console.close)
        # What it greets with is lost where that comes before anybody listens; what is typed waits for it.
        await console.write(b"?")
        answer = await read(console, 1)
        answer += await read(console, 1) if answer == GREETING else b""
        assert answer.removeprefix(GREETING) == b"?"
        yield engine, listener, console


async def read(console: ConsoleStream, count: int) -> bytes:
    """So many bytes of what the guest writes."""
    data = b""
    async with asyncio.timeout(PATIENCE):
        async for chunk in console:
            data += chunk
            if len(data) >= count:
                break
    return data


async def test_what_is_typed_arrives_and_what_the_guest_writes_comes_back(folder: Path) -> None:
    async with booted(folder) as (_, _, console):
        await console.write(b"hello")
        assert await read(console, 5) == b"hello"
        # Every byte value passes as it is.
        everything = bytes(range(256)) * 16
        writing = asyncio.ensure_future(console.write(everything))
        assert await read(console, len(everything)) == everything
        await writing


async def test_the_console_is_taken_from_whoever_holds_it(folder: Path) -> None:
    async with booted(folder) as (engine, _, first):
        second = await engine.console(UUID)
        async for _data in first:
            pass
        await second.write(b"mine")
        assert await read(second, 4) == b"mine"
        await second.close()
        third = await engine.console(UUID)
        await third.write(b"again")
        assert await read(third, 5) == b"again"
        await third.close()


async def test_a_guest_that_reads_nothing_holds_up_neither_the_engine_nor_the_end_of_its_console(
    folder: Path,
) -> None:
    async with booted(folder) as (engine, listener, console), asyncio.timeout(PATIENCE):
        await engine.suspend(UUID)
        await console.write(bytes(8 * 1024 * 1024))
        await console.close()
        assert [data async for data in console] == []
        assert await kind_of(console.write(b"more")) is EngineErrorKind.WRONG_STATE
        await engine.resume(UUID)
        await listener.power(UUID, PowerState.RUNNING)


async def test_a_guest_that_is_asked_to_powers_off(folder: Path) -> None:
    async with booted(folder) as (engine, listener, console):
        await engine.shutdown(UUID)
        assert await listener.inactive(UUID) == listener.states[UUID]
        assert listener.powers(UUID) == [PowerState.RUNNING, PowerState.SHUTDOWN, PowerState.SHUTOFF]
        assert [data async for data in console] == []


async def test_a_suspended_guest_goes_on_where_it_was(folder: Path) -> None:
    async with booted(folder) as (engine, listener, console):
        await engine.suspend(UUID)
        await listener.power(UUID, PowerState.PAUSED)
        assert await kind_of(engine.shutdown(UUID)) is EngineErrorKind.WRONG_STATE
        await console.write(b"?")
        await engine.resume(UUID)
        assert await read(console, 1) == b"?"


async def test_what_a_guest_reads_from_its_disk_is_counted(folder: Path) -> None:
    async with booted(folder) as (engine, _, _console):
        used = (await engine.usage())[UUID]
        # The sector that it is.
        assert used.read_bytes >= 512
        assert used.reads >= 1
        assert used.written_bytes == 0


async def test_the_guests_disk_belongs_to_its_user_while_it_runs(folder: Path) -> None:
    disk = folder / "disk.raw"
    before = os.stat(disk).st_uid
    async with booted(folder) as (_, listener, _):
        process = Path(f"/proc/{listener.states[UUID].pid}").stat().st_uid
        assert disk.stat().st_uid == process != 0
    assert disk.stat().st_uid == before == 0
