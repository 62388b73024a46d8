"""Who is logged in where, and what ends that."""

import json
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.api.test_auth import account, api_key
from tests.api.test_console import opened, running, shell
from tests.harness import Api, Host, server
from vmstead.store.accounts import AccountStore
from vmstead.store.db import open_database

PASSWORD = {"mechanism": "PASSWORD_PLAIN", "username": "alice", "password": "open sesame"}
TOKEN = {"mechanism": "TOKEN_PLAIN"}


async def is_logged_in(api: Api) -> bool:
    frame = await api.frame_of("auth.me")
    return "result" in frame or frame["error"]["data"]["error"] != 207


async def sessions(host: Host) -> list[dict[str, Any]]:
    """Those that are not the machine's own root."""
    found: list[dict[str, Any]] = await host.api.call("auth.sessions", [["internal", "=", False]])
    return found


async def test_every_session_is_listed_with_who_and_how(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        [own] = await host.api.call("auth.sessions")
        assert own["current"] is own["internal"] is own["secure_transport"] is True
        assert own["credentials"] == "UNIX_SOCKET"
        assert own["origin"].startswith("UNIX socket (pid=")
        assert own["credentials_data"]["username"] == "root"
        key = await api_key(host, await account(host))
        async with host.connect(over_tcp=True) as first, host.connect(over_tcp=True) as second:
            assert await sessions(host) == []
            await first.call("auth.login_ex", PASSWORD)
            await second.call("auth.login_with_api_key", key)
            [by_password, by_key] = await sessions(host)
            assert by_password["credentials"] == "LOGIN_PASSWORD"
            assert by_password["origin"].startswith("127.0.0.1:")
            assert by_password["created_at"] == {"$date": int(host.clock.now()) * 1000}
            assert {*by_password["credentials_data"]} == {"username", "login_id", "login_at"}
            assert by_key["credentials"] == "API_KEY"
            assert by_key["credentials_data"]["api_key"] == {"id": 1, "name": "laptop"}
            [current] = await second.call("auth.sessions", [["current", "=", True]], {"select": ["id"]})
            assert current == {"id": by_key["id"]}
            await first.call("auth.login_with_token", await second.call("auth.generate_token"))
            [_, by_token] = await sessions(host)
            assert by_token["credentials"] == "TOKEN"
            data = by_token["credentials_data"]
            assert {*data} == {"parent", "login_id", "username"}
            assert data["parent"]["credentials"] == "API_KEY"
        assert await sessions(host) == []


async def test_logins_and_their_ends_are_told(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await account(host)
        await host.api.call("core.subscribe", "auth.sessions")
        await api.call("auth.login_ex", PASSWORD)
        added = await host.api.event(lambda event: event["msg"] == "added")
        assert "id" not in added
        assert added["fields"] == {**(await sessions(host))[0], "current": False}
        await api.call("auth.logout")
        removed = await host.api.event(lambda event: event["msg"] == "removed")
        assert removed == {
            "msg": "removed",
            "collection": "auth.sessions",
            "extra": {"fields": {"id": added["fields"]["id"]}},
        }
        async with host.connect():
            pass
        assert len(host.api.events) == 2, "the machine's own root comes and goes with every command"


async def test_a_session_can_be_ended_with_all_that_came_of_it(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await account(host)
        async with (
            host.connect(over_tcp=True) as first,
            host.connect(over_tcp=True) as child,
            host.connect(over_tcp=True) as grandchild,
            host.connect(over_tcp=True) as other,
        ):
            for api in (first, other):
                await api.call("auth.login_ex", PASSWORD)
            await child.call("auth.login_with_token", await first.call("auth.generate_token"))
            await grandchild.call("auth.login_with_token", await child.call("auth.generate_token"))
            unused = await child.call("auth.generate_token")
            [id] = [each["id"] for each in await first.call("auth.sessions", [["current", "=", True]])]
            assert await host.api.call("auth.terminate_session", id) is True
            for api in (first, child, grandchild):
                assert await api.closed() == 1008
            assert await is_logged_in(other)
            assert await other.call("auth.login_with_token", unused) is False
            assert await host.api.call("auth.terminate_session", id) is False
            assert await host.api.call("auth.terminate_session", "nonsense") is False
            assert (await host.api.failure("auth.terminate_session", 1)).attributes == ["id"]


async def test_ending_a_handed_on_session_leaves_the_one_it_came_from(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as first:
        await account(host)
        await first.call("auth.login_ex", PASSWORD)
        async with host.connect(over_tcp=True) as child:
            await child.call("auth.login_with_token", await first.call("auth.generate_token"))
            [id] = [each["id"] for each in await child.call("auth.sessions", [["current", "=", True]])]
            await host.api.call("auth.terminate_session", id)
            assert await child.closed() == 1008
        assert await is_logged_in(first)


async def test_all_other_sessions_can_be_ended(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await account(host)
        async with host.connect(over_tcp=True) as own, host.connect(over_tcp=True) as other:
            for api in (own, other):
                await api.call("auth.login_ex", PASSWORD)
            assert await own.call("auth.terminate_other_sessions") is True
            assert await other.closed() == 1008
            assert await is_logged_in(own)
            assert await is_logged_in(host.api), "the machine's own root"


async def test_logging_out_ends_what_was_handed_on(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as first:
        await account(host)
        await first.call("auth.login_ex", PASSWORD)
        token = await first.call("auth.generate_token")
        async with host.connect(over_tcp=True) as child:
            await child.call("auth.login_with_token", token)
            await first.call("auth.logout")
            assert await child.closed() == 1008
        assert not await is_logged_in(first)
        assert await first.call("auth.login_with_token", token) is False


async def test_a_console_ends_with_its_login(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await running(host)
        await account(host)
        await api.call("auth.login_ex", PASSWORD)
        async with shell(host) as socket:
            token = await api.call("auth.generate_token", 60, {}, False)
            assert (await opened(host, socket, token=token))["msg"] == "connected"
            await api.call("auth.logout")
            message = await socket.receive(timeout=10)
            assert message.type is aiohttp.WSMsgType.CLOSE
            assert message.data == 1008


async def test_what_a_client_sent_before_it_went_is_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with server(tmp_path) as host:
        await account(host, "alice", "open sesame", "VM_WRITE")
        for collection in ("vm.query", "auth.sessions"):
            await host.api.call("core.subscribe", collection)
        async with host.connect(over_tcp=True) as api:
            await api.call("auth.login", "alice", "open sesame")
            for method, params in (
                ("vm.create", [{"name": "a", "memory": 64}]),
                ("auth.login_ex", [{**PASSWORD, "login_options": {"reconnect_token": True}}]),
            ):
                await api.send(json.dumps({"jsonrpc": "2.0", "method": method, "params": params}))
            await api.socket.close()
        vm = await host.api.event(lambda event: event["collection"] == "vm.query")
        assert vm["fields"]["name"] == "a"

        def are_over(_: dict[str, Any]) -> bool:
            told = [event["msg"] for event in host.api.events if event["collection"] == "auth.sessions"]
            return told.count("added") == told.count("removed") == 2

        await host.api.event(are_over)
        assert await sessions(host) == []
    assert "unexpectedly" not in capsys.readouterr().out


async def test_closing_a_session_ends_its_subscriptions(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        bus = host.server.services.bus
        async with host.connect() as api:
            await api.call("core.subscribe", "vm.query")
            assert bus.has_subscribers("vm.query")
        assert not bus.has_subscribers("vm.query")


# --- time -------------------------------------------------------------------------------------------


async def test_a_login_lasts_so_many_hours_and_local_ones_for_ever(tmp_path: Path) -> None:
    async with server(tmp_path, session_hours=2) as host, host.connect(over_tcp=True) as api:
        await account(host)
        await api.call("auth.login_ex", PASSWORD)
        async with host.connect(over_tcp=True) as child:
            # What is handed on does not last longer.
            host.clock.advance(3600)
            token = await api.call("auth.generate_token", 100_000)
            await child.call("auth.login_with_token", token)
            host.clock.advance(3599)
            assert await is_logged_in(api)
            assert await is_logged_in(child)
            host.clock.advance(1)
            assert not await is_logged_in(api)
            assert not await is_logged_in(child)
        assert (await api.failure("vm.query")).errno == 207
        assert await api.call("core.ping") == "pong", "the connection stays"
        host.clock.advance(10**7)
        assert await is_logged_in(host.api)


async def test_a_login_that_is_not_used_ends_where_that_is_wanted(tmp_path: Path) -> None:
    async with server(tmp_path, session_idle=5) as host, host.connect(over_tcp=True) as api:
        await account(host)
        await api.call("auth.login_ex", PASSWORD)
        for _ in range(3):
            host.clock.advance(299)
            assert await is_logged_in(api)
        await host.api.call("core.subscribe", "auth.sessions")
        host.clock.advance(310)
        # Nothing has to come from it for that to be noticed.
        await host.api.event(lambda event: event["msg"] == "removed")
        assert not await is_logged_in(api)
        host.clock.advance(10_000)
        assert await is_logged_in(host.api)


async def test_a_session_by_token_lasts_while_its_token_does(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await account(host)
        await api.call("auth.login_ex", PASSWORD)
        token = await api.call("auth.generate_token", 100)
        async with host.connect(over_tcp=True) as child:
            await child.call("auth.login_with_token", token)
            for _ in range(3):
                host.clock.advance(90)
                assert await is_logged_in(child), "every message keeps it"
            grandchild_token = await child.call("auth.generate_token", 300)
            async with host.connect(over_tcp=True) as grandchild:
                await grandchild.call("auth.login_with_token", grandchild_token)
                for _ in range(3):
                    host.clock.advance(90)
                    assert await is_logged_in(grandchild)
                assert await is_logged_in(child), "and those of the session it came from"
            host.clock.advance(100)
            assert not await is_logged_in(child)
            assert await child.call("auth.login_with_token", token) is False


async def test_a_token_is_gone_when_the_session_that_uses_it_ends(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await account(host)
        await api.call("auth.login_ex", PASSWORD)
        token = await api.call("auth.generate_token")
        async with host.connect(over_tcp=True) as child:
            await child.call("auth.login_with_token", token)
        async with host.connect(over_tcp=True) as child:
            assert await child.call("auth.login_with_token", token) is False


# --- reconnecting -----------------------------------------------------------------------------------


async def test_a_reconnect_token_goes_on_with_a_login_whose_connection_is_gone(tmp_path: Path) -> None:
    async with server(tmp_path, session_hours=1) as host:
        await account(host)
        options = {"login_options": {"reconnect_token": True}}
        async with host.connect(over_tcp=True) as api:
            answer = await api.call("auth.login_ex", {**PASSWORD, **options})
            login = (await sessions(host))[0]["credentials_data"]["login_id"]
        host.clock.advance(599)
        async with host.connect(over_tcp=True) as api:
            token = {**TOKEN, "token": answer["reconnect_token"]}
            answer = await api.call("auth.login_ex", {**token, **options})
            assert answer["response_type"] == "SUCCESS"
            assert (await sessions(host))[0]["credentials_data"]["login_id"] == login
            assert (await api.call("auth.login_ex", token))["response_type"] == "AUTH_ERR", "once"
        # It is the same login, which has its time.
        host.clock.advance(599)
        async with host.connect(over_tcp=True) as api:
            token = {**TOKEN, "token": answer["reconnect_token"]}
            assert (await api.call("auth.login_ex", token))["response_type"] == "SUCCESS"
            host.clock.advance(3000)
            assert not await is_logged_in(api)


async def test_a_reconnect_token_keeps_while_its_login_is_used(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await account(host)
        async with host.connect(over_tcp=True) as api:
            data = {**PASSWORD, "login_options": {"reconnect_token": True}}
            token = {**TOKEN, "token": (await api.call("auth.login_ex", data))["reconnect_token"]}
            for _ in range(3):
                host.clock.advance(599)
                await api.call("core.ping")
        host.clock.advance(599)
        async with host.connect(over_tcp=True) as api:
            assert (await api.call("auth.login_ex", token))["response_type"] == "SUCCESS"


async def test_whoever_changes_their_own_password_comes_back_and_nobody_else(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await account(host)
        data = {**PASSWORD, "login_options": {"reconnect_token": True}}
        async with host.connect(over_tcp=True) as mine, host.connect(over_tcp=True) as other:
            tokens = [(await api.call("auth.login_ex", data))["reconnect_token"] for api in (mine, other)]
            change = {"username": "alice", "old_password": "open sesame", "new_password": "another one"}
            await mine.call("user.set_password", change)
        async with host.connect(over_tcp=True) as api:
            came = [
                (await api.call("auth.login_ex", {**TOKEN, "token": token}))["response_type"]
                for token in tokens
            ]
        assert came == ["SUCCESS", "AUTH_ERR"]


async def test_a_reconnect_token_dies_with_its_login_and_in_time(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await account(host)
        data = {**PASSWORD, "login_options": {"reconnect_token": True, "user_info": False}}
        first = (await api.call("auth.login_ex", data))["reconnect_token"]
        await api.call("auth.logout")
        second = (await api.call("auth.login_ex", data))["reconnect_token"]
        assert (await api.call("auth.login_ex", {**TOKEN, "token": first}))["response_type"] == "AUTH_ERR"
        async with host.connect() as elsewhere:
            answer = await elsewhere.call("auth.login_ex", {**TOKEN, "token": second})
            assert answer["response_type"] == "AUTH_ERR"
        third = (await api.call("auth.login_ex", data))["reconnect_token"]
        host.clock.advance(600)
        assert (await api.call("auth.login_ex", {**TOKEN, "token": third}))["response_type"] == "AUTH_ERR"
        once = await host.api.call("auth.generate_onetime_password", {"username": "alice"})
        answer = await api.call("auth.login_ex", {**data, "password": once})
        assert answer["reconnect_token"] is None


# --- changes of the account -------------------------------------------------------------------------


async def test_a_change_of_roles_counts_at_once(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await account(host, "boss")
        owner = await account(host, "alice", "open sesame", "VM_WRITE")
        await api.call("auth.login_ex", PASSWORD)
        await api.call("core.subscribe", "vm.query")
        await host.api.call("user.update", owner, {"granted_roles": ["POOL_READ"]})
        assert (await api.failure("vm.query")).errno == 13
        await api.call("pool.query")
        await host.api.call("user.update", owner, {"granted_roles": ["POOL_READ", "VM_READ"]})
        assert await api.call("vm.query") == []
        await host.api.call("user.update", owner, {"granted_roles": []})
        assert await api.closed() == 1008


async def test_a_subscription_does_not_outlast_the_role_that_it_took(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await account(host, "boss")
        owner = await account(host, "alice", "open sesame", "VM_READ")
        await api.call("auth.login_ex", PASSWORD)
        await api.call("core.subscribe", "vm.query")
        await host.api.call("vm.create", {"name": "a", "memory": 64})
        await api.event(lambda event: event["fields"]["name"] == "a")
        await host.api.call("user.update", owner, {"granted_roles": ["POOL_READ"]})
        await host.api.call("vm.create", {"name": "b", "memory": 64})
        await api.call("core.ping")
        assert [event["fields"]["name"] for event in api.events] == ["a"]


async def test_a_locked_or_deleted_account_is_out_at_once(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await account(host, "boss")
        for change in ("lock", "delete"):
            owner = await account(host)
            key = await api_key(host, owner)
            async with host.connect(over_tcp=True) as api, host.connect(over_tcp=True) as program:
                await api.call("auth.login_ex", PASSWORD)
                await program.call("auth.login_with_api_key", key)
                token = await api.call("auth.generate_token", 60, {}, False)
                if change == "lock":
                    await host.api.call("user.update", owner, {"locked": True})
                else:
                    await host.api.call("user.delete", owner)
                assert await api.closed() == 1008
                assert await program.closed() == 1008
            async with host.connect(over_tcp=True) as api:
                assert await api.call("auth.login_with_token", token) is False
            if change == "lock":
                await host.api.call("user.delete", owner)


async def test_what_another_process_changes_counts_too(tmp_path: Path) -> None:
    """As ``vmstead user`` does, beside a running server."""
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await account(host, "alice", "open sesame", "VM_READ")
        await api.call("auth.login_ex", PASSWORD)
        with closing(open_database(tmp_path / "state/vmstead.db")) as database:
            store = AccountStore(database)
            database.write_now(store.update(1, {"roles": ["POOL_READ"]}))
            assert (await api.failure("vm.query")).errno == 13
            database.write_now(store.set_password("alice", "another", time.time()))
        # Nothing comes from it, and it is noticed nevertheless.
        host.clock.advance(11)
        assert await api.closed() == 1008
