"""One copy of the lab's host for all tests. Without the lab (``bin/lab test``) none is collected."""

import asyncio
import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.lab.host import LabHost, fresh, install
from vmstead.kernel.run import CommandError

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
_HERE = Path(__file__).parent
#: Files that take long, which come first: so hosts that share the files are done at about the same time.
_LONG = [_HERE / f"test_{name}.py" for name in ("zfs", "service", "engines", "passthrough")]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests here the time they need, and put the long ones first."""
    for item in items:
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.timeout(_STANDSTILL))
    items.sort(key=lambda item: _LONG.index(item.path) if item.path in _LONG else len(_LONG))


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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell what the host has logged during a test that fails."""
    report = yield
    given = getattr(item, "funcargs", {}).values()
    hosts = {each.state: each for each in given if isinstance(each, LabHost)}
    if report.failed:
        # And of the moments before.
        seconds = call.duration + 20
        told = f"journalctl -q -o short-precise --since=-{seconds:.0f}s --no-pager | tail -n 400"
        report.sections += [("the host's journal", asyncio.run(_told(host, told))) for host in hosts.values()]
    return report


async def _told(host: LabHost, command: str) -> str:
    """What a command says on a host that may have gone."""
    try:
        return await asyncio.wait_for(host.sh(command), 60)
    except (CommandError, TimeoutError) as error:
        return f"It does not tell it: {error}"
