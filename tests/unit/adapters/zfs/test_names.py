"""Names of the API and of ZFS."""

import pytest

from vmstead.adapters.zfs.names import NEW, OLD, Names, copy_prefix, copy_snapshot, is_hidden
from vmstead.ports.volumes import VolumeError, VolumeErrorKind

NAMES = Names({"tank": "tank", "fast": "nvme/vms"})


@pytest.mark.parametrize(
    ("name", "dataset"),
    [("tank", "tank"), ("tank/a/b c", "tank/a/b c"), ("fast", "nvme/vms"), ("fast/web", "nvme/vms/web")],
)
def test_there_and_back(name: str, dataset: str) -> None:
    assert NAMES.dataset(name) == dataset
    assert NAMES.name(dataset) == name


@pytest.mark.parametrize("dataset", ["other", "nvme", "nvme/other", "nvme/vmsx", "tankx/a"])
def test_what_lies_in_no_pool_has_no_name(dataset: str) -> None:
    assert NAMES.name(dataset) is None
    assert NAMES.told([dataset, "nvme/vms/a"]) == f"{dataset}, fast/a"


@pytest.mark.parametrize(
    "name", ["tank/", "tank/-o", "tank/a@b", "tank/../x", f"tank/a{NEW}", f"tank/a{OLD}", "x/a\n"]
)
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(VolumeError) as raised:
        NAMES.dataset(name)
    assert raised.value.kind is VolumeErrorKind.BAD_NAME


def test_what_is_vmsteads_own_is_hidden() -> None:
    assert is_hidden(f"tank/a{NEW}")
    assert is_hidden("tank/a", copy_snapshot("tank/b"))
    assert not is_hidden("tank/a", "vm-stead")
    assert copy_snapshot("tank/b").startswith(copy_prefix("tank/b"))
    assert copy_prefix("tank/b") != copy_prefix("tank/c")
