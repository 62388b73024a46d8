"""Files by HTTP: downloads that a job writes, uploads that a job reads."""

import io
import json
from base64 import b64encode
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.harness import Host, server
from vmstead.rpc.caller import Caller

MiB = 1024 * 1024


def pool(tmp_path: Path) -> Path:
    return tmp_path / "state/pools/default"


def http(host: Host) -> str:
    return f"http{host.tcp_url.removeprefix('ws')}"


async def fetch(host: Host, path: str) -> tuple[int, bytes, dict[str, str]]:
    async with host.http.get(http(host) + path) as response:
        return response.status, await response.read(), dict(response.headers)


async def upload(
    host: Host,
    data: Any,
    content: bytes = b"content",
    *,
    headers: dict[str, str] | None = None,
    query: str = "",
) -> tuple[int, Any]:
    form = aiohttp.FormData(default_to_multipart=True)
    form.add_field("data", data if isinstance(data, str) else json.dumps(data))
    form.add_field("file", io.BytesIO(content), filename="a.iso")
    async with host.http.post(f"{http(host)}/_upload{query}", data=form, headers=headers or {}) as response:
        text = await response.text()
        return response.status, json.loads(text) if response.status == 200 else text


async def token(host: Host, **options: Any) -> dict[str, str]:
    text = await host.api.call("auth.generate_token", 60, options.get("attrs", {}), False)
    return {"Authorization": f"Token {text}"}


async def logged(host: Host, tmp_path: Path, content: bytes) -> None:
    """A VM with a log, which is a file in the pool here."""
    (pool(tmp_path) / "log").write_bytes(content)
    await host.api.call("core.subscribe", "core.get_jobs")


# --- downloads ------------------------------------------------------------------------------------


