"""What the tests of devices share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.devices.support import Bench, workbench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A context with a pool, a host and an engine."""
    with workbench(tmp_path) as made:
        yield made
