"""Starting and stopping: ``vm.start``, ``stop``, ``poweroff``, ``restart``, ``reset``, ``suspend``, ``resume``.

Which action is possible in which state:

    action     STOPPED   RUNNING   SUSPENDED
    start      yes       -         -
    stop       -         yes       with force
    poweroff   -         yes       yes
    restart    -         yes       -
    reset      -         yes       yes
    suspend    -         yes       -
    resume     -         -         yes

No action reports its own success as an event: that comes from the engine, so a guest that is started by
``virsh`` or powers itself off looks the same to every client.
"""

from collections.abc import Callable, Sequence

import structlog

from vmstead.ctx import Ctx
from vmstead.devices import Device
from vmstead.devices.display import taken_port
from vmstead.errors import CallError
from vmstead.kernel.model import Field, Model
from vmstead.kernel.undo import undo
from vmstead.ports.engine import Domain, DomainState, EngineError, EngineErrorKind, PowerState
from vmstead.rpc.registry import Namespace
from vmstead.vm import memory
from vmstead.vm.engine_calls import engine_errors
from vmstead.vm.entries import devices_of, in_boot_order, settled, status
from vmstead.vm.hardware import unknown_hardware
from vmstead.vm.holding import hold, let_go
from vmstead.vm.launch import launch_for, with_console_log
from vmstead.vm.model import Vm
from vmstead.vm.shapes import VmStatus
from vmstead.vm.xml import domain_xml

log = structlog.get_logger()
vm = Namespace("vm")

_POSSIBLE = {
    "start": {"STOPPED"},
    "stop": {"RUNNING"},
    "poweroff": {"RUNNING", "SUSPENDED"},
    "restart": {"RUNNING"},
    "reset": {"RUNNING", "SUSPENDED"},
    "suspend": {"RUNNING"},
    "resume": {"SUSPENDED"},
}
_IS = {"STOPPED": "is not running", "RUNNING": "is running already", "SUSPENDED": "is suspended"}

#: Seconds in which the engine must confirm what it has accepted.
_CONFIRMATION = 30
#: Seconds after which the power button is pressed again: a guest that was still booting missed it.
_PRESS_AGAIN = 10


def require(ctx: Ctx, target: Vm, action: str) -> None:
    """Refuse an action that its state does not allow. Raises CallError."""
    state = str(status(ctx.states.get(target.uuid))["state"])
    if state in _POSSIBLE[action]:
        return
    way_out = {
        ("start", "SUSPENDED"): "; resume it instead, or power it off first",
        ("stop", "SUSPENDED"): "; resume it first, or stop it with force",
        ("restart", "SUSPENDED"): "; resume it first, or power it off and start it",
    }.get((action, state), "")
    said = "is running, not suspended" if (action, state) == ("resume", "RUNNING") else _IS[state]
    raise CallError(f"{target} {said}{way_out}")


@vm.method(role="VM_READ", returns=VmStatus)
async def status_(ctx: Ctx, id: int) -> dict[str, object]:
    """State, process id and libvirt's state of a virtual machine."""
    return status(ctx.states.get((await settled(ctx, id)).uuid))


class StartOptions(Model):
    """How to start."""

    overcommit: bool = Field(False, description="Start even if memory for all running VMs would not suffice.")


@vm.method(role="VM_WRITE", audit="Start VM {id}")
async def start(ctx: Ctx, id: int, options: StartOptions = StartOptions()) -> None:
    """Start a virtual machine; returns when its guest runs.

    With a DISPLAY that has ``wait``, the guest is SUSPENDED until somebody looks at it.

    Fails with ENOMEM when there is not enough memory, with EBUSY while another start is under way, and with
    a list of everything that is missing (files, interfaces) otherwise.
    """
    async with ctx.locks.transition(("vm", id), f"VM {id} is being started"):
        target = await settled(ctx, id)
        require(ctx, target, "start")
        async with memory.reserved(ctx, target, overcommit=options.overcommit):
            await _start(ctx, target)


