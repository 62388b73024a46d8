"""``core.bulk``, and the logs of jobs."""

from pathlib import Path
from typing import Any

from tests.harness import Host, server
from vmstead.adapters.memory_engine import Script
from vmstead.system.core import JobShape
from vmstead.system.secrets import hash_password


async def bulk(host: Host, *params: Any) -> dict[str, Any]:
    """The record of a bulk job that has ended. Needs a subscription to core.get_jobs."""
    return await host.api.job(await host.api.call("core.bulk", *params))


async def make_vms(host: Host, count: int, **settings: Any) -> None:
    await host.api.call("core.subscribe", "core.get_jobs")
    for number in range(1, count + 1):
        await host.api.call("vm.create", {"name": f"vm{number}", "memory": 64, **settings})


async def test_each_call_has_its_own_result_and_a_failure_keeps_no_other_from_being_made(
    tmp_path: Path,
) -> None:
    async with server(tmp_path) as host:
        await make_vms(host, 2)
        record = await bulk(host, "vm.start", [[1], [99], ["1"], [2, {"overcommit": True}], []])
        assert record["state"] == "SUCCESS"
        assert record["result"] == [
            {"job_id": None, "error": None, "result": None},
            {"job_id": None, "error": "[ENOENT] None: VM 99 does not exist", "result": None},
            {"job_id": None, "error": "[EINVAL] id: Input should be a valid integer\n", "result": None},
            {"job_id": None, "error": None, "result": None},
            {"job_id": None, "error": "[EINVAL] id: Field required\n", "result": None},
        ]
        assert await host.api.call("vm.query", [["status.state", "=", "RUNNING"]], {"count": True}) == 2
        assert (await bulk(host, "vm.start", []))["result"] == []
        await host.api.call("core.set_options", {"legacy_jobs": False})
        [found] = await host.api.call("core.bulk", "vm.query", [[[["id", "=", 1]], {"get": True}]])
        assert (found["error"], found["result"]["name"]) == (None, "vm1")


