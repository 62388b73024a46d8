"""What networks there are."""

from vmstead.network.listing import Listed, listing
from vmstead.network.nat import uuid_of
from vmstead.ports.host_network import Cable, CableAddress, Cabling, Change, Kept
from vmstead.ports.networks import NatNetwork

CABLING = Cabling({"lan0": Cable("lan0", addresses=(CableAddress("10.0.0.2/24"),))})
NAT = NatNetwork("lab0", uuid_of("lab0"), "lab0", ("192.168.100.1/24",))
THEIRS = NatNetwork("default", "6695eb01-f6a4-8304-79aa-97f2502e193f", "virbr0", is_active=False)
KEPT = [Kept("lan0", "enp1s0", "networkd"), Kept("old0", "enp9s0", "ifupdown")]
USERS = {"lan0": ["web01"], "lab0": ["db01", "web01"]}


def test_all_of_them_with_who_uses_them() -> None:
    assert listing(CABLING, [NAT, THEIRS], KEPT, None, 0, USERS) == [
        Listed("lab0", "NAT", "ACTIVE", ("192.168.100.1/24",), None, ("db01", "web01"), True),
        Listed("lan0", "BRIDGE", "ACTIVE", ("10.0.0.2/24",), "enp1s0", ("web01",), True),
        Listed("old0", "BRIDGE", "INACTIVE", (), "enp9s0", (), True),
        Listed("virbr0", "NAT", "INACTIVE", (), None, (), False),
    ]


def test_what_is_on_trial_has_so_many_seconds_left() -> None:
    change = Change("1", "create", "lan0", "enp1s0", "applied", 100.0, (), ())
    (row,) = listing(CABLING, [], [], change, 58.04, {})
    assert (row.state, row.seconds, row.port) == ("ON_TRIAL", 42.0, "enp1s0")
    (row,) = listing(CABLING, [], KEPT[:1], change, 101, {})
    assert (row.state, row.seconds) == ("ON_TRIAL", 0.0)
    stuck = Change("1", "delete", "lan0", "enp1s0", "stuck", 100.0, (), ())
    (row,) = listing(CABLING, [], [], stuck, 0, {})
    assert (row.state, row.seconds) == ("STUCK", None)