async def _start(ctx: Ctx, target: Vm) -> None:
    devices = [each.device for each in in_boot_order(devices_of(ctx, target.id))]
    obstacles = [text for device in devices for text in await device.preflight(ctx)]
    if obstacles:
        raise CallError(f"{target} cannot start: {'; '.join(obstacles)}")
    launch = await launch_for(ctx, target)
    resolved = [(device, await device.resolve(ctx)) for device in devices]
    document = domain_xml(target, resolved, await with_console_log(ctx, target, launch))
    waits = any(device.holds_guest for device in devices)
    await (hold(ctx, target.uuid) if waits else let_go(ctx, target.uuid))
    with engine_errors(f"{target} could not be started"):
        try:
            await _run(ctx, Domain(target.uuid, target.domain_name, document), paused=waits)
        except EngineError as error:
            cause = await _cause(ctx, target, devices, error)
            if cause is None:
                raise
            raise CallError(f"{target} cannot start: {cause}") from error
    for caution in filter(None, (device.caution for device in devices)):
        log.warning("a started VM needs attention", vm=target.id, name=target.name, reason=caution)


async def _cause(ctx: Ctx, target: Vm, devices: Sequence[Device], error: EngineError) -> str | None:
    """Why a start has failed, where that can be seen, with what to do about it."""
    if (unknown := await unknown_hardware(ctx, vars(target))) is not None:
        return f"{unknown[0]} {unknown[1]}; change it with vm.update"
    if error.kind is not EngineErrorKind.FAILED:
        return None
    # It may listen on another address, and something else be wrong.
    taken = await taken_port(ctx, devices)
    return taken and f"{taken}. The engine says: {error}"


async def _run(ctx: Ctx, domain: Domain, *, paused: bool) -> None:
    """Define a domain, start it and wait until it is active. Raises EngineError and CallError."""
    with ctx.states.expect(domain.uuid, _active) as started:
        await ctx.engine.define(domain)
        async with undo() as steps:
            steps.push_async_callback(_destroy_if_active, ctx, domain.uuid)
            await ctx.engine.start(domain.uuid, paused=paused)
            try:
                await started.within(_CONFIRMATION)
            except TimeoutError:
                text = f"VM {domain.name} was started, but the engine did not confirm it"
                raise CallError(text) from None


async def _destroy_if_active(ctx: Ctx, uuid: str) -> None:
    """Undo a start that was given up half-way. A guest that already runs for its client is left alone."""
    if not ctx.states.get(uuid).active:
        return
    try:
        await ctx.engine.destroy(uuid)
    except EngineError as error:
        if error.kind not in {EngineErrorKind.WRONG_STATE, EngineErrorKind.NO_DOMAIN}:
            raise


def _active(state: DomainState) -> bool:
    return state.active


def _inactive(state: DomainState) -> bool:
    return not state.active


class StopOptions(Model):
    """How hard to stop."""

    force: bool = Field(False, description="Power off at once, without asking the guest.")
    force_after_timeout: bool = Field(
        False, description="Power off if the guest has not shut down within its shutdown_timeout."
    )


@vm.method(role="VM_WRITE", job="stop_vm_{0}", abortable=True, audit="Stop VM {id}")
async def stop(ctx: Ctx, id: int, options: StopOptions = StopOptions()) -> None:
    """Shut a guest down, as its power button would; the job ends when it is off.

    A guest that does not shut down in time keeps running, and the job says so, unless
    ``force_after_timeout`` is set.
    """
    target = await settled(ctx, id)
    require(ctx, target, "poweroff" if options.force else "stop")
    if options.force:
        await power_off(ctx, target)
    elif await shut_down(ctx, target):
        ctx.progress(100, f"{target} is off")
    elif options.force_after_timeout:
        ctx.progress(99, f"{target} did not shut down within {target.shutdown_timeout} seconds; powering off")
        await power_off(ctx, target)
    else:
        ctx.progress(
            100, f"{target} still runs: it did not shut down within {target.shutdown_timeout} seconds"
        )


