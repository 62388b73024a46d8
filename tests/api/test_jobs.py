"""Job methods: both ways of answering, the record, and the order of events."""

from pathlib import Path
from typing import Any

from tests.harness import Host, server
from vmstead.adapters.memory_engine import Script

FIELDS = [
    "id",
    "message_ids",
    "method",
    "arguments",
    "transient",
    "description",
    "abortable",
    "logs_path",
    "logs_excerpt",
    "progress",
    "result",
    "result_encoding_error",
    "error",
    "exception",
    "exc_info",
    "state",
    "time_started",
    "time_finished",
    "credentials",
]


async def running_vm(host: Host, name: str = "a") -> int:
    vm = await host.api.call("vm.create", {"name": name, "memory": 64, "shutdown_timeout": 30})
    await host.api.call("vm.start", vm["id"])
    return int(vm["id"])


def job_events(host: Host, number: int) -> list[dict[str, Any]]:
    return [
        event for event in host.api.events if event["collection"] == "core.get_jobs" and event["id"] == number
    ]


async def test_by_default_a_job_method_answers_with_the_number(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await running_vm(host)
        await host.api.call("core.subscribe", "core.get_jobs")
        number = await host.api.call("vm.stop", vm)
        assert type(number) is int
        record = await host.api.job(number)
        assert list(record) == FIELDS
        assert record["state"] == "SUCCESS"
        assert record["method"] == "vm.stop"
        assert record["arguments"] == [vm]
        assert record["progress"]["percent"] == 100
        assert record["result"] is None
        assert record["exc_info"] is None
        assert record["time_started"]["$date"] % 1000 == 0
        assert record["credentials"]["type"] == "UNIX_SOCKET"
        assert record["credentials"]["data"]["username"] == "root"
        assert await host.api.call("core.get_jobs", [["id", "=", number]], {"get": True}) == record


async def test_the_new_way_answers_when_the_job_has_ended(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await running_vm(host)
        await host.api.call("core.set_options", {"legacy_jobs": False})
        await host.api.call("core.subscribe", "core.get_jobs")
        at = len(host.api.frames)
        assert await host.api.call("vm.stop", vm) is None
        assert (await host.api.call("vm.status", vm))["state"] == "STOPPED"
        frames = host.api.frames[at:]
        answer = next(index for index, frame in enumerate(frames) if "result" in frame)
        events = [frame["params"] for frame in frames[:answer]]
        assert [event["msg"] for event in events] == ["added", *["changed"] * (len(events) - 1)]
        assert [event["fields"]["state"] for event in events[:2]] == ["WAITING", "RUNNING"]
        assert events[-1]["fields"]["state"] == "SUCCESS"
        # A client finds its job by the id of the call it made.
        assert all(event["fields"]["message_ids"] == [frames[answer]["id"]] for event in events)
        assert all(event["id"] == event["fields"]["id"] for event in events)


async def test_the_event_comes_before_the_number(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await running_vm(host)
        await host.api.call("core.subscribe", "core.get_jobs")
        at = len(host.api.frames)
        number = await host.api.call("vm.stop", vm)
        first = host.api.frames[at]
        assert first["params"]["msg"] == "added"
        assert first["params"]["id"] == number


async def test_wrong_arguments_fail_the_job_and_not_the_call(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await running_vm(host)
        await host.api.call("core.subscribe", "core.get_jobs")
        record = await host.api.job(await host.api.call("vm.stop", vm, {"force": "yes"}))
        assert record["state"] == "FAILED"
        assert record["error"] == "[EINVAL] options.force: Input should be a valid boolean\n"
        assert record["exc_info"]["type"] == "VALIDATION"
        assert record["exc_info"]["extra"] == [["options.force", "Input should be a valid boolean", 22]]
        assert record["result"] is None
        record = await host.api.job(await host.api.call("vm.stop", 99))
        assert record["exc_info"]["extra"] == [[None, "VM 99 does not exist", 2]]
        await host.api.call("core.set_options", {"legacy_jobs": False})
        failure = await host.api.failure("vm.stop", vm, {"force": "yes"})
        assert failure.code == -32602
        assert failure.attributes == ["options.force"]


async def test_a_call_without_what_its_lock_is_made_of_fails_at_once(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        failure = await host.api.failure("vm.stop")
        assert (failure.code, failure.errno) == (-32001, 22)
        assert failure.reason.startswith("[EINVAL] Error handling job lock.")
        assert await host.api.call("core.get_jobs") == []


async def test_a_failed_job_tells_why(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await host.api.call("vm.create", {"name": "a", "memory": 64})
        await host.api.call("core.subscribe", "core.get_jobs")
        record = await host.api.job(await host.api.call("vm.restart", vm["id"]))
        assert record["state"] == "FAILED"
        assert record["error"] == "[EFAULT] VM 1 (a) is not running"
        assert record["exc_info"]["type"] == "CallError"
        assert record["exc_info"]["errno"] == 14


async def test_jobs_on_one_vm_wait_for_each_other(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await running_vm(host)
        host.engine.script = Script(shutdown_seconds=3)
        await host.api.call("core.subscribe", "core.get_jobs")
        first = await host.api.call("vm.stop", vm)
        second = await host.api.call("vm.stop", vm)
        states = {job["id"]: job["state"] for job in await host.api.call("core.get_jobs")}
        assert states == {first: "RUNNING", second: "WAITING"}
        await host.pass_time(4)
        assert (await host.api.job(first))["state"] == "SUCCESS"
        # By then the VM is off, which the second finds out when its turn comes.
        assert (await host.api.job(second))["error"] == "[EFAULT] VM 1 (a) is not running"


async def test_waiting_for_a_job_is_a_job(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await running_vm(host)
        host.engine.script = Script(shutdown_seconds=3)
        await host.api.call("core.subscribe", "core.get_jobs")
        stopping = await host.api.call("vm.stop", vm)
        waiting = await host.api.call("core.job_wait", stopping)
        assert waiting != stopping
        await host.pass_time(4)
        assert (await host.api.job(waiting))["state"] == "SUCCESS"
        record = await host.api.job(await host.api.call("core.job_wait", 999))
        assert record["exc_info"]["extra"] == [[None, "Job with id 999 does not exist", 2]]
        failed = await host.api.job(await host.api.call("vm.stop", vm))
        again = await host.api.job(await host.api.call("core.job_wait", failed["id"]))
        assert again["error"] == failed["error"]


async def test_an_aborted_job_leaves_the_vm_alone(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await running_vm(host)
        host.engine.script = Script(shutdown_seconds=None)
        await host.api.call("core.subscribe", "core.get_jobs")
        first = await host.api.call("vm.stop", vm)
        second = await host.api.call("vm.stop", vm)
        assert await host.api.call("core.job_abort", second) is None
        assert (await host.api.job(second))["state"] == "ABORTED"
        assert await host.api.call("core.job_abort", first) is None
        record = await host.api.job(first)
        assert (record["state"], record["exc_info"], record["error"]) == ("ABORTED", None, None)
        assert (await host.api.call("vm.status", vm))["state"] == "RUNNING"
        assert await host.api.call("core.job_abort", first) is None
        failure = await host.api.failure("core.job_abort", 999)
        assert failure.reason == "[ENOENT] None: Job with id 999 does not exist"


async def test_jobs_of_others_are_seen_by_administrators_only(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        accounts = host.server.services.accounts
        from vmstead.system.secrets import hash_password

        hashed = await hash_password("pw")
        await accounts.write(accounts.add("alice", hashed, ["VM_WRITE"], "", 0))
        await api.call("auth.login", "alice", "pw")
        await api.call("core.subscribe", "core.get_jobs")
        await host.api.call("core.subscribe", "core.get_jobs")
        vm = await running_vm(host)
        mine = await host.api.call("vm.stop", vm)
        await host.api.job(mine)
        assert await api.call("core.get_jobs") == []
        assert api.events == []
        assert (await api.failure("core.job_abort", mine)).errno == 1
        hers = await api.call("vm.stop", vm)
        assert (await host.api.job(hers))["credentials"]["type"] == "LOGIN_PASSWORD"
        assert [job["id"] for job in await api.call("core.get_jobs")] == [hers]
        assert [job["id"] for job in await host.api.call("core.get_jobs")] == [mine, hers]


async def test_long_jobs_do_not_keep_other_calls_of_the_connection_waiting(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        host.engine.script = Script(shutdown_seconds=None)
        vms = [await running_vm(host, f"vm{number}") for number in range(25)]
        await host.api.call("core.set_options", {"legacy_jobs": False})
        stops = [host.api.begin("vm.stop", vm) for vm in vms]
        assert await host.api.call("core.ping") == "pong"
        assert len(await host.api.call("core.get_jobs", [["state", "=", "RUNNING"]])) == 25
        await host.pass_time(31)
        for stop in stops:
            assert await stop is None


async def test_options_start_as_clients_expect_and_unknown_ones_are_ignored(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        assert await host.api.call("core.set_options", {"colour": "green"}) == {
            "legacy_jobs": True,
            "private_methods": False,
            "py_exceptions": False,
        }
        answer = await host.api.call("core.set_options", {"legacy_jobs": False, "py_exceptions": True})
        assert answer == {"legacy_jobs": False, "private_methods": False, "py_exceptions": False}
