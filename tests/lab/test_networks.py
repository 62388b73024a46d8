"""Networks that are made by ``vmstead network`` on a real host, where systemd watches over changes."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.guest.test_matrix import image, make
from tests.lab.host import TOP, LabHost

POOL = "/var/lib/vmstead/pools/default"
#: Two cards borrow addresses of the emulator, which knows them by their hardware addresses.
PREPARE = """
ip link delete lan0 2>/dev/null || true
cat >/etc/systemd/network/20-others.network <<END
[Match]
Name=enp0s9 enp1s0
[Network]
DHCP=ipv4
# Their networks have none, for which networkd would wait.
IPv6AcceptRA=no
LinkLocalAddressing=no
END
networkctl reload
networkctl reconfigure enp0s9 enp1s0
/lib/systemd/systemd-networkd-wait-online --interface=enp0s9 --interface=enp1s0 --ipv4 --timeout=120
sync
"""
VMSTEAD = f"{TOP}/.venv/bin/vmstead"
_CREATE = f"{VMSTEAD} network create-bridge guests0 --port enp0s9 --confirm-within"
_UNITS = "systemctl list-units --plain --no-legend 'vmstead-network-*' | cut -d' ' -f1"


async def looks(lab: LabHost) -> tuple[str, ...]:
    """The addresses and routes of the second card and of a bridge over it, and the files about them."""
    shown: list[dict[str, Any]] = json.loads(await lab.sh("ip -json -4 address show"))
    addresses = [
        f"{each['ifname']} {address['local']}/{address['prefixlen']}"
        for each in shown
        if each.get("ifname") in ("enp0s9", "guests0")
        for address in each["addr_info"]
    ]
    routes = (await lab.sh("ip -4 route show | grep -E 'enp0s9|guests0' || true")).splitlines()
    files = (
        await lab.sh("find /etc/systemd/network /run/systemd/network -type f 2>/dev/null | sort")
    ).splitlines()
    return (*sorted(addresses), *sorted(route.strip() for route in routes), *files)


async def address(lab: LabHost, link: str) -> str:
    """The IPv4 address of an interface; empty where it has none."""
    return await lab.sh(f"ip -br -4 address show dev {link} | awk '{{print $3}}'")


@asynccontextmanager
async def watched(lab: LabHost) -> AsyncIterator[str]:
    """The unit that watches over the change that is on trial; waits at the end until it has gone."""
    (unit,) = (await lab.sh(_UNITS)).split()
    yield unit
    # It may be started anew, under another number.
    await lab.sh(
        f"while systemctl show -P ActiveState {unit} | grep -Evq '^(inactive|failed)$'; do "
        f"timeout 5 tail --pid=$(systemctl show -P MainPID {unit}) -f /dev/null || true; done"
    )


async def test_what_nobody_confirms_goes_also_when_its_guard_is_killed(lab: LabHost) -> None:
    before = await looks(lab)
    own = await address(lab, "enp0s9")
    assert f"guests0 over enp0s9 is there, with {own}." in await lab.sh(f"{_CREATE} 20")
    async with watched(lab) as unit:
        assert await address(lab, "enp0s9") == ""
        assert await address(lab, "guests0") == own
        await lab.sh(f"systemctl kill --signal=KILL {unit}")
    assert await looks(lab) == before
    assert "it was not confirmed in time" in await lab.sh(f"journalctl -q -o cat -u {unit}")


async def test_what_was_confirmed_is_there_when_the_plug_was_pulled_and_nothing_else(lab: LabHost) -> None:
    own, others = await address(lab, "enp0s9"), await address(lab, "enp1s0")
    await lab.sh(f"{_CREATE} 600")
    assert "guests0 stays" in await lab.sh(f"{VMSTEAD} network confirm")
    assert "this machine has 10.55.0.1/24" in await lab.sh(
        f"{VMSTEAD} network create-nat lab0 --subnet 10.55.0.0/24"
    )
    await lab.sh(f"{VMSTEAD} network create-bridge trial0 --port enp1s0 --confirm-within 3000")
    assert await address(lab, "trial0") == others
    await lab.machine.reset()
    await lab.reconnect()
    online = "/lib/systemd/systemd-networkd-wait-online --interface=guests0 --interface=enp1s0"
    await lab.sh(f"{online} --ipv4 --timeout=120")
    assert await address(lab, "guests0") == own
    assert await address(lab, "enp1s0") == others
    assert "trial0" not in await lab.sh("ip link; ls /etc/systemd/network")
    rows = {each["name"]: each for each in json.loads(await lab.sh(f"{VMSTEAD} network list --json"))}
    assert (rows["lab0"]["state"], rows["lab0"]["addresses"]) == ("ACTIVE", ["10.55.0.1/24"])
    assert (rows["guests0"]["state"], rows["guests0"]["port"]) == ("ACTIVE", "enp0s9")


async def test_guests_get_addresses_from_them_and_keep_them_from_going(lab: LabHost) -> None:
    own = await address(lab, "guests0")
    vm = await make(
        lab,
        image("networks", type="VIRTIO", boot=True),
        {"dtype": "NIC", "type": "VIRTIO", "nic_attach": "lab0", "mac": "00:a0:98:00:00:11"},
        {"dtype": "NIC", "type": "VIRTIO", "nic_attach": "guests0", "mac": "00:a0:98:00:00:12"},
        name="networks",
        bootloader="UEFI_CSM",
    )
    await lab.fill(f"{POOL}/networks.raw")
    # A call right after the end of libvirt alone would be told that it is away.
    await lab.sh("systemctl restart libvirtd.service vmstead.service")
    await lab.call("vm.start", vm)
    with lab.console(vm) as console:
        console.log_in()
        for network in ("10.55.0.", own.rpartition(".")[0]):
            console.type(f'until ip address | grep {network}; do sleep 1; done; echo ADD""RESS')
            console.until("ADDRESS")
    leases = await lab.sh("virsh -c qemu:///system net-dhcp-leases lab0")
    (leased,) = (line.split()[4] for line in leases.splitlines() if "00:a0:98:00:00:11" in line)
    assert "1 received" in await lab.sh(f"ping -c 1 -W 20 {leased.partition('/')[0]}")
    for name in ("lab0", "guests0"):
        said = await lab.sh(f"{VMSTEAD} network delete {name} 2>&1 || true")
        assert f"{name} is what NICs of networks are attached to" in said
    await lab.call("vm.delete", vm, {"zvols": True, "force": True})
    assert await lab.sh(f"{VMSTEAD} network delete lab0") == "Deleted lab0."
    await lab.sh(f"{VMSTEAD} network delete guests0 && {VMSTEAD} network confirm")
    assert await address(lab, "enp0s9") == own
    assert "vmstead" not in await lab.sh("ls /etc/systemd/network")
