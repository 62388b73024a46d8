"""Whatever is done to machines in whatever order, the server says and does what the reference does.

``VMSTEAD_FUZZ=5000`` has so many stories; a normal run has a few.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from copy import deepcopy
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.harness import ApiFailure, Host, server
from tests.property.fuzzing import EXAMPLES
from tests.property.machine_answers import compare, expect_power, learned, numbers
from tests.property.reference_machines import Device, MiB, Refused, World
from vmstead.adapters.fake_host import FakeHost
from vmstead.adapters.memory_engine import Script

SIZE = 4096
AVAILABLE = 1000 * MiB
#: A small vocabulary, so that one thing gets in the way of another, but not always.
NAMES = st.sampled_from(["a", "b", "d", "e", "f", "a_clone0"])
MEMORY = st.sampled_from([64, 128, 256, 512])
LESS = st.sampled_from([None, None, 32, 300])
MACS = st.sampled_from([None, "00:a0:98:00:00:01", "00:a0:98:00:00:02"])
PORTS = st.sampled_from([None, 5910, 5911, 5912])
PLACES = st.sampled_from(["v1", "v2", "v3"])
FILES = st.sampled_from(["f1.img", "f2.img", "x.iso"])
#: Of everything that there is, one by its place; sometimes nothing that there is.
WHICH = st.integers(0, 8)
#: What no machine and no device is numbered by, however many there have been.
NONE = 10**9


class Machines(RuleBasedStateMachine):
    """A server and the reference, to which the same is done."""

    def __init__(self, runner: asyncio.Runner, host: Host) -> None:
        super().__init__()
        self.runner = runner
        self.host = host
        self.world = World(AVAILABLE)

    def teardown(self) -> None:
        for row in self.call("vm.query"):
            self.call("vm.delete", row["id"], {"force": True, "zvols": True})
        pool = self.host.config.state / "pools/default"
        for path in [*pool.iterdir(), *(pool / ".volumes").glob("[!.]*")]:
            if path.is_file():
                path.unlink()

    # --- both -------------------------------------------------------------------------------------

    def call(self, method: str, *params: Any) -> Any:
        async def call() -> Any:
            task = self.host.api.begin(method, *params)
            if method in ("vm.stop", "vm.restart"):
                # A guest that does not obey gets its time.
                while not task.done():
                    await self.host.pass_time(10)
            return await task

        self.host.api.frames.clear()
        return self.runner.run(call())

    def both(self, method: str, params: list[Any], model: Callable[[World, Any], object]) -> None:
        """Do something to both; ``model`` gets the result, or None when it must refuse."""
        after = deepcopy(self.world)
        try:
            result = self.call(method, *params)
        except ApiFailure as failure:
            event(f"{method} refused")
            with pytest.raises(Refused) as refused:
                model(after, None)
            expected, said = refused.value.number, numbers(failure)
            if expected not in said:
                pytest.fail(f"{method} {params} was refused with {failure}, expected was {expected}")
        else:
            event(method)
            model(after, result)
            self.world = after

    def vm(self, which: int) -> int:
        ids = sorted(self.world.machines)
        return ids[which % len(ids)] if ids and which < 8 else NONE

    def device(self, which: int, *kinds: str) -> int:
        ids = sorted(
            id
            for each in self.world.machines.values()
            for id, device in each.devices.items()
            if not kinds or device.dtype in kinds
        )
        return ids[which % len(ids)] if ids and which < 8 else NONE

    @initialize(devices=st.lists(st.integers(0, 4), max_size=6))
    def begin(self, devices: list[int]) -> None:
        """Most of a story is about what there is."""
        for name in ("a", "b", "c"):
            self.create(name=name, memory=128, least=None, autostart=False)
        for which, kind in enumerate(devices):
            if kind == 0:
                self.add_nic(which=which, mac=None)
            elif kind == 1:
                self.add_display(which=which, type="VNC", port=None, waits=False)
            elif kind == 2:
                self.add_disk(which=which, place=f"v{which % 3 + 1}", makes=True)
            else:
                self.add_raw(which=which, place=f"f{which % 2 + 1}.img", makes=True)
        self.start(which=0, overcommit=False)

    # --- machines ---------------------------------------------------------------------------------

    @rule(name=NAMES, memory=MEMORY, least=LESS, autostart=st.booleans())
    def create(self, name: str, memory: int, least: int | None, autostart: bool) -> None:
        fields = {"name": name, "memory": memory, "min_memory": least, "autostart": autostart}
        self.both(
            "vm.create",
            [fields],
            lambda world, row: world.create(row["id"] if row else 0, name, memory, least, autostart),
        )

    @rule(
        which=WHICH,
        changes=st.fixed_dictionaries(
            {},
            optional={
                "name": NAMES,
                "memory": MEMORY,
                "min_memory": LESS,
                "description": st.sampled_from(["", "x"]),
                "autostart": st.booleans(),
            },
        ),
    )
    def update(self, which: int, changes: dict[str, Any]) -> None:
        id = self.vm(which)
        self.both("vm.update", [id, changes], lambda world, _: world.update(id, **changes))

    @rule(which=WHICH, force=st.booleans(), zvols=st.booleans())
    def delete(self, which: int, force: bool, zvols: bool) -> None:
        id = self.vm(which)
        options = {"force": force, "zvols": zvols}
        self.both("vm.delete", [id, options], lambda world, _: world.delete(id, force, zvols))

    @precondition(lambda self: len(self.world.machines) < 6)
    @rule(which=WHICH, name=NAMES | st.none())
    def clone(self, which: int, name: str | None) -> None:
        id = self.vm(which)

        def model(world: World, result: Any) -> None:
            copy = world.clone(id, name)
            assert result is True
            row = self.call("vm.query", [["name", "=", copy.name]], {"get": True})
            world.machines[row["id"]] = copy
            # Devices get their ids in the order of the originals; what is made up is told below.
            originals = sorted(
                self.call("vm.device.query", [["vm", "=", id]]), key=lambda each: (each["order"], each["id"])
            )
            order = [list(world.machines[id].devices).index(each["id"]) for each in originals]
            made = sorted(row["devices"], key=lambda each: each["id"])
            copy.devices = {
                new["id"]: learned(copy.devices[number], new) for number, new in zip(order, made, strict=True)
            }

        self.both("vm.clone", [id, *([name] if name else [])], model)

    # --- power ------------------------------------------------------------------------------------

    @rule(which=WHICH, overcommit=st.booleans())
    def start(self, which: int, overcommit: bool) -> None:
        id = self.vm(which)
        self.both("vm.start", [id, {"overcommit": overcommit}], lambda world, _: world.start(id, overcommit))

    @rule(which=WHICH, force=st.booleans(), patient=st.booleans())
    def stop(self, which: int, force: bool, patient: bool) -> None:
        id = self.vm(which)
        options = {"force": force, "force_after_timeout": not patient}
        self.both("vm.stop", [id, options], lambda world, _: world.stop(id, force, not patient))

    @rule(which=WHICH, action=st.sampled_from(["poweroff", "restart", "reset", "suspend", "resume"]))
    def act(self, which: int, action: str) -> None:
        id = self.vm(which)
        self.both(f"vm.{action}", [id], lambda world, _: getattr(world, action)(id))

    @rule(which=WHICH, happening=st.sampled_from(["powers off", "crashes", "goes deaf", "obeys"]))
    def guest(self, which: int, happening: str) -> None:
        """What a guest does by itself."""
        id = self.vm(which)
        if id not in self.world.machines:
            return
        machine, uuid = self.world.machines[id], self.call("vm.get_instance", id)["uuid"]
        if happening in ("goes deaf", "obeys"):
            machine.obeys = happening == "obeys"
            self.host.engine.scripts[uuid] = Script(shutdown_seconds=0.0 if machine.obeys else None)
        elif machine.power == "RUNNING" or happening == "crashes":
            end = {"powers off": self.host.engine.power_off_by_guest, "crashes": self.host.engine.crash}
            self.runner.run(told(partial(end[happening], uuid)))
            machine.power = "STOPPED"

    @rule()
    def engine_goes_and_comes(self) -> None:
        def blink() -> None:
            self.host.engine.disconnect("somebody killed it")
            self.host.engine.reconnect()

        self.runner.run(told(blink))

    # --- devices ----------------------------------------------------------------------------------

    def add(
        self,
        which: int,
        attributes: dict[str, Any],
        new: Device,
        port: int | None = None,
        makes: bool = False,
    ) -> None:
        vm = self.vm(which)

        def model(world: World, row: Any) -> None:
            known = learned(new, row) if row else new
            world.add(vm, row["id"] if row else 0, known, port, makes)

        self.both("vm.device.create", [{"vm": vm, "attributes": {"dtype": new.dtype, **attributes}}], model)

    @rule(which=WHICH, mac=MACS)
    def add_nic(self, which: int, mac: str | None) -> None:
        self.add(which, {"mac": mac}, Device("NIC", mac=mac))

    @rule(which=WHICH, type=st.sampled_from(["SPICE", "VNC"]), port=PORTS, waits=st.booleans())
    def add_display(self, which: int, type: str, port: int | None, waits: bool) -> None:
        attributes = {"type": type, "port": port, "wait": waits}
        self.add(which, attributes, Device("DISPLAY", type=type, waits=waits), port)

    @rule(which=WHICH, place=PLACES, makes=st.booleans())
    def add_disk(self, which: int, place: str, makes: bool) -> None:
        made = {"create_zvol": True, "zvol_name": f"default/{place}", "zvol_volsize": SIZE}
        attributes = made if makes else {"path": f"/dev/zvol/default/{place}"}
        self.add(which, attributes, Device("DISK", place, type="AHCI"), makes=makes)

    @rule(which=WHICH, place=FILES, makes=st.booleans())
    def add_raw(self, which: int, place: str, makes: bool) -> None:
        attributes = {"path": f"/mnt/default/{place}", "size": SIZE, "exists": not makes}
        self.add(which, attributes, Device("RAW", place, type="AHCI"), makes=makes)

    @rule(which=WHICH, place=FILES)
    def add_cdrom(self, which: int, place: str) -> None:
        self.add(which, {"path": f"/mnt/default/{place}"}, Device("CDROM", place))

    @rule(which=WHICH, mac=MACS)
    def change_nic(self, which: int, mac: str | None) -> None:
        id = self.device(which, "NIC")
        params = [id, {"attributes": {"mac": mac}}]
        self.both("vm.device.update", params, lambda world, _: world.change(id, mac, None))

    @rule(which=WHICH, port=PORTS)
    def change_display(self, which: int, port: int | None) -> None:
        id = self.device(which, "DISPLAY")

        def model(world: World, row: Any) -> None:
            world.change(id, None, port)
            machine = world.owner(id)
            machine.devices[id] = learned(machine.devices[id], row)

        self.both("vm.device.update", [id, {"attributes": {"port": port}}], model)

    @rule(which=WHICH, to=WHICH)
    def move(self, which: int, to: int) -> None:
        id, vm = self.device(which), self.vm(to)
        self.both("vm.device.update", [id, {"vm": vm}], lambda world, _: world.move(id, vm))

    @rule(which=WHICH, with_storage=st.booleans())
    def remove(self, which: int, with_storage: bool) -> None:
        id = self.device(which)
        options = {"zvol": with_storage, "raw_file": with_storage}
        self.both("vm.device.delete", [id, options], lambda world, _: world.remove(id, with_storage))

    # --- what must be so at any time --------------------------------------------------------------

    @invariant()
    def it_is_as_the_reference_says(self) -> None:
        rows = {row["id"]: row for row in self.call("vm.query")}
        assert rows.keys() == self.world.machines.keys()
        for id, machine in self.world.machines.items():
            compare(machine, rows[id])
        pool = self.host.config.state / "pools/default"
        assert {path.name for path in pool.iterdir() if path.is_file()} == self.world.files
        volumes = {path.name for path in (pool / ".volumes").glob("[!.]*")}
        assert volumes == self.world.volumes

    @invariant()
    def nothing_is_left_over(self) -> None:
        services = self.host.server.services
        assert services.unfinished.all() == []
        assert services.locks._queues == {}
        assert services.states._expected == {}
        assert services.promised_memory.total == 0
        uuids = {row["uuid"] for row in services.vms.all()}
        assert self.host.engine._domains.keys() <= uuids
        active = {row["uuid"] for row in services.vms.all() if self.world.machines[row["id"]].active}
        assert services.states.active().keys() == active

    @rule(which=WHICH)
    def read(self, which: int) -> None:
        """What else tells of machines agrees with it."""
        assert self.call("vm.get_available_memory") == self.world.free
        sums = {"RNP": 0, "PRD": 0, "RPRD": 0}
        for each in self.world.machines.values():
            if each.active or each.autostart:
                sums[("RPRD" if each.autostart else "RNP") if each.active else "PRD"] += each.memory * MiB
        assert self.call("vm.get_vmemory_in_use") == sums
        ports = {
            port
            for each in self.world.machines.values()
            for dev in each.devices.values()
            for port in dev.ports or ()
        }
        offered = self.call("vm.port_wizard")
        assert ports.isdisjoint(offered.values())
        id = self.vm(which)
        for method in ONE:
            self.both(method, [id], lambda world, _: world.find(id))
        for method in ("vm.get_memory_usage", "vm.get_vm_memory_info"):
            active = method == "vm.get_memory_usage"
            self.both(method, [id], lambda world, _: expect_power(world, id, active))  # noqa: B023


#: Methods that tell something of a machine in any state.
ONE = ["vm.status", "vm.get_instance", "vm.get_console", "vm.log_file_path"]
ONE += ["vm.log_file_download", "vm.stats_history", "vm.console_log"]


async def told(happening: Callable[[], None]) -> None:
    happening()


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[asyncio.Runner, Host]]:
    """A server that lasts over all stories."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        machine = FakeHost(total=AVAILABLE, available=AVAILABLE)
        host = runner.run(
            stack.enter_async_context(server(tmp_path_factory.mktemp("machines"), machine=machine))
        )
        runner.run(host.api.call("core.set_options", {"legacy_jobs": False}))
        yield runner, host
        runner.run(stack.aclose())


@pytest.mark.timeout(7200)
def test_the_server_says_and_does_what_the_reference_does(serving: tuple[asyncio.Runner, Host]) -> None:
    run_state_machine_as_test(
        lambda: Machines(*serving),  # type: ignore[arg-type]
        settings=settings(
            max_examples=max(15, EXAMPLES),
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
        ),
    )
