"""Names of networks are names of bridges."""

import pytest

from vmstead.network.names import check_name
from vmstead.ports.host_network import Cable, Cabling, NetworkError

CABLING = Cabling({"enp1s0": Cable("enp1s0")})


@pytest.mark.parametrize("name", ["lab0", "l", "vm-net_1.5", "a" * 15])
def test_what_a_bridge_can_be_called(name: str) -> None:
    check_name(name, CABLING)


@pytest.mark.parametrize(
    "name", ["", "a" * 16, "0lab", "Lab", "a b", "a/b", "user", "all", "default", "-x", "x\n"]
)
def test_what_it_cannot(name: str) -> None:
    with pytest.raises(NetworkError, match="cannot be the name of a bridge: it has at most 15"):
        check_name(name, CABLING)


def test_what_is_taken() -> None:
    with pytest.raises(NetworkError, match="there is an interface enp1s0 already; choose another name"):
        check_name("enp1s0", CABLING)
