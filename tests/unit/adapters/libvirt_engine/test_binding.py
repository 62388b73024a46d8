"""libvirt's threads, errors and numbers, as the rest of the package has them."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import libvirt
import pytest

from vmstead.adapters.libvirt_engine import binding
from vmstead.ports.engine import DomainState, EngineError, EngineErrorKind, PowerState

#: Well-formed, and no definition.
NO_OS = "<domain type='test'><name>a</name></domain>"
UNKNOWN = "00000000-1111-4222-8333-444444444444"


@pytest.fixture(scope="module")
def connection() -> Iterator[Any]:
    """libvirt's test driver."""
    binding.start_event_loop()
    connection = libvirt.open("test:///default")
    yield connection
    connection.close()


def libvirt_error(code: int | None, domain: int = libvirt.VIR_FROM_QEMU, text: str | None = "why") -> Any:
    error = libvirt.libvirtError("a call failed")
    error.err = None if code is None else (code, domain, text, libvirt.VIR_ERR_ERROR, "", None, None, 0, 0)
    return error


# --- numbers ----------------------------------------------------------------------------------------


def test_states_have_libvirts_numbers_and_names() -> None:
    assert {f"VIR_DOMAIN_{state}": number for number, state in binding.POWER_STATES.items()} == {
        f"VIR_DOMAIN_{state}": getattr(libvirt, f"VIR_DOMAIN_{state}") for state in PowerState
    }


@pytest.mark.parametrize(
    ("event", "power"),
    [
        ("STARTED", "RUNNING"),
        ("RESUMED", "RUNNING"),
        ("SUSPENDED", "PAUSED"),
        ("PMSUSPENDED", "PMSUSPENDED"),
        ("SHUTDOWN", "SHUTDOWN"),
        ("CRASHED", "CRASHED"),
    ],
)
def test_after_these_events_a_guest_has_its_process_still(event: str, power: str) -> None:
    number = getattr(libvirt, f"VIR_DOMAIN_EVENT_{event}")
    for pid in (7, None):
        assert binding.state_after(number, pid) == DomainState(PowerState(power), active=True, pid=pid)


def test_after_a_stop_there_is_no_process_whatever_was_known_of_it() -> None:
    stopped = DomainState(PowerState.SHUTOFF, active=False, pid=None)
    assert binding.state_after(libvirt.VIR_DOMAIN_EVENT_STOPPED, 7) == stopped


@pytest.mark.parametrize("event", [libvirt.VIR_DOMAIN_EVENT_DEFINED, libvirt.VIR_DOMAIN_EVENT_UNDEFINED, 999])
def test_other_events_say_nothing_of_a_guest(event: int) -> None:
    assert binding.state_after(event, 7) is None


# --- errors -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("NO_DOMAIN", "NO_DOMAIN"),
        ("OPERATION_INVALID", "WRONG_STATE"),
        ("XML_ERROR", "REFUSED"),
        ("XML_DETAIL", "REFUSED"),
        ("XML_INVALID_SCHEMA", "REFUSED"),
        ("CONFIG_UNSUPPORTED", "REFUSED"),
        ("INVALID_ARG", "REFUSED"),
        ("NO_CONNECT", "UNREACHABLE"),
        ("INVALID_CONN", "UNREACHABLE"),
        ("RPC", "UNREACHABLE"),
        ("AUTH_FAILED", "UNREACHABLE"),
        ("OPERATION_FAILED", "FAILED"),
        ("INTERNAL_ERROR", "FAILED"),
        ("SYSTEM_ERROR", "FAILED"),
        ("NO_SUPPORT", "FAILED"),
    ],
)
def test_errors_are_told_apart_by_what_can_be_done_about_them(code: str, kind: str) -> None:
    error = binding.engine_error(libvirt_error(getattr(libvirt, f"VIR_ERR_{code}")))
    assert (error.kind, str(error)) == (EngineErrorKind[kind], "why")


@pytest.mark.parametrize("code", [libvirt.VIR_ERR_SYSTEM_ERROR, libvirt.VIR_ERR_INTERNAL_ERROR])
def test_the_end_of_a_connection_is_known_by_who_speaks_of_it(code: int) -> None:
    assert binding.engine_error(libvirt_error(code, libvirt.VIR_FROM_RPC)).kind is EngineErrorKind.UNREACHABLE


