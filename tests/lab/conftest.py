"""A fresh copy of the lab's host for each file of tests. Without the lab (``bin/lab test``) none is collected."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.host import LabHost, install
from tests.lab.machine import Machine, copy

_IMAGE = os.environ.get("VMSTEAD_LAB")
collect_ignore_glob = [] if _IMAGE else ["test_*.py"]


@pytest.fixture(scope="module")
def lab(request: pytest.FixtureRequest) -> Iterator[LabHost]:
    """A host on which the server runs as a service, from this checkout, with no VMs.

    What a file's ``SETTINGS`` says is in the settings file, after its ``PREPARE``, a shell script, has run there.
    """
    assert _IMAGE is not None
    image = Path(_IMAGE)
    folder = Path(tempfile.mkdtemp(prefix="host.", dir=image))
    machine = Machine(image, folder)
    try:
        asyncio.run(_begin(machine, request))
        yield LabHost(folder / "api", machine)
    finally:
        asyncio.run(machine.stop())
        shutil.rmtree(folder)


async def _begin(machine: Machine, request: pytest.FixtureRequest) -> None:
    await copy(machine.image / "saved", machine.folder)
    await machine.start(snapshot=True)
    prepare = getattr(request.module, "PREPARE", "")
    await install(machine, prepare, getattr(request.module, "SETTINGS", ""))
