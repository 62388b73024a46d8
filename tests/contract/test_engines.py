"""Every engine does what the port says."""

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import libvirt
import pytest

from tests.contract.engine import ConsoleContract, EngineContract, Machine, connected, forget, guest
from tests.daemons import config, lasting_engine, needs_private_libvirtd, state_folder
from tests.unit.vm.support import make_vm
from vmstead.adapters.engine_choice import provider_for
from vmstead.adapters.libvirt_engine import LibvirtEngine
from vmstead.adapters.libvirt_engine.binding import call, start_event_loop
from vmstead.adapters.linux_host import LinuxHost
from vmstead.adapters.memory_engine import MemoryEngine
from vmstead.config import Config
from vmstead.kernel.clock import ManualClock, SystemClock
from vmstead.ports.engine import Domain, Engine, EngineError, EngineErrorKind, PowerState
from vmstead.vm.xml import Launch, domain_xml


def document(uuid: str, name: str) -> bytes:
    """A BIOS with nothing to boot from."""
    nowhere = Path("/nonexistent")
    vm = make_vm(uuid=uuid, bootloader="UEFI_CSM", memory=32, ensure_display_device=False)
    xml = domain_xml(vm, [], Launch("tcg", None, nowhere, nowhere))
    return xml.replace(f"<name>{vm.domain_name}</name>".encode(), f"<name>{name}</name>".encode())


class TestMemoryEngine(EngineContract, ConsoleContract):
    @pytest.fixture
    def machine(self) -> Machine:
        engine = MemoryEngine(ManualClock())
        return Machine(lambda: engine, document)

    async def test_what_is_typed_is_echoed_and_what_the_guest_prints_is_read(self, machine: Machine) -> None:
        async with guest(machine) as (engine, _, uuid):
            console = await engine.console(uuid)
            await console.write(b"hello\r")
            assert await anext(aiter(console)) == b"hello\r\n"


class LibvirtContract:
    """What is so of every libvirt. ``machine`` comes from the other class."""

    async def test_what_one_does_all_see_in_the_same_order(self, machine: Machine) -> None:
        async with guest(machine) as (engine, first, uuid), connected(machine) as (other, second):
            first.history, second.history = [(uuid, first.states[uuid])], [(uuid, first.states[uuid])]
            await other.suspend(uuid)
            await engine.resume(uuid)
            await other.suspend(uuid)
            await engine.destroy(uuid)
            for listener in (first, second):
                await listener.inactive(uuid)
            # What the second was told of the guest by its connection is no change.
            assert first.powers(uuid) == second.powers(uuid)
            assert second.powers(uuid)[:4] == [
                PowerState.RUNNING,
                PowerState.PAUSED,
                PowerState.RUNNING,
                PowerState.PAUSED,
            ]

    async def test_domains_of_others_are_told_of_too(self, machine: Machine) -> None:
        async with connected(machine) as (_, listener), connected(machine) as (other, _):
            domain = machine.domain("theirs")
            await other.define(domain)
            try:
                await other.start(domain.uuid)
                await listener.power(domain.uuid, PowerState.RUNNING)
            finally:
                await forget(other, domain.uuid)
            await listener.inactive(domain.uuid)


def _test_driver() -> LibvirtEngine:
    config = Config(engine="test:///default", state=Path("/nonexistent"))
    return LibvirtEngine(provider_for(config, LinuxHost()), SystemClock())


class TestLibvirtTestDriver(EngineContract, LibvirtContract):
    has_consoles = False
    has_agents = True
    # The driver says of some that they are internal errors.
    wrong_state = frozenset({EngineErrorKind.WRONG_STATE, EngineErrorKind.FAILED})

    @pytest.fixture
    def machine(self) -> Iterator[Machine]:
        # The driver forgets everything with its last connection.
        start_event_loop()
        kept = libvirt.open("test:///default")
        yield Machine(_test_driver, document)
        kept.close()

    async def test_a_domain_that_was_there_before_is_listed(self, machine: Machine) -> None:
        async with connected(machine) as (engine, listener):
            assert [state.power for state in listener.states.values()] == [PowerState.RUNNING]
            assert engine.info is not None
            assert not engine.info.runs_guests