async def test_jobs_are_waited_for_and_named(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make_vms(host, 3, shutdown_timeout=30)
        for vm in (1, 2):
            await host.api.call("vm.start", vm)
        record = await bulk(host, "vm.stop", [[1], [3], [2, {"force": True}]])
        first, second, third = record["result"]
        assert (first["error"], first["result"]) == (None, None)
        assert second["error"] == "[EFAULT] VM 3 (vm3) is not running"
        ids = [each["job_id"] for each in (first, second, third)]
        jobs = await host.api.call("core.get_jobs", [["id", "in", ids]])
        assert [job["state"] for job in jobs] == ["SUCCESS", "FAILED", "SUCCESS"]


async def test_progress_counts_and_says_what_it_is_at(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make_vms(host, 2)
        host.engine.script = Script(shutdown_seconds=5)
        for vm in (1, 2):
            await host.api.call("vm.start", vm)
        number = await host.api.call("core.bulk", "vm.stop", [[1], [2]], "Stopping VM {0}")
        await host.pass_time(11)
        record = await host.api.job(number)
        reports = [
            (event["fields"]["progress"]["percent"], event["fields"]["progress"]["description"])
            for event in host.api.events
            if event["id"] == number
        ]
        assert (0, "0 / 2: Stopping VM 1") in reports
        assert (50, "1 / 2: Stopping VM 2") in reports
        assert record["progress"]["percent"] == 100


async def test_aborting_it_aborts_what_it_waits_for(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make_vms(host, 2)
        host.engine.script = Script(shutdown_seconds=None)
        await host.api.call("vm.start", 1)
        number = await host.api.call("core.bulk", "vm.stop", [[1], [2]])
        stopping = await host.api.event(lambda event: event["fields"]["method"] == "vm.stop")
        await host.api.call("core.job_abort", number)
        assert (await host.api.job(stopping["id"]))["state"] == "ABORTED"
        assert (await host.api.job(number))["state"] == "ABORTED"
        assert await host.api.call("core.get_jobs", [["method", "=", "vm.stop"]], {"count": True}) == 1


async def test_it_takes_the_right_to_the_method_and_a_method_that_is_there(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await make_vms(host, 1)
        assert (await bulk(host, "no.such", [[]]))["error"] == "[ENOMETHOD] Method 'no.such' does not exist"
        own = await bulk(host, "core.bulk", [["core.ping", [[]]]])
        assert own["error"] == "[EINVAL] core.bulk cannot be called by itself"
        download = await bulk(host, "filesystem.get", [["/mnt/default/a"]])
        assert download["result"][0]["error"].startswith("[EINVAL] Pipe 'output' is not open")
        assert (await bulk(host, "vm.start", [7]))["exc_info"]["extra"][0][0] == "params.0"
        accounts = host.server.services.accounts
        await accounts.write(accounts.add("ann", await hash_password("pw"), ["VM_READ"], "", 0))
        assert await api.call("auth.login", "ann", "pw")
        await api.call("core.set_options", {"legacy_jobs": False})
        failure = await api.failure("core.bulk", "vm.start", [[1]])
        assert (failure.code, failure.reason) == (-32001, "[EPERM] Not authorized")
        [found] = await api.call("core.bulk", "vm.get_instance", [[1]])
        assert found["result"]["name"] == "vm1"
        assert (await api.failure("core.bulk")).reason.startswith("[EINVAL] Error handling job lock.")


async def test_results_that_are_too_large_together_are_left_out(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make_vms(host, 40, description="x" * 1000)
        record = await bulk(host, "vm.query", [[]] * 200)
        errors = [each["error"] for each in record["result"]]
        assert errors[0] is None
        assert errors[-1].startswith("[E2BIG]")
        assert all(each["result"] is None for each in record["result"] if each["error"])


async def test_a_job_with_a_log_offers_it(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await host.api.call("core.subscribe", "core.get_jobs")
        for name in ("a", "b"):
            await host.api.call(
                "pool.dataset.create", {"name": f"default/{name}", "type": "VOLUME", "volsize": 1024**2}
            )
        paths = {"source": "/dev/zvol/default/a", "destination": "/mnt/default/a.raw"}
        record = await host.api.job(await host.api.call("vm.device.convert", paths))
        assert (record["state"], record["abortable"]) == ("SUCCESS", True)
        assert record["description"] == "Copy /dev/zvol/default/a to /mnt/default/a.raw"
        assert record["logs_excerpt"] == (
            "default/a has 1048576 bytes\n/mnt/default/a.raw holds it in the format raw\n"
        )
        assert Path(record["logs_path"]).read_text() == record["logs_excerpt"]
        for buffered in (False, True):
            path = await host.api.call("core.job_download_logs", record["id"], "job.log", buffered)
            base = host.tcp_url.replace("ws://", "http://")
            async with host.http.get(base + path) as answer:
                assert await answer.text() == record["logs_excerpt"]
                assert 'filename="job.log"' in answer.headers["Content-Disposition"]
        stopped = await host.api.job(await host.api.call("vm.stop", 1))
        assert (stopped["logs_path"], stopped["logs_excerpt"]) == (None, None)
        failure = await host.api.failure("core.job_download_logs", stopped["id"], "job.log")
        assert failure.reason == "[EFAULT] This job has no logs"
        assert (await host.api.failure("core.job_download_logs", 999, "a")).errno == 22
        accounts = host.server.services.accounts
        await accounts.write(accounts.add("ann", await hash_password("pw"), ["VM_WRITE"], "", 0))
        assert await api.call("auth.login", "ann", "pw")
        assert (await api.failure("core.job_download_logs", record["id"], "job.log")).errno == 1


async def test_logs_of_another_server_are_gone(tmp_path: Path) -> None:
    folder = tmp_path / "state/jobs"
    folder.mkdir(parents=True)
    (folder / "1.log").write_text("of a job that nobody knows any more\n")
    async with server(tmp_path):
        assert not folder.exists()


async def test_results_in_the_list_of_jobs_have_no_secrets(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await make_vms(host, 1)
        display = {"dtype": "DISPLAY", "password": "hunter2"}
        await host.api.call("vm.device.create", {"vm": 1, "attributes": display})
        record = await bulk(host, "vm.device.get_instance", [[1]])
        assert record["result"][0]["result"]["attributes"]["password"] == "hunter2"
        query = [["id", "=", record["id"]]]
        shown = await host.api.call("core.get_jobs", query, {"get": True})
        assert shown["result"][0]["result"]["attributes"]["password"] == "********"
        JobShape.model_validate(shown)
        raw = await host.api.call("core.get_jobs", query, {"get": True, "extra": {"raw_result": True}})
        assert raw["result"] == record["result"]
        accounts = host.server.services.accounts
        await accounts.write(accounts.add("ann", await hash_password("pw"), ["VM_WRITE"], "", 0))
        assert await api.call("auth.login", "ann", "pw")
        assert (await api.failure("core.get_jobs", [], {"extra": {"raw_result": True}})).errno == 1
        assert await api.call("core.get_jobs", [], {"extra": {"raw_result": False}}) == []
