"""What the machine and its guests use: read while somebody wants to know, and kept for a while."""

import asyncio
from collections.abc import Callable

from vmstead.kernel.clock import Clock
from vmstead.kernel.history import History
from vmstead.kernel.meter import Meter
from vmstead.kernel.readings import Reading, Readings
from vmstead.kernel.states import States
from vmstead.kernel.tasks import Tasks
from vmstead.ports.engine import Engine
from vmstead.ports.host import Host
from vmstead.ports.pools import Pools


class Measuring:
    """The parts that belong together.

    Attributes:
        history: the last ``seconds``, with one point every ten of them.
    """

    def __init__(
        self,
        clock: Clock,
        tasks: Tasks,
        states: States,
        engine: Engine,
        host: Host,
        pools: Pools,
        seconds: int,
    ) -> None:
        self._readings = Readings(clock, states, engine, host, pools)
        self._tasks = tasks
        self._asked: asyncio.Future[Reading] | None = None
        self._meter = Meter(clock, tasks, self._readings.take)
        self.history = History(self._meter, seconds, lambda: bool(states.active()))

    def watch(
        self, interval: float, receive: Callable[[Reading, Reading], None], *, pools: bool = False
    ) -> Callable[[], None]:
        """Call back every ``interval`` seconds with the reading before and the new one, until told to stop.

        With ``pools``, which take longer, they are in the readings too.
        """
        # Before the first reading, which watching begins.
        stops = [self._readings.want_pools()] if pools else []
        stops.append(self._meter.watch(interval, receive))

        def stop() -> None:
            while stops:
                stops.pop()()

        return stop

    async def now(self) -> Reading:
        """One reading for who asks now, pools and all. Who asks meanwhile gets the same one."""
        if self._asked is None:
            self._asked = asyncio.get_running_loop().create_future()
            self._tasks.start(self._take_for(self._asked), name="reading counters for somebody")
        return await asyncio.shield(self._asked)

    async def _take_for(self, asked: "asyncio.Future[Reading]") -> None:
        stop = self._readings.want_pools()
        try:
            asked.set_result(await self._readings.take())
        finally:
            stop()
            asked.cancel()
            self._asked = None

    def check(self) -> None:
        """Guests have begun or ended."""
        self._meter.check()

    def close(self) -> None:
        """Begin no further reading."""
        self._meter.close()
