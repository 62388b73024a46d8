"""Whether the host can run VMs, asked through the API."""

from pathlib import Path

from tests.api.test_auth import account
from tests.harness import server


async def test_every_prerequisite_is_told_with_what_mends_it(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        found = {each["name"]: each for each in await host.api.call("system.readiness")}
        assert found["engine"]["verdict"] == "GOOD"
        assert found["engine"]["mend"] is None
        assert found["server"]["text"] == f"running, at {host.config.socket}"
        assert (await host.api.failure("system.readiness", 1)).attributes == [""]


async def test_it_takes_a_role(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await account(host, "bob", "open sesame", "POOL_READ")
        assert await api.call("auth.login", "bob", "open sesame")
        assert (await api.failure("system.readiness")).errno == 13
