"""The driver on a ZFS that is pretended."""

from pathlib import Path

import pytest

from tests.unit.adapters.zfs.rig import Rig


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    """A pool ``tank``."""
    return Rig(tmp_path)
