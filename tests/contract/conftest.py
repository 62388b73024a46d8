"""Pools of ZFS."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.zfs import KINDS, REAL_POOL, RealPools, ZfsPair, pretended_pools


@pytest.fixture(scope="session")
def real_pools() -> Iterator[RealPools]:
    """What lies in a real pool; gone at the end."""
    assert REAL_POOL is not None
    pools = RealPools(REAL_POOL)
    yield pools
    pools.remove()


@pytest.fixture(params=KINDS)
def zfs(request: pytest.FixtureRequest, tmp_path: Path) -> ZfsPair:
    """Two pools, on each kind of ZFS that there is."""
    if request.param == "real":
        real: RealPools = request.getfixturevalue("real_pools")
        return real.pair()
    return pretended_pools(tmp_path)
