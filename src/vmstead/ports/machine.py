"""What the machine is and how it does: names, hardware, load, services, and its power."""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Machine:
    """What rarely changes. Texts are empty and values None where the machine does not tell.

    Attributes:
        hostname: the machine's own name; some have their domain in it.
        id: what no other machine has; it outlives reinstalled programs, not a reinstalled system.
        processor: its model, in its maker's words.
        cores: processor cores; each may run several threads.
        manufacturer, product, product_version, serial: what the firmware says of the machine.
        has_ecc: its memory corrects errors, as far as the firmware tells.
        timezone: a name of the tz database.
        keymap: layout of the keyboard at its console.
        motd: what people read after they have logged in at its console.
        kernel_options: the command line of the kernel that runs.
        has_crash_kernel: a crash of the kernel would leave a dump.
    """

    hostname: str
    id: str | None = None
    processor: str = ""
    cores: int = 1
    manufacturer: str | None = None
    product: str | None = None
    product_version: str | None = None
    serial: str | None = None
    has_ecc: bool = False
    timezone: str = "UTC"
    keymap: str = ""
    motd: str = ""
    kernel_options: str = ""
    has_crash_kernel: bool = False


@dataclass(frozen=True, slots=True)
class TimeServer:
    """A server that the machine is told to set its clock by. Intervals are powers of two, in seconds."""

    address: str
    burst: bool = False
    iburst: bool = False
    prefer: bool = False
    minpoll: int = 6
    maxpoll: int = 10


class RunState(enum.Enum):
    """Whether the machine is on its way up or down."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class ServiceState:
    """A service of the machine.

    Attributes:
        runs: it does now, or would as soon as somebody asks for it (a socket of systemd's is open).
        starts: it is started with the machine, or when somebody asks for it.
        pids: its processes.
    """

    runs: bool = False
    starts: bool = False
    pids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ServiceNames:
    """How a service is found.

    Attributes:
        units: what systemd may call it, the usual name first.
        programs: what its processes may be called.
    """

    units: tuple[str, ...]
    programs: tuple[str, ...]


class MachineFacts(Protocol):
    """The machine itself, read when asked. Errors of the operating system come through as ``OSError``."""

    async def machine(self) -> Machine:
        """What rarely changes."""

    async def uptime(self) -> float:
        """Seconds since the machine was started."""

    async def load(self) -> tuple[float, float, float]:
        """Processes that run or wait to run, as averages over 1, 5 and 15 minutes."""

    async def time_servers(self) -> Sequence[TimeServer]:
        """Servers that its clock is set by, as they are configured."""

    async def run_state(self) -> RunState:
        """Whether it is on its way up or down."""

    async def services(self, wanted: Mapping[str, ServiceNames]) -> Mapping[str, ServiceState]:
        """How each of these services does, by the key it was asked with."""

    async def power(self, *, restart: bool) -> None:
        """Shut the machine down, and with ``restart`` start it anew. Returns when that has begun."""