async def shut_down(ctx: Ctx, target: Vm) -> bool:
    """Press the power button until the guest is off. False when its time is up."""
    begin = ctx.clock.monotonic()
    with ctx.states.expect(target.uuid, _inactive) as stopped:
        while (left := begin + target.shutdown_timeout - ctx.clock.monotonic()) > 0:
            spent = 100 * (target.shutdown_timeout - left) / target.shutdown_timeout
            ctx.progress(int(spent), f"Waiting for {target} to shut down")
            try:
                with engine_errors(f"{target} could not be shut down"):
                    await ctx.engine.shutdown(target.uuid)
                await stopped.within(min(left, _PRESS_AGAIN))
            except TimeoutError:
                continue
            except CallError:
                # It may have gone off on its own between the look and the call.
                if ctx.states.get(target.uuid).active:
                    raise
            return True
    return False


@vm.method(role="VM_WRITE", audit="Power off VM {id}")
async def poweroff(ctx: Ctx, id: int) -> None:
    """Power a guest off at once, without asking it. What it had not written to its disks is lost."""
    target = await settled(ctx, id)
    require(ctx, target, "poweroff")
    await power_off(ctx, target)


async def power_off(ctx: Ctx, target: Vm) -> None:
    """Destroy the domain and wait until it is gone."""
    with engine_errors(f"{target} could not be powered off"):
        try:
            await ctx.engine.destroy(target.uuid)
        except EngineError as error:
            # Off already: that is what was wanted.
            if error.kind not in {EngineErrorKind.WRONG_STATE, EngineErrorKind.NO_DOMAIN}:
                raise
    await _confirmed(ctx, target, _inactive, "was told to power off, but still runs")


@vm.method(role="VM_WRITE", job="restart_vm_{0}", abortable=True, audit="Restart VM {id}")
async def restart(ctx: Ctx, id: int) -> None:
    """Stop a guest, by force if it takes longer than its shutdown_timeout, and start it anew.

    The guest comes back in a new process, with every change made to the VM since its last start.
    """
    require(ctx, await settled(ctx, id), "restart")
    await stop(ctx, id, StopOptions(force_after_timeout=True))
    ctx.progress(99, f"Starting VM {id}")
    await start(ctx, id, StartOptions(overcommit=True))


@vm.method(role="VM_WRITE", audit="Reset VM {id}")
async def reset(ctx: Ctx, id: int) -> None:
    """Press a guest's reset button: it starts anew at once, without being asked, and in the same process.

    What it had not written to its disks is lost. Changes made to the VM since its last start take no effect.
    """
    target = await settled(ctx, id)
    require(ctx, target, "reset")
    with engine_errors(f"{target} could not be reset"):
        await ctx.engine.reset(target.uuid)


@vm.method(role="VM_WRITE", audit="Suspend VM {id}")
async def suspend(ctx: Ctx, id: int) -> None:
    """Halt a guest where it is. Its memory stays in the host's memory."""
    target = await settled(ctx, id)
    require(ctx, target, "suspend")
    # It runs. If it waited once, it has gone on without this server.
    await let_go(ctx, target.uuid)
    with engine_errors(f"{target} could not be suspended"):
        await ctx.engine.suspend(target.uuid)
    await _confirmed(ctx, target, lambda state: state.power is not PowerState.RUNNING, "was not suspended")


@vm.method(role="VM_WRITE", audit="Resume VM {id}")
async def resume(ctx: Ctx, id: int) -> None:
    """Let a suspended guest go on."""
    target = await settled(ctx, id)
    require(ctx, target, "resume")
    with engine_errors(f"{target} could not be resumed"):
        await ctx.engine.resume(target.uuid)
    await let_go(ctx, target.uuid)
    await _confirmed(ctx, target, lambda state: state.power is not PowerState.PAUSED, "was not resumed")


async def _confirmed(ctx: Ctx, target: Vm, wanted: Callable[[DomainState], bool], failure: str) -> None:
    try:
        await ctx.states.until(target.uuid, wanted, _CONFIRMATION)
    except TimeoutError:
        raise CallError(f"{target} {failure}") from None