async def lock_of(engine: Engine, uuid: str) -> Path:
    """Where a libvirt that was built to lock terminals has the lock of a guest's."""
    domain = await call(engine._connection.lookupByUUIDString, uuid)  # type: ignore[attr-defined]
    terminal = re.search(r"<source path='/dev/(pts/\d+)'/>", await call(domain.XMLDesc))
    assert terminal is not None
    return Path("/var/lock", "LCK.._" + terminal[1].replace("/", "_"))


class OwnFolder:
    """One folder for all tests of a libvirt that keeps everything below one."""

    @pytest.fixture(scope="class")
    @classmethod
    def folder(cls) -> Iterator[Path]:
        with state_folder() as folder:
            yield folder


@needs_private_libvirtd
class TestPrivateLibvirtd(OwnFolder, EngineContract, ConsoleContract, LibvirtContract):
    @pytest.fixture
    def machine(self, folder: Path) -> Machine:
        return Machine(lasting_engine(folder), document)

    @pytest.mark.parametrize(
        ("old", "new", "text"),
        [
            (b'mode="maximum">', b"mode='custom'><model fallback='forbid'>NoSuch</model>", "NoSuch"),
            (b"<os>", b"<numatune><memory nodeset='9'/></numatune><os>", "NUMA node 9"),
            (b"</devices>", b"<controller type='usb' model='vt82c686b-uhci'/></devices>", "vt82c686b"),
        ],
    )
    async def test_what_it_does_not_have_is_refused_before_it_is_kept(
        self, machine: Machine, old: bytes, new: bytes, text: str
    ) -> None:
        domain = machine.domain("checked")
        changed = Domain(domain.uuid, domain.name, domain.xml.replace(old, new))
        assert changed != domain
        async with connected(machine) as (engine, _):
            with pytest.raises(EngineError, match=text) as raised:
                await engine.check(changed)
            assert raised.value.kind is EngineErrorKind.REFUSED

    async def test_a_lock_that_was_left_at_a_terminal_keeps_nobody_from_the_console(
        self, machine: Machine
    ) -> None:
        async with guest(machine) as (engine, _, uuid):
            lock = await lock_of(engine, uuid)
            lock.write_text(f"{os.getpid():10d}\n")
            console = await engine.console(uuid)
            await console.close()

    async def test_guests_have_a_user_of_their_own(self, machine: Machine) -> None:
        async with guest(machine) as (engine, listener, uuid):
            assert engine.info is not None
            assert engine.info.privileged
            assert engine.info.guest_user == "libvirt-qemu"
            pid = listener.states[uuid].pid
            owner = Path(f"/proc/{pid}").stat().st_uid
            assert owner == int(Path(f"/proc/{pid}/status").read_text().split("Uid:")[1].split()[0])
            assert owner != 0


@needs_private_libvirtd
@pytest.mark.skipif(not Path("/run/systemd/system").exists(), reason="nobody reaps what is left behind")
class TestEmbeddedDriver(OwnFolder, EngineContract, ConsoleContract, LibvirtContract):
    """All its guests are of one folder, since a process has one such driver."""

    @pytest.fixture
    def machine(self, folder: Path) -> Machine:
        provider = provider_for(replace(config(folder), engine="qemu:///embed"), LinuxHost())
        return Machine(lambda: LibvirtEngine(provider, SystemClock()), document)

    async def test_a_guest_goes_on_when_its_driver_is_closed(self, machine: Machine) -> None:
        domain = machine.domain("lasting")
        async with connected(machine) as (engine, listener):
            await engine.define(domain)
            await engine.start(domain.uuid)
            await listener.power(domain.uuid, PowerState.RUNNING)
            pid = listener.states[domain.uuid].pid
        assert pid is not None
        assert Path(f"/proc/{pid}").exists()
        async with connected(machine) as (engine, listener):
            assert listener.states[domain.uuid].pid == pid
            await forget(engine, domain.uuid)

    async def test_a_console_that_was_given_back_is_free_for_others(self, machine: Machine) -> None:
        async with guest(machine) as (engine, _, uuid):
            lock = await lock_of(engine, uuid)
            for _ in range(2):
                console = await engine.console(uuid)
                assert lock.exists()
                await console.close()
                assert not lock.exists()

    async def test_guests_have_a_user_of_their_own(self, machine: Machine) -> None:
        async with guest(machine) as (_, listener, uuid):
            pid = listener.states[uuid].pid
            assert Path(f"/proc/{pid}").owner() == "libvirt-qemu"
