"""What every engine does: a subclass says where one is found, and inherits the tests."""

import contextlib
import uuid as uuids
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import ClassVar

import pytest

from tests.contract.listening import Listener
from vmstead.ports.engine import Domain, Engine, EngineError, EngineErrorKind, PowerState

#: Nobody's.
UNKNOWN = "00000000-1111-4222-8333-444444444444"


@dataclass
class Machine:
    """Where an engine's domains live: they stay when it is closed.

    Attributes:
        make: an engine that is not open yet.
        document: the definition of a small guest with this uuid and name.
    """

    make: Callable[[], Engine]
    document: Callable[[str, str], bytes]

    def domain(self, name: str, uuid: str | None = None) -> Domain:
        uuid = uuid or str(uuids.uuid4())
        return Domain(uuid, name, self.document(uuid, name))


@asynccontextmanager
async def connected(machine: Machine) -> AsyncIterator[tuple[Engine, Listener]]:
    """An engine that is connected, and its listener."""
    engine, listener = machine.make(), Listener()
    await engine.open(listener)
    try:
        await listener.until(lambda: listener.connections > 0)
        yield engine, listener
    finally:
        await engine.close()


async def forget(engine: Engine, uuid: str) -> None:
    """Take a domain away in whatever state it is, if the engine is still there."""
    for action in (engine.destroy, engine.undefine):
        with contextlib.suppress(EngineError):
            await action(uuid)


@asynccontextmanager
async def guest(
    machine: Machine, name: str = "guest", *, running: bool = True
) -> AsyncIterator[tuple[Engine, Listener, str]]:
    """A domain that is defined and, if wanted, runs; its uuid with the engine and the listener."""
    async with connected(machine) as (engine, listener), AsyncExitStack() as stack:
        domain = machine.domain(name)
        await engine.define(domain)
        stack.push_async_callback(forget, engine, domain.uuid)
        if running:
            await engine.start(domain.uuid)
            await listener.power(domain.uuid, PowerState.RUNNING)
        yield engine, listener, domain.uuid


async def kind_of(action: Awaitable[object]) -> EngineErrorKind:
    """How an action is refused; fails the test when it is not."""
    with pytest.raises(EngineError) as raised:
        await action
    assert str(raised.value)
    return raised.value.kind


