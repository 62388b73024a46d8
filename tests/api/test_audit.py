"""The audit trail: who did what, from where, with which result."""

import asyncio
import csv
import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pydantic import TypeAdapter

from tests.api.test_auth import account, api_key
from tests.api.test_console import opened, running, shell
from tests.harness import Host, server
from vmstead.adapters.memory_engine import Script
from vmstead.kernel.clock import ManualClock
from vmstead.rpc.audit import call_entry
from vmstead.rpc.session import InternalSession
from vmstead.store.db import connect
from vmstead.system.audit import AuditShape

DAY = 86_400


async def entries(host: Host, *filters: Any, **options: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await host.api.call(
        "audit.query", {"query-filters": [*filters], "query-options": options}
    )
    return found


async def calls(host: Host) -> list[tuple[str, bool, str | None]]:
    """What was called, as it is described, with its result."""
    return [
        (each["event_data"]["description"], each["success"], each["event_data"]["error"])
        for each in await entries(host, ["event", "=", "METHOD_CALL"])
    ]


async def test_a_change_is_recorded_with_who_and_from_where(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await account(host)
        await api.call("auth.login", "alice", "open sesame")
        await api.call("vm.create", {"name": "web01", "memory": 64})
        [session] = await host.api.call("auth.sessions", [["internal", "=", False]])
        [found] = await entries(host, ["event", "=", "METHOD_CALL"])
        TypeAdapter(AuditShape).validate_python(found)
        assert {*found} == {*AuditShape.model_fields}
        now = int(host.clock.now())
        assert (found["message_timestamp"], found["timestamp"]) == (now, {"$date": now * 1000})
        assert (found["address"], found["username"]) == ("127.0.0.1", "alice")
        assert (found["session"], found["service"], found["success"]) == (session["id"], "MIDDLEWARE", True)
        # By which the log tells of it.
        assert found["event_data"].pop("call_id")
        assert found["event_data"] == {
            "method": "vm.create",
            "params": [{"name": "web01", "memory": 64}],
            "description": "Create VM web01",
            "authenticated": True,
            "authorized": True,
            "error": None,
        }
        data = found["service_data"]
        assert data["vers"] == {"major": 0, "minor": 1}
        assert (data["protocol"], data["origin"]) == ("WEBSOCKET", session["origin"])
        assert data["credentials"]["credentials"] == "LOGIN_PASSWORD"
        assert data["credentials"]["credentials_data"] == session["credentials_data"]


async def test_what_failed_and_what_was_refused_is_recorded_and_reads_are_not(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await account(host, "alice", "open sesame", "VM_READ")
        await api.call("auth.login", "alice", "open sesame")
        for method in ("vm.query", "auth.me", "vm.random_mac", "core.ping"):
            await api.call(method)
        await api.failure("vm.get_instance", 9)
        await api.failure("pool.query")
        await api.failure("vm.start", 1)
        await host.api.failure("vm.start", 9)
        await host.api.failure("vm.create", {"name": "a"})
        assert await calls(host) == [
            ("Start VM 1", False, "Not authorized"),
            ("Start VM 9", False, "[ENOENT] None: VM 9 does not exist"),
            ("Create VM a", False, "[EINVAL] vm_create.memory: Field required"),
        ]
        [refused] = await entries(host, ["username", "=", "alice"], ["event", "=", "METHOD_CALL"])
        assert refused["event_data"]["authorized"] is False
        async with host.connect(over_tcp=True) as anybody:
            for method in ("vm.start", "vm.query", "nonsense"):
                await anybody.frame_of(method, 1)
        assert len(await calls(host)) == 3


async def test_a_job_is_recorded_with_how_it_ended(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await host.api.call("core.subscribe", "core.get_jobs")
        await host.api.call("vm.create", {"name": "a", "memory": 64, "shutdown_timeout": 300})
        host.engine.script = Script(shutdown_seconds=None)
        await host.api.call("vm.start", 1)
        number = await host.api.call("vm.stop", 1)
        await host.api.event(lambda event: event["fields"]["state"] == "RUNNING")
        [under_way] = await entries(host, ["event_data.method", "=", "vm.stop"])
        assert (under_way["success"], under_way["event_data"]["error"][:9]) == (False, "not known")
        await host.api.call("core.job_abort", number)
        await host.api.job(number)
        bad = await host.api.call("vm.stop", "x")
        await host.api.job(bad)
        assert (await calls(host))[2:] == [
            ("Stop VM 1", False, "aborted"),
            (f"Abort job {number}", True, None),
            ("Stop VM x", False, "[EINVAL] id: Input should be a valid integer"),
        ]


async def test_logins_are_recorded_also_those_that_fail(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        key = await api_key(host, await account(host), expires_at=host.clock.now() + 60)
        async with host.connect(over_tcp=True) as api:
            await api.call("auth.login", "alice", "wrong")
            await api.call("auth.login", "carl", "open sesame")
            await api.call("auth.login_with_api_key", "1-nonsense")
            await api.call("auth.login_with_token", "nonsense")
            await api.call("auth.login_with_api_key", key)
            await api.call("auth.login", "alice", "open sesame")
            host.clock.advance(61)
            await api.call("auth.login_with_api_key", key)
        found = await entries(host, ["event", "!=", "METHOD_CALL"])
        assert [
            (each["event"], each["username"], each["success"], each["event_data"].get("error"))
            for each in found
        ] == [
            ("AUTHENTICATION", "alice", False, "Bad username or password"),
            ("AUTHENTICATION", "carl", False, "Bad username or password"),
            ("AUTHENTICATION", "", False, "Bad API key"),
            ("AUTHENTICATION", "", False, "Bad token"),
            ("AUTHENTICATION", "alice", True, None),
            ("LOGOUT", "alice", True, None),
            ("AUTHENTICATION", "alice", True, None),
            ("AUTHENTICATION", "", False, "Expired API key"),
            ("LOGOUT", "alice", True, None),
        ]
        assert found[4]["event_data"]["credentials"]["credentials"] == "API_KEY"
        assert found[6]["event_data"]["credentials"]["credentials"] == "LOGIN_PASSWORD"
        assert found[-1]["event_data"]["reason"] == "the connection was closed"
        for each in found:
            TypeAdapter(AuditShape).validate_python(each)
            assert each["address"] == "127.0.0.1"
        everything = json.dumps(found)
        assert "open sesame" not in everything
        assert key not in everything
        # The machine's own root comes and goes with every command.
        async with host.connect():
            pass
        assert len(await entries(host, ["event", "!=", "METHOD_CALL"])) == len(found)


async def test_no_secret_is_in_it(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        secrets = ["hush-one", "hush-two", "hush-three", "hush-four"]
        await host.api.call("vm.create", {"name": "a", "memory": 64})
        display = {"dtype": "DISPLAY", "password": secrets[0]}
        await host.api.call("vm.device.create", {"vm": 1, "attributes": display})
        await host.api.call("vm.update", 1, {"devices": [{"attributes": {**display, "port": 5999}}]})
        await host.api.failure("vm.device.create", {"vm": 1, "attributes": {**display, "bind": 5}})
        made = await host.api.call("user.create", {"username": "a", "full_name": "A", "password": secrets[1]})
        await host.api.call("user.set_password", {"username": "a", "new_password": secrets[2]})
        await host.api.call("user.update", made["id"], {"password": secrets[2], "granted_roles": ["VM_READ"]})
        key = (await host.api.call("api_key.create", {"name": "k", "username": "a"}))["key"]
        content = "aHVzaC1mb3Vy"
        await host.api.call("filesystem.file_receive", "/mnt/default/x", content)
        once = await host.api.call("auth.generate_onetime_password", {"username": "a"})
        everything = json.dumps(await entries(host))
        assert len(await calls(host)) == 10
        for secret in (*secrets, key, content, once):
            assert secret not in everything, secret
        assert everything.count("********") == 7
        stored = b"".join(file.read_bytes() for file in (tmp_path / "state").glob("audit.db*"))
        assert b"hush" not in stored


async def test_uploads_and_consoles_are_recorded(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await account(host, "alice", "open sesame", "FILESYSTEM_DATA_WRITE")
        await api.call("auth.login", "alice", "open sesame")
        url = host.tcp_url.replace("ws://", "http://")
        for method in ("filesystem.put", "vm.log_file_download"):
            form = aiohttp.FormData()
            form.add_field("data", json.dumps({"method": method, "params": ["/mnt/default/a"]}))
            form.add_field("file", b"x", filename="x")
            headers = {"Authorization": f"Token {await api.call('auth.generate_token')}"}
            async with host.http.post(f"{url}/_upload", data=form, headers=headers) as answer:
                await answer.read()
        form = aiohttp.FormData()
        form.add_field("data", "{}")
        headers = {"Authorization": f"Basic {b64encode(b'alice:wrong').decode()}"}
        async with host.http.post(f"{url}/_upload", data=form, headers=headers) as answer:
            assert answer.status == 401
        await running(host)
        async with shell(host) as socket:
            await opened(host, socket)
        assert await calls(host) == [
            ("Write the file /mnt/default/a", True, None),
            ("Create VM a", True, None),
            ("Start VM 1", True, None),
            ("Open the console of VM 1 (a)", True, None),
        ]
        failed = await entries(host, ["success", "=", False])
        assert [(each["event"], each["username"]) for each in failed] == [("AUTHENTICATION", "alice")]


async def test_long_parameters_are_shortened(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await host.api.failure("vm.create", {"name": "a" * 5000, "memory": 64})
        await host.api.failure("vm.create", {"name": "b", "memory": 64, "x": ["y" * 1000] * 30})
        first, second = await entries(host)
        assert first["event_data"]["params"][0]["name"] == f"{'a' * 1024}… (5000 characters)"
        assert len(first["event_data"]["description"]) == 200
        assert second["event_data"]["params"][0].endswith("bytes, left out")


async def test_a_flood_of_failures_does_not_flood_the_trail(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await account(host, "alice", "open sesame", "VM_READ")
        for number in range(100):
            await api.call("auth.login_with_token", str(number))
        failed = await entries(host, ["event", "=", "AUTHENTICATION"])
        assert len(failed) == 60
        host.clock.advance(10)
        await api.call("auth.login", "alice", "open sesame")
        await api.call("auth.login_with_token", "nonsense")
        assert (await entries(host, ["success", "=", False]))[-1]["event_data"]["suppressed"] == 40
        await api.call("auth.login", "alice", "open sesame")
        for _ in range(100):
            await api.failure("vm.start", 1)
        assert len(await entries(host, ["event", "=", "METHOD_CALL"])) == 60


# --- looking into it ----------------------------------------------------------------------------------


async def test_it_is_queried_as_on_truenas(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        for number in range(5):
            await host.api.call("vm.create", {"name": f"vm{number}", "memory": 64})
            host.clock.advance(10)
        names = ["vm4", "vm3"]
        newest = await entries(host, order_by=["-message_timestamp"], limit=2)
        assert [each["event_data"]["params"][0]["name"] for each in newest] == names
        page = await entries(host, order_by=["-message_timestamp"], limit=2, offset=2)
        assert [each["event_data"]["params"][0]["name"] for each in page] == ["vm2", "vm1"]
        assert await host.api.call("audit.query", {"query-options": {"count": True}}) == 5
        one = await host.api.call(
            "audit.query",
            {
                "query-filters": [["event_data.description", "=", "Create VM vm3"]],
                "query-options": {"get": True, "select": ["username", "success"]},
            },
        )
        assert one == {"username": "root", "success": True}
        assert len(await host.api.call("audit.query")) == 5
        assert await host.api.call("audit.query", {"services": ["SMB"]}) == []
        assert len(await host.api.call("audit.query", {"services": ["MIDDLEWARE", "SUDO"]})) == 5


@pytest.mark.parametrize(
    ("data", "attribute"),
    [
        ({"services": ["X"]}, "data.services.0"),
        ({"query-filters": [["a", "nonsense", 1]]}, "data.query-filters"),
        ({"query-options": {"limit": -1}}, "data.query-options"),
        ({"query-options": {"nonsense": 1}}, "data.query-options.nonsense"),
        ({"filters": []}, "data.filters"),
        ([], "data"),
    ],
)
async def test_what_is_wrong_with_a_query_is_named(tmp_path: Path, data: Any, attribute: str) -> None:
    async with server(tmp_path) as host:
        assert (await host.api.failure("audit.query", data)).attributes == [attribute]


async def test_what_cannot_be_compared_is_told(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await host.api.call("vm.create", {"name": "a", "memory": 64})
        failure = await host.api.failure("audit.query", {"query-filters": [["username", ">", 5]]})
        assert (failure.code, failure.errno) == (-32001, 22)
        missing = await host.api.failure(
            "audit.query", {"query-filters": [["username", "=", "x"]], "query-options": {"get": True}}
        )
        assert missing.reason == "MatchNotFound()"


# --- keeping it ---------------------------------------------------------------------------------------


async def test_entries_are_kept_for_so_many_days(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        config = await host.api.call("audit.config")
        assert (config["retention"], config["id"], config["remote_logging_enabled"]) == (30, 1, False)
        assert config["space"]["used"] > 0
        assert config["space"]["available"] > 0
        changed = await host.api.call("audit.update", {"retention": 2, "quota": 5})
        assert (changed["retention"], changed["quota"], changed["quota_fill_warning"]) == (2, 5, 75)
        wrong: list[dict[str, Any]] = [{"retention": 0}, {"retention": 5000}, {"quota": 101}, {"space": {}}]
        for given in wrong:
            assert len((await host.api.failure("audit.update", given)).attributes) == 1
        await host.api.call("vm.create", {"name": "a", "memory": 64})
        begin = host.clock.now()
    async with server(tmp_path, clock=ManualClock(begin + 1.5 * DAY)) as host:
        await host.api.call("vm.create", {"name": "b", "memory": 64})
        assert ("Create VM a", True, None) in await calls(host)
    async with server(tmp_path, clock=ManualClock(begin + 2.5 * DAY)) as host:
        await host.api.call("vm.create", {"name": "c", "memory": 64})
        assert await calls(host) == [("Create VM b", True, None), ("Create VM c", True, None)]


async def test_no_more_than_so_many_are_kept(tmp_path: Path) -> None:
    async with server(tmp_path, audit_entries=100) as host:
        for _ in range(700):
            await host.api.failure("vm.start", 1)
        await host.server.services.trail.flush()
        # They are looked at from time to time.
        assert 100 <= len(await entries(host)) < 600
        assert (await entries(host))[-1]["event_data"]["method"] == "vm.start"


async def test_entries_are_never_changed_and_go_from_the_oldest(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        for name in "ab":
            await host.api.call("vm.create", {"name": name, "memory": 64})
    connection = connect(tmp_path / "state/audit.db")
    try:
        for sql in (
            "UPDATE audit SET username = 'mallory' WHERE id = 1",
            "UPDATE audit SET success = 0 WHERE id = 1",
            "UPDATE audit SET event_data = '{}' WHERE id = 2",
        ):
            with pytest.raises(Exception, match="never changed"):
                connection.execute(sql)
        with pytest.raises(Exception, match="only the oldest"):
            connection.execute("DELETE FROM audit WHERE id = 2")
    finally:
        connection.close()


async def test_what_was_under_way_when_the_server_ended_says_so(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        entry = (await _begun(host))[0]
        assert entry["success"] is False
        assert entry["event_data"]["error"].startswith("not known: it is under way, or the server ended")


async def _begun(host: Host) -> list[dict[str, Any]]:
    services = host.server.services
    await services.trail.begin(call_entry(InternalSession(), services.methods["vm.start"], [1]))
    return await entries(host)


async def test_a_full_disk_does_not_keep_anybody_from_tidying_up(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await host.api.call("vm.create", {"name": "a", "memory": 64})
        services = host.server.services
        services.trail._journal._connection.execute("PRAGMA query_only=ON")
        await host.api.call("vm.delete", 1)
        services.trail._journal._connection.execute("PRAGMA query_only=OFF")
        assert [text for text, _, _ in await calls(host)] == ["Create VM a"]


async def test_another_process_that_writes_is_waited_for_aside(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        other = connect(tmp_path / "state/audit.db")
        other.execute("BEGIN IMMEDIATE")
        call = host.api.begin("vm.create", {"name": "a", "memory": 64})
        assert await host.api.call("core.ping") == "pong"
        other.execute("COMMIT")
        other.close()
        await call
        await host.server.services.trail.flush()
        assert await calls(host) == [("Create VM a", True, None)]


# --- reports ------------------------------------------------------------------------------------------


async def test_reports_are_written_and_fetched(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await host.api.call("core.subscribe", "core.get_jobs")
        await host.api.call("vm.create", {"name": "a", "memory": 64})
        async with host.connect(over_tcp=True) as api:
            await api.call("auth.login", "=cmd()", "x")
        for form in ("JSON", "CSV"):
            number = await host.api.call(
                "audit.export", {"export_format": form, "query-filters": [["event", "!=", "LOGOUT"]]}
            )
            path = Path((await host.api.job(number))["result"])
            assert path.parent == tmp_path / "state/audit-reports"
            assert path.stat().st_mode & 0o777 == 0o600
            content = await fetched(host, path.name)
            assert content == path.read_bytes()
            rows = json.loads(content) if form == "JSON" else [*csv.DictReader(content.decode().splitlines())]
            assert [row["event"] for row in rows[:2]] == ["METHOD_CALL", "AUTHENTICATION"]
            assert rows[1]["username"] == ("=cmd()" if form == "JSON" else "'=cmd()")
        failure = (await host.api.job(await host.api.call("audit.export", {"export_format": "X"})))["error"]
        assert "export_format" in failure
        for name in ("nonsense", "../vmstead.db", "/etc/passwd"):
            number, _ = await host.api.call(
                "core.download", "audit.download_report", [{"report_name": name}], "x"
            )
            assert "There is no report" in (await host.api.job(number))["error"]


async def fetched(host: Host, name: str) -> bytes:
    _, path = await host.api.call("core.download", "audit.download_report", [{"report_name": name}], name)
    async with host.http.get(f"{host.tcp_url.replace('ws://', 'http://')}{path}") as answer:
        assert answer.status == 200
        return await answer.read()


async def test_the_last_ten_reports_are_kept(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await host.api.call("core.subscribe", "core.get_jobs")
        written = []
        for _ in range(12):
            number = await host.api.call("audit.export")
            written.append(Path((await host.api.job(number))["result"]))
        assert [path.exists() for path in written] == [False] * 2 + [True] * 10


async def test_reports_are_written_one_after_the_other(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await host.api.call("core.subscribe", "core.get_jobs")
        numbers = await asyncio.gather(*(host.api.call("audit.export") for _ in range(15)))
        assert len({*numbers}) == 15, "each asks for a report of its own"
        for number in numbers:
            record = await host.api.job(number)
            assert record["state"] == "SUCCESS", record["error"]
        assert len([*(host.config.state / "audit-reports").iterdir()]) == 10
