"""A host that is what it is told to be."""

from pathlib import Path

import pytest

from vmstead.adapters.fake_host import FakeHost
from vmstead.ports.host import Host, Interface, Memory


async def test_untold_it_is_a_machine_on_which_vms_can_start() -> None:
    host: Host = FakeHost()
    memory = await host.memory()
    assert memory.total > memory.available > 2**30
    assert await host.cpus() > 1
    assert {"OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"} <= await host.firmware()
    assert await host.interfaces() == {}
    assert await host.default_interface() is None
    assert await host.listening_ports() == frozenset()
    assert await host.resident({"a": 1}) == {}
    assert await host.unreachable_for("libvirt-qemu", Path("/srv/tank")) is None


async def test_every_value_can_be_changed_at_any_time() -> None:
    host = FakeHost()
    eth0 = Interface("eth0")
    host.total, host.available = 8, 4
    host.boot, host.processors = "second", 3
    host.network["eth0"], host.default_route = eth0, "eth0"
    host.ports.add(5900)
    host.images = {"OVMF_CODE.fd"}
    assert await host.memory() == Memory(8, 4)
    assert (await host.boot_id(), await host.cpus()) == ("second", 3)
    assert (await host.interfaces(), await host.default_interface()) == ({"eth0": eth0}, "eth0")
    assert await host.listening_ports() == {5900}
    assert await host.firmware() == {"OVMF_CODE.fd"}


async def test_an_answer_stays_what_it_was() -> None:
    host = FakeHost()
    before = (await host.interfaces(), await host.listening_ports(), await host.firmware())
    host.network["eth0"] = Interface("eth0")
    host.ports.add(5900)
    host.images.clear()
    assert [len(answer) for answer in before] == [0, 0, len(FakeHost().images)]


async def test_two_hosts_share_nothing() -> None:
    first, second = FakeHost(), FakeHost()
    first.ports.add(5900)
    first.images.clear()
    first.resident_bytes[7] = 1
    assert second == FakeHost()


async def test_processes_are_told_by_the_key_they_were_asked_with_and_gone_ones_left_out() -> None:
    host = FakeHost(resident_bytes={7: 100, 8: 0})
    assert await host.resident({"a": 7, "b": 8, "c": 9}) == {"a": 100, "b": 0}


@pytest.mark.parametrize(
    ("user", "path", "is_closed"),
    [
        ("libvirt-qemu", "/root/state/pools", True),
        ("libvirt-qemu", "/root", True),
        ("libvirt-qemu", "/srv/tank", False),
        ("libvirt-qemu", "/rooted/tank", False),
        ("root", "/root/state/pools", False),
    ],
)
async def test_a_barrier_is_in_the_way_of_what_lies_behind_it(user: str, path: str, is_closed: bool) -> None:
    host = FakeHost(barrier=Path("/root"))
    assert await host.unreachable_for(user, Path(path)) == (Path("/root") if is_closed else None)