class EngineContract:
    """The tests. They leave the machine as they found it."""

    has_consoles: ClassVar[bool] = True
    #: Whether guests have agents without any doing.
    has_agents: ClassVar[bool] = False
    #: What an engine says of an action that the state does not allow.
    wrong_state: ClassVar[frozenset[EngineErrorKind]] = frozenset({EngineErrorKind.WRONG_STATE})

    @pytest.fixture
    def machine(self) -> Machine:
        raise NotImplementedError

    async def test_a_document_can_be_checked_before_it_is_kept(self, machine: Machine) -> None:
        domain = machine.domain("checked")
        async with connected(machine) as (engine, _):
            await engine.check(domain)
            # Nothing came of it.
            assert await kind_of(engine.start(domain.uuid)) is EngineErrorKind.NO_DOMAIN

    async def test_it_tells_what_guests_can_be_made_of(self, machine: Machine) -> None:
        async with connected(machine) as (engine, _):
            found = await engine.capabilities()
            assert all(architecture.isidentifier() for architecture in found.machines)
            assert list(found.cpu_models) == sorted(found.cpu_models)
            assert await engine.capabilities() == found
        assert await kind_of(engine.capabilities()) is EngineErrorKind.UNREACHABLE

    async def test_it_says_what_it_is_while_it_is_connected(self, machine: Machine) -> None:
        async with connected(machine) as (engine, _):
            info = engine.info
            assert info is not None
            assert info.uri
            assert info.version
            assert info.accelerator in ("kvm", "tcg")
            assert (info.accelerator_reason is None) is (info.accelerator == "kvm")
        assert engine.info is None

    async def test_without_a_connection_it_is_unreachable(self, machine: Machine) -> None:
        engine = machine.make()
        domain = machine.domain("early")
        assert engine.info is None
        assert await kind_of(engine.define(domain)) is EngineErrorKind.UNREACHABLE
        assert await kind_of(engine.start(domain.uuid)) is EngineErrorKind.UNREACHABLE
        assert await kind_of(engine.undefine(domain.uuid)) is EngineErrorKind.UNREACHABLE
        await engine.close()

    async def test_it_tells_what_running_guests_have_used(self, machine: Machine) -> None:
        async with guest(machine) as (engine, listener, uuid):
            used = await engine.usage()
            assert engine.info is not None
            # A driver without guests may have nothing to tell.
            assert (uuid in used) or not engine.info.runs_guests
            if engine.info.runs_guests:
                later = await engine.usage()
                assert later[uuid].cpu_seconds >= used[uuid].cpu_seconds > 0
                assert (used[uuid].processors, used[uuid].memory) == (1, 32 * 1024**2)
                assert (used[uuid].resident_memory or 0) > 0
            await engine.destroy(uuid)
            await listener.inactive(uuid)
            assert uuid not in await engine.usage()
        assert await kind_of(engine.usage()) is EngineErrorKind.UNREACHABLE

    async def test_a_start_reaches_the_listener_with_the_process(self, machine: Machine) -> None:
        async with guest(machine) as (engine, listener, uuid):
            state = listener.states[uuid]
            assert engine.info is not None
            assert state.active
            assert state.pid is None or state.pid > 1
            assert not engine.info.runs_guests or state.pid is not None

    async def test_suspend_and_resume(self, machine: Machine) -> None:
        async with guest(machine) as (engine, listener, uuid):
            pid = listener.states[uuid].pid
            await engine.suspend(uuid)
            paused = await listener.power(uuid, PowerState.PAUSED)
            assert (paused.active, paused.pid) == (True, pid)
            await engine.resume(uuid)
            running = await listener.power(uuid, PowerState.RUNNING)
            assert (running.active, running.pid) == (True, pid)

    async def test_destroy_and_start_again(self, machine: Machine) -> None:
        async with guest(machine) as (engine, listener, uuid):
            first = listener.states[uuid]
            await engine.destroy(uuid)
            stopped = await listener.inactive(uuid)
            assert (stopped.power, stopped.pid) == (PowerState.SHUTOFF, None)
            await engine.start(uuid)
            second = await listener.power(uuid, PowerState.RUNNING)
            assert second.active
            assert second.pid is None or second.pid != first.pid

    async def test_a_suspended_guest_can_be_destroyed(self, machine: Machine) -> None:
        async with guest(machine) as (engine, listener, uuid):
            await engine.suspend(uuid)
            await listener.power(uuid, PowerState.PAUSED)
            await engine.destroy(uuid)
            await listener.inactive(uuid)

    async def test_a_reset_keeps_the_process(self, machine: Machine) -> None:
        async with guest(machine) as (engine, listener, uuid):
            pid = listener.states[uuid].pid
            await engine.reset(uuid)
            await engine.suspend(uuid)
            assert (await listener.power(uuid, PowerState.PAUSED)).pid == pid
            await engine.reset(uuid)

    async def test_a_guest_without_an_agent_does_not_answer(self, machine: Machine) -> None:
        async with guest(machine) as (engine, _, uuid):
            if self.has_agents:
                for each in await engine.guest_interfaces(uuid):
                    assert each.name
            else:
                assert await kind_of(engine.guest_interfaces(uuid)) is EngineErrorKind.NO_AGENT

    async def test_a_request_to_shut_down_is_accepted(self, machine: Machine) -> None:
        async with guest(machine) as (engine, listener, uuid):
            await engine.shutdown(uuid)
            # Whether the guest obeys is its own business.
            assert listener.states[uuid].power in (
                PowerState.RUNNING,
                PowerState.SHUTDOWN,
                PowerState.SHUTOFF,
            )

    async def test_unknown_domains_are_told(self, machine: Machine) -> None:
        async with connected(machine) as (engine, _):
            for action in (
                engine.start,
                engine.shutdown,
                engine.destroy,
                engine.suspend,
                engine.resume,
                engine.reset,
                engine.guest_interfaces,
                engine.console,
            ):
                assert await kind_of(action(UNKNOWN)) is EngineErrorKind.NO_DOMAIN, action

    async def test_undefining_what_is_not_there_is_no_error(self, machine: Machine) -> None:
        async with connected(machine) as (engine, _):
            await engine.undefine(UNKNOWN)

    async def test_a_domain_without_a_tpm_has_nothing_to_copy(self, machine: Machine) -> None:
        async with guest(machine, running=False) as (engine, _, uuid):
            await engine.copy_tpm(uuid, UNKNOWN)
            await engine.undefine(UNKNOWN)

    @pytest.mark.parametrize("keep_state", [False, True])
    async def test_an_undefined_domain_is_gone(self, machine: Machine, keep_state: bool) -> None:
        async with guest(machine, running=False) as (engine, _, uuid):
            await engine.undefine(uuid, keep_state=keep_state)
            assert await kind_of(engine.start(uuid)) is EngineErrorKind.NO_DOMAIN
            await engine.undefine(uuid, keep_state=keep_state)

    async def test_what_a_stopped_domain_cannot_do(self, machine: Machine) -> None:
        async with guest(machine, running=False) as (engine, _, uuid):
            actions = (engine.shutdown, engine.destroy, engine.suspend, engine.resume)
            for action in (*actions, engine.reset, engine.guest_interfaces):
                assert await kind_of(action(uuid)) in self.wrong_state, action
            if self.has_consoles:
                assert await kind_of(engine.console(uuid)) is EngineErrorKind.WRONG_STATE

    async def test_what_a_running_domain_cannot_do(self, machine: Machine) -> None:
        async with guest(machine) as (engine, _, uuid):
            assert await kind_of(engine.start(uuid)) in self.wrong_state
            assert await kind_of(engine.resume(uuid)) in self.wrong_state

    async def test_a_running_domain_keeps_its_definition_and_its_name(self, machine: Machine) -> None:
        async with guest(machine) as (engine, listener, uuid):
            assert await kind_of(engine.undefine(uuid)) is EngineErrorKind.WRONG_STATE
            assert await kind_of(engine.undefine(uuid, keep_state=True)) is EngineErrorKind.WRONG_STATE
            renamed = machine.domain("renamed", uuid)
            assert await kind_of(engine.define(renamed)) is EngineErrorKind.WRONG_STATE
            await engine.destroy(uuid)
            await listener.inactive(uuid)
            await engine.start(uuid)

    async def test_a_document_that_is_none_is_refused(self, machine: Machine) -> None:
        async with connected(machine) as (engine, _):
            domain = machine.domain("broken")
            for xml in (b"", b"<domain", domain.xml[:-5], b"<domain type='qemu'>&nothing;</domain>"):
                broken = Domain(domain.uuid, domain.name, xml)
                assert await kind_of(engine.define(broken)) is EngineErrorKind.REFUSED, xml
            assert await kind_of(engine.start(domain.uuid)) is EngineErrorKind.NO_DOMAIN

    async def test_a_stopped_domain_can_be_defined_anew(self, machine: Machine) -> None:
        async with guest(machine, running=False) as (engine, listener, uuid):
            await engine.define(machine.domain("guest", uuid))
            await engine.start(uuid)
            await listener.power(uuid, PowerState.RUNNING)

    async def test_a_stopped_domain_can_be_renamed(self, machine: Machine) -> None:
        async with guest(machine, "before", running=False) as (engine, listener, uuid):
            await engine.define(machine.domain("after", uuid))
            # Its old name is free now.
            other = machine.domain("before")
            await engine.define(other)
            await engine.undefine(other.uuid)
            await engine.start(uuid)
            await listener.power(uuid, PowerState.RUNNING)

    async def test_a_name_belongs_to_one_domain(self, machine: Machine) -> None:
        async with guest(machine, "taken", running=False) as (engine, _, uuid):
            other = machine.domain("taken")
            assert await kind_of(engine.define(other)) is EngineErrorKind.FAILED
            assert await kind_of(engine.start(other.uuid)) is EngineErrorKind.NO_DOMAIN
            await engine.start(uuid)

    async def test_guests_go_on_and_are_listed_at_the_next_opening(self, machine: Machine) -> None:
        async with connected(machine) as (engine, listener), AsyncExitStack() as stack:
            running, suspended, stopped = (machine.domain(name) for name in ("one", "two", "three"))
            for domain in (running, suspended, stopped):
                await engine.define(domain)
                stack.push_async_callback(self._forget_by_another, machine, domain.uuid)
            for domain in (running, suspended):
                await engine.start(domain.uuid)
            await engine.suspend(suspended.uuid)
            await listener.power(running.uuid, PowerState.RUNNING)
            await listener.power(suspended.uuid, PowerState.PAUSED)
            before = dict(listener.states)
            await engine.close()
            async with connected(machine) as (_, listener):
                for uuid in (running.uuid, suspended.uuid):
                    assert listener.states[uuid] == before[uuid]
                assert not listener.states[stopped.uuid].active

    @staticmethod
    async def _forget_by_another(machine: Machine, uuid: str) -> None:
        async with connected(machine) as (engine, _):
            await forget(engine, uuid)

    async def test_a_closed_engine_tells_nothing_more(self, machine: Machine) -> None:
        async with guest(machine) as (engine, listener, uuid):
            await engine.close()
            told = len(listener.history)
            await self._forget_by_another(machine, uuid)
            assert len(listener.history) == told
            assert await kind_of(engine.start(uuid)) is EngineErrorKind.UNREACHABLE


class ConsoleContract:
    """What engines with consoles do besides. ``machine`` comes from the other class."""

    async def test_the_console_ends_with_the_guest(self, machine: Machine) -> None:
        async with guest(machine) as (engine, _, uuid):
            console = await engine.console(uuid)
            await engine.destroy(uuid)
            async for _data in console:
                pass
            await console.close()

    async def test_the_console_can_be_given_back_and_taken_again(self, machine: Machine) -> None:
        async with guest(machine) as (engine, _, uuid):
            for _time in range(3):
                console = await engine.console(uuid)
                await console.close()
                await console.close()
                assert [data async for data in console] == []
                assert await kind_of(console.write(b"x")) is EngineErrorKind.WRONG_STATE
            console = await engine.console(uuid)
            await engine.destroy(uuid)
            async for _data in console:
                pass
            await console.close()
