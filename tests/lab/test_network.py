"""Guests on a bridge, on a VLAN and beside a card of a real host."""

from tests.guest.test_matrix import image, make
from tests.lab.host import LabHost

POOL = "/var/lib/vmstead/pools/default"
#: A bridge whose name says nothing, over the second card; a VLAN on it.
PREPARE = """
ip link add name lan0 type bridge stp_state 0
ip link set enp0s9 master lan0 up
ip link set lan0 up
ip address add 192.168.90.1/24 dev lan0
ip link add link lan0 name lan0.5 type vlan id 5
ip link set lan0.5 up
ip address add 192.168.95.1/24 dev lan0.5
"""


async def test_choices_are_what_the_host_has(lab: LabHost) -> None:
    choices = await lab.call("vm.device.nic_attach_choices")
    links = await lab.sh("ls /sys/class/net")
    assert {"lan0", "lan0.5", "enp0s8", "enp1s0"} <= set(choices)
    assert set(choices) - {"user"} <= set(links.split())
    assert "enp0s9" not in choices or "bridge" in choices["enp0s9"]
    binds = await lab.call("vm.device.bind_choices")
    addresses = (await lab.sh("ip -o -4 addr show | awk '{print $4}' | cut -d/ -f1")).splitlines()
    assert set(addresses) <= set(binds)


async def test_the_host_reaches_guests_on_its_bridge_and_on_a_vlan(lab: LabHost) -> None:
    vm = await make(
        lab,
        image("connected", type="VIRTIO", boot=True),
        {"dtype": "NIC", "type": "VIRTIO", "nic_attach": "lan0", "mac": "00:a0:98:00:00:01"},
        {"dtype": "NIC", "type": "VIRTIO", "nic_attach": "lan0.5", "mac": "00:a0:98:00:00:02"},
        {"dtype": "NIC", "type": "E1000", "nic_attach": "enp1s0", "mac": "00:a0:98:00:00:03"},
        name="connected",
        bootloader="UEFI_CSM",
    )
    await lab.fill(f"{POOL}/connected.raw")
    await lab.call("vm.start", vm)
    with lab.console(vm) as console:
        console.log_in()
        names = {nic.mac[-2:]: nic.name for nic in console.inventory().nics}
        for number, address in (("01", "192.168.90.7/24"), ("02", "192.168.95.7/24")):
            console.type(
                f"ip address flush dev {names[number]}; ip address add {address} dev {names[number]}"
            )
        console.type("ip link; echo se''t")
        console.until("set")
    assert "1 received" in await lab.sh("ping -c 1 -W 20 192.168.90.7")
    master = await lab.sh("ls /sys/class/net/lan0/brif")
    assert "enp0s9" in master
    assert len(master.split()) == 2
    kinds = await lab.sh(f"virsh -c qemu:///system domiflist {vm}_connected | awk 'NR > 2 {{print $2}}'")
    assert kinds.split() == ["bridge", "direct", "direct"]
    await lab.call("vm.poweroff", vm)
