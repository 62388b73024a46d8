"""What subscribers of ``vm.query`` and ``vm.device.query`` get to see."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp

from tests.harness import Host, server, settle
from vmstead.kernel.bus import Event
from vmstead.system.secrets import hash_password


async def make(host: Host, name: str = "a") -> dict[str, Any]:
    vm: dict[str, Any] = await host.api.call("vm.create", {"name": name, "memory": 64})
    return vm


def of(host: Host, collection: str) -> list[dict[str, Any]]:
    return [event for event in host.api.events if event["collection"] == collection]


async def test_every_change_of_a_vm_is_one_event_with_the_whole_entry(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await host.api.call("core.subscribe", "vm.query")
        vm = await make(host)
        await host.api.call("vm.update", 1, {"description": "x"})
        await host.api.call("vm.start", 1)
        await host.api.call("vm.suspend", 1)
        await host.api.call("vm.resume", 1)
        await host.api.call("vm.poweroff", 1)
        await host.api.call("vm.delete", 1)
        seen = [
            (event["msg"], event.get("fields", {}).get("status", {}).get("state"), event.get("extra"))
            for event in of(host, "vm.query")
        ]
        assert seen == [
            ("added", "STOPPED", None),
            ("changed", "STOPPED", None),
            ("changed", "RUNNING", {"state": "RUNNING"}),
            ("changed", "SUSPENDED", {"state": "PAUSED"}),
            ("changed", "RUNNING", {"state": "RUNNING"}),
            ("changed", "STOPPED", {"state": "SHUTOFF"}),
            ("removed", None, None),
        ]
        assert all(event["id"] == 1 for event in of(host, "vm.query"))
        assert of(host, "vm.query")[0]["fields"] == vm
        assert "fields" not in of(host, "vm.query")[-1]


async def test_a_guest_that_powers_itself_off_is_told_without_anybody_asking(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await make(host)
        await host.api.call("vm.start", 1)
        await host.api.call("core.subscribe", "vm.query")
        host.engine.power_off_by_guest(vm["uuid"])
        event = await host.api.event(lambda event: event["fields"]["status"]["state"] == "STOPPED")
        assert event["fields"]["status"] == {"state": "STOPPED", "pid": None, "domain_state": "SHUTOFF"}
        # On its way it was shutting down, which is running still.
        assert [event["fields"]["status"]["state"] for event in of(host, "vm.query")] == [
            "RUNNING",
            "STOPPED",
        ]


async def test_changes_of_devices_are_told_of_the_device_and_of_its_vm(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make(host)
        await host.api.call("core.subscribe", "vm.query")
        await host.api.call("core.subscribe", "vm.device.query")
        device = await host.api.call("vm.device.create", {"vm": 1, "attributes": {"dtype": "NIC"}})
        changed = await host.api.call("vm.device.update", 1, {"attributes": {"type": "VIRTIO"}})
        await host.api.call("vm.device.delete", 1)
        devices, vms = of(host, "vm.device.query"), of(host, "vm.query")
        assert [event["msg"] for event in devices] == ["added", "changed", "removed"]
        assert [event.get("fields") for event in devices] == [device, changed, None]
        assert [event["msg"] for event in vms] == ["changed"] * 3
        assert [event["fields"]["devices"] for event in vms] == [[device], [changed], []]


async def test_deleting_a_vm_tells_of_its_devices_first(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make(host)
        await host.api.call("vm.device.create", {"vm": 1, "attributes": {"dtype": "NIC"}})
        await host.api.call("core.subscribe", "*")
        await host.api.call("vm.delete", 1)
        assert [(event["msg"], event["collection"]) for event in host.api.events] == [
            ("removed", "vm.device.query"),
            ("removed", "vm.query"),
        ]


async def test_datasets_and_snapshots_are_told_of(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        for collection in ("pool.dataset.query", "pool.snapshot.query"):
            await host.api.call("core.subscribe", collection)
        volume = {"name": "default/a", "type": "VOLUME", "volsize": 1024**2}
        made = await host.api.call("pool.dataset.create", volume)
        changed = await host.api.call("pool.dataset.update", "default/a", {"comments": "x"})
        kept = await host.api.call("pool.snapshot.create", {"dataset": "default/a", "name": "s"})
        copy = {"snapshot": "default/a@s", "dataset_dst": "default/b"}
        await host.api.call("pool.snapshot.clone", copy)
        await host.api.call("pool.snapshot.delete", "default/a@s")
        await host.api.call("pool.dataset.delete", "default/a")
        datasets, snapshots = of(host, "pool.dataset.query"), of(host, "pool.snapshot.query")
        assert [(event["msg"], event["id"]) for event in datasets] == [
            ("added", "default/a"),
            ("changed", "default/a"),
            ("added", "default/b"),
            ("removed", "default/a"),
        ]
        assert [event["fields"] for event in datasets[:2]] == [made, changed]
        assert [(event["msg"], event["id"]) for event in snapshots] == [
            ("added", "default/a@s"),
            ("removed", "default/a@s"),
        ]
        assert snapshots[0]["fields"] == kept


async def test_domains_that_are_nobodys_are_passed_over(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await make(host)
        await host.api.call("vm.start", 1)
        await host.api.call("core.subscribe", "vm.query")
        host.server.services.states.changed(
            "11111111-1111-1111-1111-111111111111", host.server.services.states.get(vm["uuid"])
        )
        assert await host.api.call("core.ping") == "pong"
        assert host.api.events == []


async def test_subscribing_twice_does_not_double_and_unsubscribing_once_does_not_end(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        first = await host.api.call("core.subscribe", "vm.query")
        second = await host.api.call("core.subscribe", "vm.query")
        assert first != second
        await make(host, "a")
        assert len(host.api.events) == 1
        assert await host.api.call("core.unsubscribe", first) is None
        await make(host, "b")
        assert len(host.api.events) == 2
        assert await host.api.call("core.unsubscribe", second) is None
        assert await host.api.call("core.unsubscribe", second) is None
        assert await host.api.call("core.unsubscribe", "vm.query") is None
        await make(host, "c")
        assert len(host.api.events) == 2


async def test_nothing_is_sent_before_it_was_asked_for(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make(host)
        await host.api.call("vm.start", 1)
        await host.api.call("vm.stop", 1, {"force": True})
        assert host.api.events == []


async def test_no_event_comes_before_the_answer_to_the_subscription(tmp_path: Path) -> None:
    """truenas-go takes the first frame after core.subscribe for its answer."""
    async with server(tmp_path) as host, host.connect() as api:
        stop = asyncio.Event()

        async def storm() -> None:
            while not stop.is_set():
                host.server.services.bus.publish(Event("vm.query", "changed", 1, {}))
                await settle()

        task = asyncio.ensure_future(storm())
        for _ in range(20):
            since = len(api.frames)
            id = await api.call("core.subscribe", "vm.query")
            answer = next(frame for frame in api.frames[since:] if frame.get("result") == id)
            assert api.frames[since:][0] is answer
            await api.event(lambda event: event["id"] == 1, since=since + 1)
            await api.call("core.unsubscribe", id)
            await api.call("core.ping")
        stop.set()
        await task


async def test_events_are_what_the_present_login_may_see(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        accounts = host.server.services.accounts
        for name, role in (("ann", "VM_READ"), ("bob", "POOL_READ")):
            await accounts.write(accounts.add(name, await hash_password("pw"), [role], "", 0))
        assert await api.call("auth.login", "ann", "pw")
        await api.call("core.subscribe", "vm.query")
        await make(host, "a")
        assert await api.call("auth.login", "bob", "pw")
        await make(host, "b")
        await api.call("core.ping")
        assert await api.call("auth.login", "ann", "pw")
        await make(host, "c")
        await api.call("core.ping")
        assert [event["fields"]["name"] for event in api.events] == ["a", "c"]


async def test_only_administrators_may_ask_for_what_is_not_there(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        assert (await api.failure("core.subscribe", "vm.query")).errno == 207
        accounts = host.server.services.accounts
        await accounts.write(accounts.add("ann", await hash_password("pw"), ["READONLY_ADMIN"], "", 0))
        assert await api.call("auth.login", "ann", "pw")
        for name in ("*", "no.such", "vm.queries", "auth.sessions.x"):
            assert (await api.failure("core.subscribe", name)).reason == "[EACCES] Not authorized"
        for name in ("vm.query", "vm.device.query", "core.get_jobs", "vm.stats"):
            assert isinstance(await api.call("core.subscribe", name), str)
        assert isinstance(await host.api.call("core.subscribe", "no.such"), str)
        assert (await host.api.failure("core.subscribe", "")).attributes == ["event"]


async def test_a_subscriber_that_does_not_read_is_cut_off_and_nobody_else_waits(tmp_path: Path) -> None:
    async with (
        server(tmp_path) as host,
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(host.config.socket))) as http,
    ):
        async with http.ws_connect("ws://localhost/api/current") as idle:
            await idle.send_json(
                {"jsonrpc": "2.0", "id": 1, "method": "core.subscribe", "params": ["vm.query"]}
            )
            await make(host)
            sessions = len(_sessions(host))
            for number in range(400):
                await host.api.call("vm.update", 1, {"description": f"{number} " + "x" * 1000})
                host.server.services.bus.publish(_large(number))
                if len(_sessions(host)) < sessions:
                    break
                await settle()
            async with asyncio.timeout(20):
                while len(_sessions(host)) == sessions:
                    await settle()
        assert await host.api.call("core.ping") == "pong"


def _sessions(host: Host) -> list[object]:
    return host.server.services.bus._subscribers.get("vm.query", [])  # type: ignore[return-value]


def _large(number: int) -> Any:
    return Event("vm.query", "changed", number, {"blob": "x" * 100_000})
