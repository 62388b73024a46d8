"""From libvirt's own callback to the socket of a subscriber, and to the last of 200."""

import queue
import selectors
import time
from collections.abc import Iterator
from contextlib import ExitStack

import libvirt
import msgspec

from benchmarks.pairs import Line, Spread
from benchmarks.servers import Running, folder, vmstead
from benchmarks.wire import Wire, request
from vmstead.adapters.libvirt_engine.binding import start_event_loop

TARGETS = {1: 5, 200: 20}


def delays(server: Running, subscribers: int, runs: int) -> list[float]:
    """Milliseconds from the callback to the frame at the last subscriber; a guest is paused and resumed."""
    heard: queue.SimpleQueue[float] = queue.SimpleQueue()
    found = []
    with ExitStack() as stack:
        host = server.libvirt()
        stack.callback(host.close)
        guest = next(each for each in host.listAllDomains() if each.ID() >= 0)
        host.domainEventRegisterAny(
            guest, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, lambda *_: heard.put(time.perf_counter()), None
        )
        selector = stack.enter_context(selectors.DefaultSelector())
        for _ in range(subscribers):
            wire = stack.enter_context(Wire(server.socket))
            wire.exchange(request("core.subscribe", "vm.query"))
            selector.register(wire.socket, selectors.EVENT_READ, wire)
        for number in range(runs):
            guest.resume() if number % 2 else guest.suspend()
            left = subscribers
            while left:
                for key, _ in selector.select():
                    update = msgspec.json.decode(key.data.frame())
                    assert update["method"] == "collection_update", update
                    left -= 1
            arrived = time.perf_counter()
            found.append(1000 * (arrived - heard.get(timeout=10)))
    return found[2:]


def lines(runs: int = 42) -> Iterator[Line]:
    """With one subscriber, and with 200."""
    start_event_loop()
    with folder() as place, vmstead(place / "state", "private") as server, Wire(server.socket) as wire:
        made = wire.call("vm.create", {"name": "guest", "memory": 32, "ensure_display_device": False})
        wire.call("vm.start", made["id"], {"overcommit": True})
        try:
            for count, target in TARGETS.items():
                late = Spread.of(delays(server, count, runs))
                yield Line(
                    f"libvirt event to {count} subscriber{'s' if count > 1 else ''}",
                    "the raw callback",
                    f"under {target} ms more",
                    late.shown(" ms"),
                    late.middle < target,
                )
        finally:
            wire.call("vm.poweroff", made["id"])


if __name__ == "__main__":
    print(*lines(), sep="\n")
