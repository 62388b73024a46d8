"""A host with a card, for bridges over it."""

from vmstead.adapters.fake_host_network import FakeHostNetwork
from vmstead.ports.host_network import Cable, CableAddress, Cabling, Management, Route

NETWORKD = Management(
    "configured", "/etc/systemd/network/10-x.network", ("[Network]\nAddress=10.0.0.2/24\n",)
)
INTERFACES = "auto lo\niface enp1s0 inet static\n  address 10.0.0.2/24\n"
IFUPDOWN = Management(has_ifupdown=True, interfaces={"/etc/network/interfaces": INTERFACES})


def host(management: Management = NETWORKD) -> FakeHostNetwork:
    """Its card has an address and the default route."""
    card = Cable("enp1s0", mac="52:54:00:00:00:01", addresses=(CableAddress("10.0.0.2/24"),))
    found = FakeHostNetwork(Cabling({"enp1s0": card}, (Route("default", "enp1s0", ("via", "10.0.0.1")),)))
    found.told["enp1s0"] = management
    found.files.update(management.interfaces)
    return found


def with_bridge(there: FakeHostNetwork) -> None:
    """The kernel has made the bridge."""
    card = there.present.cables["enp1s0"]
    bridge = Cable("lan0", "bridge", card.mac, addresses=card.addresses)
    port = Cable("enp1s0", mac=card.mac, master="lan0")
    there.present = Cabling(
        {"lan0": bridge, "enp1s0": port}, (Route("default", "lan0", ("via", "10.0.0.1")),)
    )
    told = there.told["enp1s0"]
    interfaces = {path: there.files[path] for path in told.interfaces}
    there.told["enp1s0"] = Management(
        told.networkd,
        told.network_file,
        told.network_texts,
        has_ifupdown=told.has_ifupdown,
        interfaces=interfaces,
    )