@pytest.mark.parametrize("error", [libvirt_error(None), libvirt_error(libvirt.VIR_ERR_OK, text=None)])
def test_an_error_without_particulars_has_at_least_a_text(error: Any) -> None:
    found = binding.engine_error(error)
    assert (found.kind, str(found)) == (EngineErrorKind.FAILED, "a call failed")


def test_no_domain_is_an_answer_and_no_other_error_is() -> None:
    assert binding.is_no_domain(libvirt_error(libvirt.VIR_ERR_NO_DOMAIN))
    assert not binding.is_no_domain(libvirt_error(libvirt.VIR_ERR_NO_NETWORK))
    assert not binding.is_no_domain(libvirt_error(None))


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        (lambda connection: connection.lookupByUUIDString(UNKNOWN), EngineErrorKind.NO_DOMAIN),
        (lambda connection: connection.lookupByName("none"), EngineErrorKind.NO_DOMAIN),
        (lambda connection: connection.defineXML("<domain"), EngineErrorKind.REFUSED),
        (lambda connection: connection.defineXML(NO_OS), EngineErrorKind.REFUSED),
        (lambda _: libvirt.open("qemu+unix:///system?socket=/nonexistent"), EngineErrorKind.UNREACHABLE),
    ],
)
async def test_libvirts_own_errors_are_understood(
    connection: Any, action: Any, kind: EngineErrorKind
) -> None:
    for attempt in (lambda: binding.call(action, connection), lambda: in_thread(action, connection)):
        with pytest.raises(EngineError) as raised:
            await attempt()
        assert raised.value.kind is kind
        assert str(raised.value)
        assert isinstance(raised.value.__cause__, libvirt.libvirtError)


async def in_thread(action: Any, connection: Any) -> object:
    return binding.translated(action, connection)


async def test_errors_of_others_stay_what_they_are() -> None:
    def fail(text: str) -> None:
        raise LookupError(text)

    with pytest.raises(LookupError, match="why"):
        await binding.call(fail, "why")
    with pytest.raises(LookupError, match="why"):
        binding.translated(fail, "why")


# --- threads ----------------------------------------------------------------------------------------


async def test_calls_answer_with_what_libvirt_says(connection: Any) -> None:
    assert await binding.call(connection.getURI) == "test:///default"
    domain = await binding.call(connection.lookupByName, "test")
    assert binding.translated(domain.name) == "test"


async def test_a_call_that_takes_long_keeps_neither_the_loop_nor_other_calls() -> None:
    begun, release = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def slow() -> str:
        loop.call_soon_threadsafe(begun.set)
        assert release.wait(20)
        return threading.current_thread().name

    task = loop.create_task(binding.call(slow))
    await begun.wait()
    other = await binding.call(lambda: threading.current_thread().name)
    assert not task.done()
    release.set()
    names = {await task, other}
    assert len(names) == 2
    assert all(name.startswith("libvirt") for name in names)


def test_however_often_it_is_started_there_is_one_event_loop(connection: Any) -> None:
    del connection
    for _ in range(3):
        binding.start_event_loop()
    (thread,) = [each for each in threading.enumerate() if each.name == "libvirt-events"]
    assert thread.is_alive()
    assert thread.daemon


async def test_events_arrive_without_being_fetched(connection: Any) -> None:
    loop, arrived = asyncio.get_running_loop(), asyncio.Event()
    states: list[DomainState | None] = []

    def on_event(_: object, __: object, event: int, *___: object) -> None:
        states.append(binding.state_after(event, 7))
        loop.call_soon_threadsafe(arrived.set)

    domain = connection.lookupByName("test")
    number = connection.domainEventRegisterAny(domain, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, on_event, None)
    try:
        await binding.call(domain.suspend)
        async with asyncio.timeout(20):
            await arrived.wait()
    finally:
        connection.domainEventDeregisterAny(number)
        await binding.call(domain.resume)
    assert states == [DomainState(PowerState.PAUSED, active=True, pid=7)]


def test_what_libvirt_complains_of_comes_as_an_error_and_not_on_the_terminal(
    connection: Any, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(EngineError, match=r"nothing-here"):
        binding.translated(libvirt.open, f"qemu+unix:///system?socket={tmp_path}/nothing-here")
    with pytest.raises(EngineError):
        binding.translated(connection.lookupByUUIDString, UNKNOWN)
    assert capfd.readouterr() == ("", "")
