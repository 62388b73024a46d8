"""One copy of the lab's host for all tests. Without the lab (``bin/lab test``) none is collected."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.host import LabHost, fresh, install

_IMAGE = os.environ.get("VMSTEAD_LAB")
collect_ignore_glob = [] if _IMAGE else ["test_*.py"]

#: What an administrator does before the server is there: a pool of ZFS for it.
_PREPARE = "modprobe zfs && zpool create tank /dev/vdb /dev/vdc"
_SETTINGS = """
[pools.tank]
zfs = "tank"
"""


#: Seconds after which a test has come to a standstill: everything in the host takes ten times as long as elsewhere.
_STANDSTILL = 1800


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests here the time they need."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(_STANDSTILL))


@pytest.fixture(scope="session")
def _host() -> Iterator[LabHost]:
    """A host on which the server runs as a service, from this checkout."""
    assert _IMAGE is not None
    with fresh(Path(_IMAGE)) as host:
        asyncio.run(install(host.machine, _PREPARE, _SETTINGS))
        yield host


@pytest.fixture(scope="module")
def lab(_host: LabHost, request: pytest.FixtureRequest) -> Iterator[LabHost]:
    """The host, with no VMs. What a file's ``PREPARE``, a shell script, says has been done there."""
    asyncio.run(_host.sh(getattr(request.module, "PREPARE", "true")))
    yield _host
    asyncio.run(_without_vms(_host))


async def _without_vms(host: LabHost) -> None:
    for vm in await host.call("vm.query", [], {"select": ["id"]}):
        await host.call("vm.delete", vm["id"], {"zvols": True, "force": True})
