"""The life of a private libvirtd and of its guests: who outlives whom, and how each is found again."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.contract.engine import Machine, connected, forget
from tests.contract.listening import PATIENCE, Listener
from tests.contract.test_engines import document
from tests.daemons import daemon_pid, members, needs_private_libvirtd, private_engine, state_folder
from vmstead.adapters.libvirt_engine import LibvirtEngine
from vmstead.adapters.private_libvirtd import PrivateLibvirtd
from vmstead.ports.engine import Engine, EngineError, EngineErrorKind, PowerState

pytestmark = needs_private_libvirtd

UUID = "5f0c6c0e-8a2b-4f4e-9c37-1b1f5a9d2e66"


@pytest.fixture(scope="module")
def shared() -> Iterator[Path]:
    """One folder for all tests: what libvirt finds out about QEMU stays there."""
    with state_folder() as folder:
        yield folder


@pytest.fixture
def folder(shared: Path) -> Iterator[Path]:
    """The folder, with nothing running in it before; what a failed test leaves is killed by ``shared``."""
    yield shared
    assert daemon_pid(shared) is None


def machine(folder: Path) -> Machine:
    return Machine(lambda: private_engine(folder), document)


async def start(engine: Engine, listener: Listener, folder: Path, uuid: str = UUID) -> int:
    """Start a guest; returns its process id."""
    await engine.define(machine(folder).domain(f"guest_{uuid[0]}", uuid))
    await engine.start(uuid)
    state = await listener.power(uuid, PowerState.RUNNING)
    assert state.pid is not None
    return state.pid


async def destroy(engine: Engine) -> None:
    """Destroy the guest right after its daemon came back."""
    with contextlib.suppress(EngineError):
        # A libvirt that was about to look at the guest finds it gone, and says that it does not run.
        await engine.destroy(UUID)


@asynccontextmanager
async def ended(pid: int) -> AsyncIterator[None]:
    """Wait after the block until a process has ended."""
    descriptor = os.pidfd_open(pid)
    loop, gone = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, gone.set)
    try:
        yield
        async with asyncio.timeout(PATIENCE):
            await gone.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


async def test_it_stays_while_a_guest_runs_and_goes_with_the_last_one(folder: Path) -> None:
    async with connected(machine(folder)) as (engine, listener):
        guest = await start(engine, listener, folder)
        daemon = daemon_pid(folder)
        assert daemon is not None
    assert daemon_pid(folder) == daemon
    async with connected(machine(folder)) as (engine, listener):
        assert daemon_pid(folder) == daemon
        assert listener.states[UUID].pid == guest
        await forget(engine, UUID)
    assert daemon_pid(folder) is None


async def test_a_guest_whose_process_is_killed_is_off(folder: Path) -> None:
    async with connected(machine(folder)) as (engine, listener):
        os.kill(await start(engine, listener, folder), signal.SIGKILL)
        state = await listener.inactive(UUID)
        assert (state.power, state.pid) == (PowerState.SHUTOFF, None)
        await start(engine, listener, folder)
        await forget(engine, UUID)


async def test_guests_survive_the_death_of_the_daemon(folder: Path) -> None:
    async with connected(machine(folder)) as (engine, listener):
        guest, first = await start(engine, listener, folder), daemon_pid(folder)
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await listener.until(lambda: listener.connections == 2)
        assert listener.losses == ["the connection to libvirt was lost"]
        assert listener.states[UUID].pid == guest
        second = daemon_pid(folder)
        assert second not in (None, first)
        # The first daemon's keeper ends with the guest; the second's goes on.
        await destroy(engine)
        await listener.inactive(UUID)
        await start(engine, listener, folder)
        assert daemon_pid(folder) == second
        await forget(engine, UUID)


async def test_a_guest_that_dies_while_nobody_looks_is_off(folder: Path) -> None:
    async with connected(machine(folder)) as (engine, listener):
        guest, daemon = await start(engine, listener, folder), daemon_pid(folder)
        assert daemon is not None
        os.kill(daemon, signal.SIGKILL)
        os.kill(guest, signal.SIGKILL)
        await listener.until(lambda: listener.connections == 2)
        await listener.inactive(UUID)
        await forget(engine, UUID)


async def test_a_guest_that_is_destroyed_right_after_the_daemon_came_back_is_off(folder: Path) -> None:
    async with connected(machine(folder)) as (engine, listener):
        await start(engine, listener, folder)
        daemon = daemon_pid(folder)
        assert daemon is not None
        os.kill(daemon, signal.SIGKILL)
        await listener.until(lambda: listener.connections == 2)
        await destroy(engine)
        await listener.inactive(UUID)
        await forget(engine, UUID)


async def test_calls_under_way_when_the_daemon_dies_are_told_that_it_is_away(folder: Path) -> None:
    async with connected(machine(folder)) as (engine, listener):
        await start(engine, listener, folder)
        daemon = daemon_pid(folder)
        assert daemon is not None
        calls = [asyncio.ensure_future(engine.undefine(UUID)) for _ in range(40)]
        os.kill(daemon, signal.SIGKILL)
        results = await asyncio.gather(*calls, return_exceptions=True)
        kinds = {result.kind for result in results if isinstance(result, EngineError)}
        # Some were answered before; none has failed for a reason nobody knows.
        assert EngineErrorKind.UNREACHABLE in kinds
        assert kinds <= {EngineErrorKind.UNREACHABLE, EngineErrorKind.WRONG_STATE}
        await listener.until(lambda: listener.connections == 2)
        await forget(engine, UUID)


async def test_connections_leave_nothing_open(folder: Path) -> None:
    def sockets() -> int:
        targets = [Path(entry.path) for entry in os.scandir("/proc/self/fd")]
        return sum(os.readlink(each).startswith("socket:") for each in targets if each.is_symlink())

    async with connected(machine(folder)):
        before = sockets()
    for _ in range(3):
        async with connected(machine(folder)):
            assert sockets() <= before
        assert daemon_pid(folder) is None


async def test_a_daemon_with_other_settings_is_replaced(folder: Path) -> None:
    root = folder / "libvirt"
    for hide_kvm in (True, False, True):
        daemon = PrivateLibvirtd(root, hide_kvm=hide_kvm)
        before = daemon_pid(folder)
        await daemon.ensure()
        first = daemon_pid(folder)
        assert first not in (None, before)
        await daemon.ensure()
        assert daemon_pid(folder) == first
    await daemon.stop()
    await daemon.stop()


async def test_what_is_left_open_and_lies_about_here_does_not_reach_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = tmp_path / "working folder"
    hostile.mkdir()
    for name in ("socket", "ctypes", "vmstead"):
        (hostile / f"{name}.py").write_text("raise SystemExit('this must not run')")
    monkeypatch.chdir(hostile)
    umask = os.umask(0o077)
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    try:
        with state_folder() as folder:
            odd = folder / "a b&c=%41 'x"
            odd.mkdir()
            odd.chmod(0o711)
            async with connected(machine(odd)) as (engine, listener):
                # A guest's user gets to where its files are, whatever the umask here is.
                await start(engine, listener, odd)
                for pid in members(folder):
                    assert os.readlink(f"/proc/{pid}/cwd") == "/"
                os.close(writer)
                assert os.read(reader, 1) == b""  # nobody else has it
                await forget(engine, UUID)
            assert daemon_pid(odd) is None
    finally:
        os.umask(umask)
        os.close(reader)


async def test_nobody_but_root_reaches_it(folder: Path) -> None:
    daemon = PrivateLibvirtd(folder / "libvirt", hide_kvm=True)
    await daemon.ensure()
    try:
        sockets = [path for path in folder.rglob("*") if path.is_socket()]
        assert folder / "libvirt/run/libvirt-sock" in sockets
        open_to_others = [path for path in sockets if path.stat().st_mode & 0o077 or path.stat().st_uid]
        assert open_to_others == []
    finally:
        await daemon.stop()


async def test_it_ends_when_its_keeper_is_told_to(folder: Path) -> None:
    daemon = PrivateLibvirtd(folder / "libvirt", hide_kvm=True)
    await daemon.ensure()
    (keeper,) = [
        pid
        for pid in members(folder)
        if b"vmstead.adapters.keeper" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        and f"PPid:\t{pid}\n" in Path(f"/proc/{daemon_pid(folder)}/status").read_text()
    ]
    async with ended(keeper):
        os.kill(keeper, signal.SIGTERM)
    assert daemon_pid(folder) is None
    assert not (folder / "libvirt/libvirtd.pid").exists()


async def test_what_is_in_the_way_of_a_start_is_told(folder: Path) -> None:
    (folder / "libvirt/run/libvirt-sock").unlink(missing_ok=True)
    (folder / "libvirt/run/libvirt-sock").mkdir()
    engine, listener = private_engine(folder), Listener()
    assert isinstance(engine, LibvirtEngine)
    await engine.open(listener)
    try:
        await listener.until(lambda: bool(listener.losses))
        assert "a private libvirtd could not be started: [Errno 21] Is a directory" in listener.losses[0]
    finally:
        await engine.close()
        (folder / "libvirt/run/libvirt-sock").rmdir()


async def test_what_was_in_run_before_the_host_started_anew_is_forgotten(folder: Path) -> None:
    daemon = PrivateLibvirtd(folder / "libvirt", hide_kvm=True)
    left = folder / "libvirt/run/left"
    await daemon.ensure()
    await daemon.stop()
    # Such as libvirt's note that it has started those networks that start with the host.
    left.touch()
    await daemon.ensure()
    await daemon.stop()
    assert left.exists()
    (folder / "libvirt/boot_id").write_text("another\n")
    await daemon.ensure()
    await daemon.stop()
    assert not left.exists()
