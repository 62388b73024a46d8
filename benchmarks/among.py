"""``vm.query`` for what is sought among 10,000 VMs, next to ``core.ping`` on the same connection."""

from collections.abc import Iterator

from benchmarks.pairs import Line, by_turns, seconds
from benchmarks.servers import fill, folder, vmstead
from benchmarks.wire import Wire, request

COUNT = 10_000
RUNNING = 30
TARGET, MILLISECONDS = 1.3, 15


def lines(runs: int = 40) -> Iterator[Line]:
    """By id, and by state where 30 run."""
    with folder() as place:
        fill(place / "state", COUNT)
        with vmstead(place / "state") as server, Wire(server.socket) as wire:
            for number in range(RUNNING):
                made = wire.call("vm.create", {"name": f"running{number}", "memory": 20})
                wire.call("vm.start", made["id"], {"overcommit": True})
            ping = request("core.ping")
            for name, value, target, batch in (
                ("id", COUNT // 2, f"at most {TARGET} times", 50),
                ("status.state", "RUNNING", f"at most {MILLISECONDS} ms", 5),
            ):
                query = request("vm.query", [[name, "=", value]])
                found = wire.call("vm.query", [[name, "=", value]], {"count": True})
                assert found == (1 if name == "id" else RUNNING), found

                def often(frame, batch=batch):
                    for _ in range(batch):
                        wire.exchange(frame)

                pairs = by_turns(
                    lambda query=query, often=often: seconds(lambda: often(query)),
                    lambda often=often: seconds(lambda: often(ping)),
                    runs,
                )
                ours, other = (1000 * value / batch for value in pairs.middle)
                is_met = pairs.ratio.middle <= TARGET if name == "id" else ours <= MILLISECONDS
                figure = f"{pairs.ratio.shown()}; {ours:.2f} and {other:.2f} ms"
                yield Line(
                    f"`vm.query` by `{name}` among {COUNT:,} VMs", "`core.ping`", target, figure, is_met
                )


if __name__ == "__main__":
    print(*lines(), sep="\n")
