"""``alert.*``: what is told, for how long, and to whom."""

from pathlib import Path

from tests.api.answers import needs_role, shaped, with_roles
from tests.harness import Host, server
from vmstead.adapters.fake_host import FakeHost
from vmstead.adapters.memory_engine import MemoryEngine
from vmstead.kernel.clock import ManualClock
from vmstead.ports.engine import EngineInfo

_GiB = 1024**3


async def kinds(host: Host) -> list[tuple[str, str, str]]:
    """Kind, subject and level of each alert."""
    return [(row["klass"], row["key"], row["level"]) for row in await shaped(host, "alert.list")]


async def test_where_all_is_well_there_is_nothing_to_tell(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        assert await host.api.call("alert.list") == []


async def test_an_alert_is_told_with_everything_known_of_it(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        begin = {"$date": round(host.clock.now() * 1000)}
        host.machine.available = _GiB // 4
        (found,) = await shaped(host, "alert.list")
        text = "only 0.2 of 64.0 GiB of memory are available"
        assert found == {
            "uuid": found["id"],
            "id": found["id"],
            "source": "",
            "klass": "LittleMemory",
            "args": None,
            "node": "fake",
            "key": "host",
            "datetime": begin,
            "last_occurrence": begin,
            "dismissed": False,
            "mail": None,
            "text": text,
            "level": "WARNING",
            "formatted": text,
            "one_shot": False,
        }
        host.clock.advance(30)
        (later,) = await shaped(host, "alert.list")
        assert later == {**found, "last_occurrence": {"$date": begin["$date"] + 30_000}}
        host.machine.available = 2 * _GiB
        assert await host.api.call("alert.list") == []


async def test_a_lost_engine_is_urgent(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        host.engine.disconnect("the daemon is gone")
        (found,) = await shaped(host, "alert.list")
        assert (found["klass"], found["level"]) == ("EngineNotConnected", "CRITICAL")
        assert found["text"].endswith(": the daemon is gone")
        host.engine.reconnect()
        assert await host.api.call("alert.list") == []


class Emulating(MemoryEngine):
    """An engine that says it emulates real guests."""

    @property
    def info(self) -> EngineInfo | None:
        return EngineInfo("qemu:///system", "libvirt 9", "tcg", "there is no /dev/kvm", True, None)


async def test_emulation_is_worth_knowing(tmp_path: Path) -> None:
    clock = ManualClock()
    async with server(tmp_path, engine=Emulating(clock), clock=clock) as host:
        (found,) = await shaped(host, "alert.list")
        assert (found["klass"], found["level"]) == ("GuestsAreEmulated", "NOTICE")
        assert found["text"].endswith(": there is no /dev/kvm")


async def test_a_display_that_is_open_to_everybody_is_told_while_its_vm_runs(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await host.api.call("vm.create", {"name": "a", "memory": 64})
        for attributes in ({"type": "SPICE", "bind": "0.0.0.0"}, {"type": "VNC"}):
            device = {"vm": 1, "attributes": {"dtype": "DISPLAY", **attributes}}
            await host.api.call("vm.device.create", device)
        assert await kinds(host) == []
        await host.api.call("vm.start", 1)
        (found,) = await shaped(host, "alert.list")
        assert (found["klass"], found["key"], found["level"]) == ("DisplayWithoutPassword", "1", "WARNING")
        assert found["text"].startswith("VM 1 (a): the SPICE display at 0.0.0.0:")
        await host.api.call("vm.poweroff", 1)
        assert await kinds(host) == []


async def test_missing_firmware_is_told_to_those_who_need_it(tmp_path: Path) -> None:
    async with server(tmp_path, machine=FakeHost(images=set())) as host:
        assert await kinds(host) == []
        await host.api.call("vm.create", {"name": "a", "memory": 64, "bootloader": "UEFI"})
        assert await kinds(host) == [("NoFirmware", "host", "ERROR")]


async def test_a_pool_that_is_gone_is_urgent(tmp_path: Path) -> None:
    async with server(tmp_path, pools={"tank": tmp_path / "gone"}) as host:
        assert await kinds(host) == [("PoolUnavailable", "tank", "CRITICAL")]


class Unreadable(FakeHost):
    """A host whose firmware folder cannot be read."""

    async def firmware(self) -> frozenset[str]:
        raise PermissionError(13, "Permission denied", "/usr/share/OVMF")


async def test_what_cannot_be_looked_at_is_told_and_keeps_nothing_else(tmp_path: Path) -> None:
    machine = Unreadable(available=0)
    async with server(tmp_path) as host:
        await host.api.call("vm.create", {"name": "a", "memory": 64})
    async with server(tmp_path, machine=machine) as host:
        assert await kinds(host) == [
            ("CheckFailed", "firmware", "WARNING"),
            ("LittleMemory", "host", "WARNING"),
        ]


# --- what happened --------------------------------------------------------------------------------


async def after_a_boot(tmp_path: Path) -> FakeHost:
    """A host that has started anew, with a VM that is to run and cannot for want of memory."""
    machine = FakeHost()
    async with server(tmp_path, machine=machine) as host:
        await host.api.call("vm.create", {"name": "a", "memory": 4096, "autostart": True})
    machine.boot, machine.available = "second", _GiB
    return machine


async def test_a_guest_that_was_not_started_with_the_host_is_told_until_it_runs(tmp_path: Path) -> None:
    machine = await after_a_boot(tmp_path)
    async with server(tmp_path, machine=machine) as host:
        await host.api.call("core.subscribe", "alert.list")
        await host.idle()
        (found,) = await shaped(host, "alert.list")
        assert (found["klass"], found["key"], found["one_shot"]) == ("GuestNotStarted", "1", True)
        assert found["text"].startswith("VM 1 (a) was not started: [ENOMEM] ")
    # It is remembered, and told when it happened.
    async with server(tmp_path, machine=machine, clock=ManualClock(1_770_000_000.0)) as host:
        (again,) = await shaped(host, "alert.list")
        assert again == found
        machine.available = 48 * _GiB
        await host.api.call("vm.start", 1)
        assert await kinds(host) == []
        await host.api.call("vm.poweroff", 1)
        assert await kinds(host) == []


# --- dismissing and telling -----------------------------------------------------------------------


async def test_what_was_dismissed_stays_so_until_it_is_over(tmp_path: Path) -> None:
    machine = FakeHost(available=0)
    async with server(tmp_path, machine=machine) as host:
        (found,) = await host.api.call("alert.list")
        await host.api.call("core.subscribe", "alert.list")
        assert await host.api.call("alert.dismiss", found["uuid"]) is None
        told = await host.api.event(lambda event: event["msg"] == "changed")
        assert (told["id"], told["fields"]["dismissed"]) == (found["id"], True)
    async with server(tmp_path, machine=machine) as host:
        assert [row["dismissed"] for row in await host.api.call("alert.list")] == [True]
        await host.api.call("alert.restore", found["uuid"])
        assert [row["dismissed"] for row in await host.api.call("alert.list")] == [False]
        await host.api.call("alert.dismiss", found["uuid"])
        machine.available = 2 * _GiB
        assert await host.api.call("alert.list") == []
        machine.available = 0
        assert [row["dismissed"] for row in await host.api.call("alert.list")] == [False]


async def test_dismissing_takes_a_role_and_what_is_over_is_no_error(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await needs_role(host, "ALERT_LIST_READ", ("alert.list",))
        await needs_role(host, "ALERT_LIST_WRITE", ("alert.dismiss", "gone"), ("alert.restore", "gone"))
        for method in ("alert.dismiss", "alert.restore"):
            assert (await host.api.failure(method, 5)).attributes == ["uuid"]
            assert (await host.api.failure(method)).attributes == ["uuid"]
        async with with_roles(host, "VM_READ") as other:
            assert (await other.failure("core.subscribe", "alert.list")).errno == 13


async def test_who_does_not_ask_is_told_within_a_minute(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await host.api.call("core.subscribe", "alert.list")
        host.machine.available = 0
        await host.pass_time(61)
        told = await host.api.event(lambda event: event["collection"] == "alert.list")
        assert (told["msg"], told["fields"]["klass"]) == ("added", "LittleMemory")
        await host.idle()
        host.machine.available = 2 * _GiB
        await host.pass_time(61)
        gone = await host.api.event(lambda event: event["msg"] == "removed")
        assert gone["id"] == told["id"]