@pytest.mark.parametrize("buffered", [False, True])
async def test_a_file_is_downloaded_once(tmp_path: Path, buffered: bool) -> None:
    content = b"0123456789abcdef" * (3 * MiB // 16)
    async with server(tmp_path) as host:
        await logged(host, tmp_path, content)
        job, url = await host.api.call(
            "core.download", "filesystem.get", ["/mnt/default/log"], 'ünï/co"de.log', buffered
        )
        if buffered:
            assert (await host.api.job(job))["state"] == "SUCCESS"
        status, body, headers = await fetch(host, url)
        assert (status, body) == (200, content)
        assert headers["Content-Type"] == "application/octet-stream"
        assert headers["Content-Disposition"].startswith('attachment; filename="co%22de.log"')
        assert (await host.api.job(job))["state"] == "SUCCESS"
        assert (await fetch(host, url))[0] == 401


async def test_a_vm_without_log_has_an_empty_one(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await host.api.call("vm.create", {"name": "a", "memory": 64})
        _, url = await host.api.call("core.download", "vm.log_file_download", [1], "a.log")
        assert (await fetch(host, url))[:2] == (200, b"")


async def test_what_gives_no_file_cannot_be_downloaded(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        for method in ("vm.query", "no.such"):
            failure = await host.api.failure("core.download", method, [], "x")
            assert f"{method} has nothing to download" in failure.reason
        direct = await host.api.failure("filesystem.get", "/mnt/default/a")
        assert "Pipe 'output' is not open" in direct.reason


async def test_a_download_needs_its_token(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await logged(host, tmp_path, b"secret")
        job, url = await host.api.call("core.download", "filesystem.get", ["/mnt/default/log"], "x")
        other = await host.api.call("auth.generate_token", 60, {}, False)
        for path in (
            f"/_download/{job}",
            f"/_download/{job}?auth_token={other}",
            f"/_download/{job}?auth_token=",
        ):
            assert (await fetch(host, path))[0] == 401
        assert (await fetch(host, "/_download/x"))[0] == 404
        assert (await fetch(host, url.replace(f"/{job}?", f"/{job + 1}?")))[0] == 401


async def test_a_download_that_nobody_fetches_fails_its_job(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await logged(host, tmp_path, bytes(4 * MiB))
        job, url = await host.api.call("core.download", "filesystem.get", ["/mnt/default/log"], "x")
        await host.pass_time(61)
        record = await host.api.job(job)
        assert record["state"] == "FAILED"
        assert record["error"] == "[EPIPE] filesystem.get was given up: nobody came to fetch it in time"
        assert (await fetch(host, url))[0] == 410


async def test_a_job_that_fails_cuts_the_download_off(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await host.api.call("core.subscribe", "core.get_jobs")
        job, url = await host.api.call("core.download", "filesystem.get", ["/mnt/default/none"], "x")
        assert (await host.api.job(job))["state"] == "FAILED"
        assert (await fetch(host, url))[0] == 410


# --- uploads --------------------------------------------------------------------------------------

PUT = {"method": "filesystem.put", "params": ["/mnt/default/a.iso", {"mode": 0o640}]}


async def test_a_file_is_uploaded(tmp_path: Path) -> None:
    content = b"0123456789abcdef" * (3 * MiB // 16)
    async with server(tmp_path) as host:
        await host.api.call("core.subscribe", "core.get_jobs")
        status, answer = await upload(host, PUT, content, headers=await token(host))
        assert status == 200
        record = await host.api.job(answer["job_id"])
        assert (record["state"], record["result"]) == ("SUCCESS", True)
        path = pool(tmp_path) / "a.iso"
        assert path.read_bytes() == content
        assert path.stat().st_mode & 0o777 == 0o640
        assert [each.name for each in pool(tmp_path).iterdir()] == ["a.iso"]


async def test_who_uploads_is_told_in_several_ways(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        bare = await host.api.call("auth.generate_token", 60, {}, False)
        assert (await upload(host, PUT, query=f"?auth_token={bare}"))[0] == 200
        assert (await upload(host, PUT))[0] == 401
        for header, status in (
            ("Token nonsense", 403),
            ("Bearer 1-nonsense", 401),
            ("Basic !", 400),
            (f"Basic {b64encode(b'root:wrong').decode()}", 401),
        ):
            assert (await upload(host, PUT, headers={"Authorization": header}))[0] == status, header
        for_downloads = await token(host, attrs={"job": 1})
        assert (await upload(host, PUT, headers=for_downloads))[0] == 403


@pytest.mark.parametrize(
    ("data", "status"),
    [
        ("{", 400),
        ("[]", 422),
        ({}, 422),
        ({"method": "filesystem.put", "params": {}}, 422),
        ({"method": "no.such", "params": []}, 422),
        ({"method": "vm.query", "params": []}, 412),
    ],
)
async def test_an_upload_that_makes_no_sense_is_refused(tmp_path: Path, data: Any, status: int) -> None:
    async with server(tmp_path) as host:
        assert (await upload(host, data, headers=await token(host)))[0] == status


async def test_an_upload_goes_to_a_method_that_its_user_may_call(tmp_path: Path) -> None:
    """The endpoint obeys the same roles as the method."""
    async with server(tmp_path) as host:
        services = host.server.services
        reader = Caller("reader", frozenset({"VM_READ"}), "LOGIN_PASSWORD", {})
        text = services.tokens.issue(reader, "s")
        assert (await upload(host, PUT, headers={"Authorization": f"Token {text}"}))[0] == 403
        assert list(pool(tmp_path).iterdir()) == []


async def test_an_upload_that_is_refused_by_its_job_leaves_nothing(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await host.api.call("core.subscribe", "core.get_jobs")
        call = {"method": "filesystem.put", "params": ["/etc/passwd"]}
        status, answer = await upload(host, call, bytes(4 * MiB), headers=await token(host))
        assert status == 200
        record = await host.api.job(answer["job_id"])
        assert record["state"] == "FAILED"
        assert "is not below /mnt/default/" in record["error"]
