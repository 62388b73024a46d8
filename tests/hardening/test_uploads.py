"""What is uploaded lands in a pool and nowhere else, on no way through the disk that the host starts from."""

import tempfile
from pathlib import Path

import pytest

from tests.api.test_transfer import pool, token, upload
from tests.harness import Host, server

MiB = 1024 * 1024


async def failed(host: Host, path: str) -> str:
    """The error of an upload to a path."""
    call = {"method": "filesystem.put", "params": [path]}
    status, answer = await upload(host, call, b"x" * MiB, headers=await token(host))
    assert status == 200, answer
    record = await host.api.job(answer["job_id"])
    assert record["state"] == "FAILED"
    error: str = record["error"]
    return error


@pytest.mark.parametrize(
    "path",
    [
        "/mnt/a.iso",
        "/mnt",
        "/a.iso",
        "/tmp/a.iso",
        "/mnt/gone/a.iso",
        "/mnt/default",
        "/mnt/default/../a.iso",
        "a.iso",
    ],
)
async def test_an_upload_goes_into_a_pool_that_is_there(tmp_path: Path, path: str) -> None:
    """A pool whose disk is not mounted is a name on the disk that the host starts from."""
    before = {each for each in (Path("/"), Path("/mnt"), Path("/tmp")) for each in each.iterdir()}
    async with server(tmp_path, pools={"gone": tmp_path / "gone"}) as host:
        await host.api.call("core.subscribe", "core.get_jobs")
        assert await failed(host, path)
        assert list(pool(tmp_path).iterdir()) == []
        assert not (tmp_path / "gone").exists()
        names = {each.name for each in (Path("/"), Path("/mnt"), Path("/tmp")) for each in each.iterdir()}
        assert "a.iso" not in names - {each.name for each in before}


async def test_an_upload_takes_no_way_through_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As tempfile has it set: the place that it would use without looking for another.
    nowhere = tmp_path / "nowhere"
    monkeypatch.setattr(tempfile, "tempdir", str(nowhere))
    async with server(tmp_path) as host:
        await host.api.call("core.subscribe", "core.get_jobs")
        call = {"method": "filesystem.put", "params": ["/mnt/default/a.iso"]}
        status, answer = await upload(host, call, b"x" * (8 * MiB), headers=await token(host))
        assert (status, (await host.api.job(answer["job_id"]))["state"]) == (200, "SUCCESS")
        assert (pool(tmp_path) / "a.iso").stat().st_size == 8 * MiB
    assert not nowhere.exists()
