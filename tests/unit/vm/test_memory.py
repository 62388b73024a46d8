"""Whether there is memory for one more VM."""

import asyncio
import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness import settle
from tests.unit.devices.support import Bench, workbench
from tests.unit.vm.support import make_vm, vm_values
from vmstead.errors import CallError
from vmstead.ports.engine import DomainState, PowerState
from vmstead.vm.memory import available, reserved
from vmstead.vm.model import MiB, Vm

#: Bytes of which nine tenths are 900 MiB.
GIVES_900 = 1000 * MiB


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A host with 900 MiB for VMs."""
    with workbench(tmp_path) as made:
        made.machine.available = GIVES_900
        yield made


async def guest(bench: Bench, name: str, memory: int, pid: int | None, resident: int | None = None) -> None:
    """A VM that runs, with so many MiB, of which it has touched some."""
    vms = bench.ctx.vms
    await vms.write(vms.insert({**vm_values(memory=memory), "name": name, "uuid": name}))
    if pid is not None and resident is not None:
        bench.machine.resident_bytes[pid] = resident * MiB
    bench.ctx.states.changed(name, DomainState(PowerState.RUNNING, active=True, pid=pid))


async def free(bench: Bench, *, overcommit: bool = False) -> float:
    return await available(bench.ctx, overcommit=overcommit) / MiB


async def refusal(bench: Bench, vm: Vm, **options: bool) -> CallError:
    with pytest.raises(CallError) as raised:
        async with reserved(bench.ctx, vm, overcommit=options.get("overcommit", False)):
            raise AssertionError("it was given the memory")
    return raised.value


# --- what is free -----------------------------------------------------------------------------------


async def test_what_zfs_caches_is_free_for_those_who_overcommit(bench: Bench) -> None:
    bench.machine.cache = 100 * MiB
    assert await free(bench) == 900
    assert await free(bench, overcommit=True) == 1000


async def test_a_tenth_stays_with_the_host(bench: Bench) -> None:
    assert await free(bench) == 900
    assert await free(bench, overcommit=True) == 900
    bench.machine.available = 0
    assert await free(bench) == 0


@pytest.mark.parametrize(
    ("pid", "resident", "left"),
    [
        (7, 100, 900 - 300),
        (7, 0, 900 - 400),
        # It has all that it can come to hold, and QEMU's own.
        (7, 400, 900),
        (7, 450, 900),
        # Of its process nothing is known.
        (7, None, 900 - 400),
        (None, None, 900 - 400),
    ],
)
async def test_what_a_running_guest_has_not_touched_counts_as_taken(
    bench: Bench, pid: int | None, resident: int | None, left: int
) -> None:
    await guest(bench, "a", 400, pid, resident)
    assert await free(bench) == left
    assert await free(bench, overcommit=True) == 900


async def test_all_running_guests_count_and_no_others(bench: Bench) -> None:
    await guest(bench, "a", 400, 7, 100)
    # What one has more than it was given is no credit for another.
    await guest(bench, "b", 100, 8, 300)
    await guest(bench, "c", 200, 9, 150)
    assert await free(bench) == 900 - 300 - 50
    bench.ctx.states.changed("a", DomainState(PowerState.SHUTOFF, active=False))
    assert await free(bench) == 900 - 50
    bench.ctx.states.changed("c", DomainState(PowerState.PAUSED, active=True, pid=9))
    assert await free(bench) == 900 - 50


async def test_guests_of_others_have_been_counted_by_the_host(bench: Bench) -> None:
    bench.ctx.states.changed("theirs", DomainState(PowerState.RUNNING, active=True, pid=5))
    bench.machine.resident_bytes[5] = 0
    assert await free(bench) == 900


async def test_less_than_nothing_is_nothing(bench: Bench) -> None:
    await guest(bench, "a", 2000, 7, 0)
    assert await free(bench) == 0


# --- promises ---------------------------------------------------------------------------------------


async def test_memory_is_held_during_a_start_and_given_back_after_it(bench: Bench) -> None:
    vm = make_vm(memory=500)
    async with reserved(bench.ctx, vm, overcommit=False):
        assert await free(bench) == 400
    assert await free(bench) == 900

    async def fail() -> None:
        async with reserved(bench.ctx, vm, overcommit=False):
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    assert await free(bench) == 900


@pytest.mark.parametrize("memory", [899, 900])
async def test_all_that_is_free_can_be_had(bench: Bench, memory: int) -> None:
    async with reserved(bench.ctx, make_vm(memory=memory), overcommit=False):
        assert await free(bench) == 900 - memory


async def test_more_than_that_is_refused_with_numbers_and_the_ways_out(bench: Bench) -> None:
    error = await refusal(bench, make_vm(memory=901))
    assert error.errno == errno.ENOMEM
    assert str(error) == (
        "[ENOMEM] VM 1 (web01) needs 901 MiB of memory and 900 MiB are free; "
        "stop another VM, give this one less memory, or start it with overcommit"
    )
    assert await free(bench) == 900


async def test_a_size_that_may_be_meant_in_bytes_is_pointed_out(bench: Bench) -> None:
    hint = "Memory is counted in MiB: 536870912 may have been bytes, which is 512 MiB"
    assert str(await refusal(bench, make_vm(memory=512 * MiB))).endswith(f"with overcommit. {hint}")
    # Sixteen MiB in bytes would be the least that anything boots with, and as MiB sixteen TiB.
    least = await refusal(bench, make_vm(memory=2**24))
    assert str(least).endswith("16777216 may have been bytes, which is 16 MiB")
    smaller = await refusal(bench, make_vm(memory=2**24 - 1))
    assert str(smaller).endswith("with overcommit")


async def test_a_guest_that_can_give_memory_back_needs_only_the_least_of_it(bench: Bench) -> None:
    async with reserved(bench.ctx, make_vm(memory=2000, min_memory=600), overcommit=False):
        assert await free(bench) == 300
    error = await refusal(bench, make_vm(memory=2000, min_memory=901))
    assert "needs 901 MiB of memory" in str(error)


async def test_whoever_overcommits_is_given_it_and_others_are_told(bench: Bench) -> None:
    async with reserved(bench.ctx, make_vm(memory=5000), overcommit=True):
        assert await free(bench) == 0
        assert await free(bench, overcommit=True) == 900
        other = Vm.of({"id": 2, **vm_values(memory=20)})
        assert "and 0 MiB are free" in str(await refusal(bench, other))
    assert await free(bench) == 900


async def test_of_two_starts_one_is_promised_the_last_of_it(bench: Bench) -> None:
    go_on = asyncio.Event()

    async def start(number: int) -> str:
        vm = Vm.of({"id": number, **vm_values(memory=500)})
        async with reserved(bench.ctx, vm, overcommit=False):
            await go_on.wait()
        return "started"

    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(start(number)) for number in (1, 2)]
    for _ in range(20):
        await settle()
    assert [task.done() for task in tasks].count(True) == 1
    go_on.set()
    results: list[Any] = await asyncio.gather(*tasks, return_exceptions=True)
    assert sorted(str(result).partition(" ")[0] for result in results) == ["[ENOMEM]", "started"]
