"""Figures of ZFS's cache."""

from vmstead.system.reporting import arc_figures

#: The names that clients of TrueNAS read.
NAMES = {
    "demand_accesses_per_second",
    *(
        f"demand_{kind}_{rest}"
        for kind in ("data", "metadata")
        for rest in (
            "accesses_per_second",
            "hits_per_second",
            "io_hits_per_second",
            "misses_per_second",
            "hit_percentage",
            "io_hit_percentage",
            "miss_percentage",
        )
    ),
    "l2arc_hits_per_second",
    "l2arc_misses_per_second",
    "total_l2arc_accesses_per_second",
    "l2arc_access_hit_percentage",
    "l2arc_miss_percentage",
    "bytes_read_per_second_from_the_l2arc",
    "bytes_written_per_second_to_the_l2arc",
}


def test_without_zfs_all_of_them_are_there_and_nothing() -> None:
    figures = arc_figures({}, {}, 2)
    assert figures.keys() == NAMES
    assert set(figures.values()) == {0}


def test_hits_are_those_of_a_second_and_a_share_of_the_accesses() -> None:
    old = {"demand_data_hits": 100, "demand_data_misses": 10, "l2_hits": 5}
    new = {
        "demand_data_hits": 160,
        "demand_data_iohits": 20,
        "demand_data_misses": 30,
        "demand_metadata_hits": 2,
        "l2_hits": 5,
        "l2_misses": 8,
        "l2_read_bytes": 1024,
    }
    figures = arc_figures(old, new, 2)
    assert figures["demand_data_hits_per_second"] == 30
    assert figures["demand_data_accesses_per_second"] == 50
    assert figures["demand_data_hit_percentage"] == 60
    assert figures["demand_data_io_hit_percentage"] == 20
    assert figures["demand_data_miss_percentage"] == 20
    assert figures["demand_accesses_per_second"] == 51
    assert figures["demand_metadata_hit_percentage"] == 100
    assert (figures["l2arc_miss_percentage"], figures["bytes_read_per_second_from_the_l2arc"]) == (100, 512)
