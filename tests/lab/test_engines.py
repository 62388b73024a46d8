"""Every way to libvirt on a real host: guests have KVM, root's in the hardened service, and outlive the server."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.guest.test_matrix import image, make
from tests.lab.host import TOP, LabHost, echoes

#: Somebody who may use KVM and nothing else.
PREPARE = """
id keeper 2>/dev/null || useradd --create-home --groups kvm keeper
loginctl enable-linger keeper
"""
_UNIT = "/run/systemd/system/engine.service"


@asynccontextmanager
async def served(lab: LabHost, engine: str, user: str) -> AsyncIterator[tuple[LabHost, str]]:
    """Another server on the host, with the unit of the first but for its engine and its user; its own folder."""
    home = await lab.sh(f"eval echo ~{user}")
    folder = f"{home}/engine"
    await lab.sh(f"install -d -m 711 -o {user} {folder} && chmod o+x {home} && : >{folder}/settings")
    serve = f"serve --config {folder}/settings --engine {engine} --state {folder}/state"
    # What systemd keeps from the server of an ordinary user, AppArmor takes for a reason to start no guests.
    hardened = (
        ""
        if user == "root"
        else r" -e '/^\(NoNew\|Capability\|Protect\|Private\|Restrict\|Lock\|SystemCall\)/d'"
    )
    await lab.sh(
        f"sed -e 's|^ExecStart=.*|ExecStart={TOP}/.venv/bin/vmstead {serve} --socket {folder}/api --listen none|'"
        r" -e '/^\(Runtime\|State\|Cache\|Configuration\)Directory/d'"
        rf" -e 's|^Type=notify|&\nUser={user}\nEnvironment=XDG_RUNTIME_DIR=/run/user/'$(id -u {user})'|'"
        f"{hardened} /etc/systemd/system/vmstead.service >{_UNIT}; systemctl daemon-reload; systemctl start engine"
    )
    local = lab.machine.folder / "engine"
    await lab.machine.forward(local, f"{folder}/api")
    try:
        yield LabHost(local, lab.machine), f"{folder}/state"
    finally:
        await lab.sh(f"systemctl stop engine; rm -r {_UNIT} {folder}; systemctl daemon-reload")


@pytest.mark.parametrize(
    ("engine", "user"),
    [
        ("qemu:///system", "root"),
        ("private", "root"),
        ("qemu:///embed", "root"),
        ("qemu:///session", "keeper"),
        ("qemu:///embed", "keeper"),
    ],
)
async def test_a_guest_has_kvm_and_outlives_the_server(lab: LabHost, engine: str, user: str) -> None:
    async with served(lab, engine, user) as (host, state):
        # The end of such a NIC is what an embedded driver has to be prepared for.
        card = {"dtype": "NIC", "type": "VIRTIO", "nic_attach": "enp1s0" if user == "root" else "user"}
        vm = await make(host, image("boot", type="VIRTIO", boot=True), card, bootloader="UEFI_CSM")
        await host.fill_small(f"{state}/pools/default/boot.raw")
        await host.call("vm.start", vm)
        with host.console(vm) as console:
            echoes(console, "awake")
        assert await host.call("vm.virtualization_details") == {"supported": True, "error": None}
        pid = (await host.status(vm))["pid"]
        assert "-accel kvm" in await lab.sh(f"tr '\\0' ' ' </proc/{pid}/cmdline")
        assert await lab.sh(f"stat -c %U /proc/{pid}") != "root"
        await lab.sh("systemctl kill --kill-whom=main --signal=KILL engine; systemctl restart engine")
        assert await host.status(vm) == {"state": "RUNNING", "pid": pid, "domain_state": "RUNNING"}
        with host.console(vm) as console:
            echoes(console, "still here")
        server = await lab.sh("systemctl show -P MainPID engine")
        await host.call("vm.poweroff", vm)
        await host.call("vm.delete", vm, {"zvols": True, "force": True})
        assert await lab.sh("systemctl show -P MainPID engine") == server
    assert "LCK" not in await lab.sh("ls /var/lock")


async def test_the_driver_within_the_server_does_what_every_engine_does(lab: LabHost) -> None:
    some = "Embedded and (console or goes_on or user_of_their_own)"
    command = f".venv/bin/python -m pytest -q -p no:cacheprovider -k '{some}' tests/contract/test_engines.py"
    told = await lab.machine.ssh(f"cd {TOP} && {command} 2>&1 | tail -100", timeout=1500)
    assert re.search(r"^\d passed, \d+ deselected", told, re.MULTILINE), told
