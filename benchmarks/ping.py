"""``core.ping`` next to the least that could answer it: a bare aiohttp that echoes JSON."""

from collections.abc import Iterator
from contextlib import ExitStack

from benchmarks.pairs import Line, by_turns
from benchmarks.servers import folder, process, vmstead
from benchmarks.wire import Wire, rate, request

TARGET = 0.75


def lines(runs: int = 12, duration: float = 0.5) -> Iterator[Line]:
    """With one connection, and with 32."""
    ping = request("core.ping")
    with ExitStack() as stack:
        place = stack.enter_context(folder())
        server = stack.enter_context(vmstead(place / "state"))
        echo = f"{place}/echo.sock"
        stack.enter_context(process("benchmarks.echo", echo))
        for count in (1, 32):
            mine = [stack.enter_context(Wire(server.socket)) for _ in range(count)]
            theirs = [stack.enter_context(Wire(echo)) for _ in range(count)]
            pairs = by_turns(
                lambda mine=mine: rate(mine, ping, duration),
                lambda theirs=theirs: rate(theirs, ping, duration),
                runs,
            )
            ours, other = pairs.middle
            yield Line(
                f"`core.ping` calls a second, {count} connection{'s' if count > 1 else ''}",
                "a bare aiohttp JSON echo",
                f"at least {TARGET}",
                f"{pairs.ratio.shown()}; {ours:.0f} and {other:.0f} calls/s",
                pairs.ratio.middle >= TARGET,
            )


if __name__ == "__main__":
    print(*lines(), sep="\n")
