"""The server as a service of a real host: what a crash, a restart and the host's own end do to guests."""

import re
from typing import Any

from tests.guest.test_matrix import image, make
from tests.lab.host import TOP, LabHost, echoes, on_the_disk

POOL = "/var/lib/vmstead/pools/default"


async def guest(lab: LabHost, name: str, *, is_deaf: bool = False, **fields: Any) -> int:
    """The smallest guest, on a file. One that is deaf takes no notice of the power button."""
    vm = await make(lab, image(name, type="VIRTIO", boot=True), name=name, bootloader="UEFI_CSM", **fields)
    await lab.fill_small(f"{POOL}/{name}.raw", is_deaf=is_deaf)
    return vm


async def started(lab: LabHost, vm: int) -> int:
    """Start it and wait until it answers; its process."""
    await lab.call("vm.start", vm)
    with lab.console(vm) as console:
        echoes(console, "awake")
    return int((await lab.status(vm))["pid"])


async def test_the_host_is_ready(lab: LabHost) -> None:
    assert "This machine can run VMs." in await lab.sh(f"{TOP}/.venv/bin/vmstead doctor")
    assert await lab.call("vm.virtualization_details") == {"supported": True, "error": None}
    assert (await lab.call("vm.flags"))["amd_rvi"] is True
    models = (await lab.sh("virsh -c qemu:///system cpu-models x86_64")).split()
    assert sorted(await lab.call("vm.cpu_model_choices")) == sorted(models)
    most = await lab.sh(
        "virsh -c qemu:///system domcapabilities | sed -n \"s/.*<vcpu max='\\(.*\\)'.*/\\1/p\""
    )
    assert await lab.call("vm.maximum_supported_vcpus") == int(most)


async def test_the_service_is_confined(lab: LabHost) -> None:
    told = await lab.sh("systemd-analyze security --no-pager vmstead.service | tail -1")
    found = re.search(r"exposure level for vmstead\.service: ([\d.]+)", told)
    assert found is not None, told
    assert float(found[1]) <= 5.0


async def test_memory_comes_from_huge_pages_where_there_are_any(lab: LabHost) -> None:
    pages = "/sys/kernel/mm/hugepages/hugepages-2048kB"
    vm = await guest(lab, "huge", hugepages="2M")
    assert "needs 128 huge pages of 2M and 0 are free" in await lab.failure("vm.start", vm)
    assert await lab.sh(f"echo 160 >{pages}/nr_hugepages; cat {pages}/free_hugepages") == "160"
    await started(lab, vm)
    assert await lab.sh(f"cat {pages}/free_hugepages") == "32"
    await lab.call("vm.poweroff", vm)
    assert await lab.sh(f"cat {pages}/free_hugepages; echo 0 >{pages}/nr_hugepages") == "160"


async def test_guests_survive_the_end_of_the_server_and_of_libvirt(lab: LabHost) -> None:
    vm = await guest(lab, "survivor")
    pid = await started(lab, vm)
    await lab.sh("systemctl kill --signal=KILL vmstead.service")
    await lab.sh("systemctl start vmstead.service")  # waits until it answers
    assert await lab.status(vm) == {"state": "RUNNING", "pid": pid, "domain_state": "RUNNING"}
    await lab.sh("systemctl kill --signal=KILL libvirtd.service; systemctl start libvirtd.service")
    await lab.sh(f"systemctl restart vmstead.service; test -d /proc/{pid}")
    assert (await lab.status(vm))["pid"] == pid
    with lab.console(vm) as console:
        echoes(console, "still here")
    await lab.call("vm.poweroff", vm)


async def test_the_hosts_end_stops_guests_side_by_side_and_its_start_brings_them_back(lab: LabHost) -> None:
    timeout = 40
    obedient = await guest(lab, "obedient", autostart=True, shutdown_timeout=90)
    await lab.fill(f"{POOL}/obedient.raw")
    stubborn = await guest(lab, "stubborn", is_deaf=True, autostart=True, shutdown_timeout=timeout)
    manual = await guest(lab, "manual", autostart=False, shutdown_timeout=90)
    for vm in (stubborn, manual):
        await started(lab, vm)
    await lab.call("vm.start", obedient)
    with lab.console(obedient) as console:
        console.log_in()
        on_the_disk(console, "echo precious >/d/kept")
    seconds = await lab.machine.reboot()
    await lab.reconnect()
    log = await lab.sh(
        "journalctl -b -1 -o short-monotonic -u vmstead-guests -u vmstead --no-pager | tail -40"
    )
    assert "Stopped vmstead-guests.service" in log, log
    assert timeout <= seconds < timeout + 90, log
    lab.come_up(obedient, stubborn)
    assert (await lab.status(manual))["state"] == "STOPPED"
    with lab.console(stubborn) as console:
        echoes(console, "back")
    with lab.console(obedient) as console:
        console.log_in()
        assert "precious" in on_the_disk(console, "cat /d/kept")
