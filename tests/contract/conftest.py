"""Pools of ZFS."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.zfs import KINDS, ZfsPair, zfs_pair


@pytest.fixture(params=KINDS)
def zfs(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ZfsPair]:
    """Two pools, on each kind of ZFS that there is."""
    with zfs_pair(request.param, tmp_path) as pair:
        yield pair
