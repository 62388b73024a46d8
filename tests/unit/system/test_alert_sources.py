"""When a pool needs attention."""

import pytest

from vmstead.ports.pools import Pool
from vmstead.system.alert_sources import pool_findings


@pytest.mark.parametrize(
    ("size", "free", "level"),
    [
        (1000, 1000, None),
        (1000, 101, None),
        (1000, 100, "WARNING"),
        (1000, 51, "WARNING"),
        (1000, 50, "CRITICAL"),
        (1000, 0, "CRITICAL"),
        (0, 0, None),
    ],
)
def test_pools_are_told_before_they_are_full(size: int, free: int, level: str | None) -> None:
    findings = pool_findings([Pool("tank", "/mnt/tank", size, free, True, "ONLINE")])
    assert [(each.kind, each.subject, each.level) for each in findings] == (
        [("PoolNearlyFull", "tank", level)] if level else []
    )


def test_a_pool_that_still_works_is_told_of_with_what_is_wrong() -> None:
    pool = Pool(
        "tank", "/mnt/tank", 100, 50, False, "DEGRADED", problem="Replace the device using 'zpool replace'."
    )
    (finding,) = pool_findings([pool])
    assert (finding.kind, finding.level) == ("PoolDegraded", "ERROR")
    assert "Replace the device" in finding.text


def test_a_pool_that_is_gone_is_not_called_full() -> None:
    findings = pool_findings([Pool("tank", "/mnt/tank", 0, 0, False, "OFFLINE")])
    assert [(each.kind, each.level) for each in findings] == [("PoolUnavailable", "CRITICAL")]
