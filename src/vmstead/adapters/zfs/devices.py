"""The block devices of volumes: udev links them into ``/dev/zvol``, some time after ZFS has made the volume."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from vmstead.adapters.zfs.programs import ZfsHost
from vmstead.kernel.run import CommandError
from vmstead.ports.volumes import VolumeError, VolumeErrorKind

#: Seconds that udev gets.
_PATIENCE = 30.0
_MONITOR = ["udevadm", "monitor", "--udev", "--subsystem-match=block"]


class Devices:
    """Where the devices are, and when."""

    def __init__(self, host: ZfsHost, patience: float = _PATIENCE) -> None:
        self._host = host
        self._patience = patience

    def path(self, dataset: str) -> Path:
        """Where the device of a volume is linked; blanks become ``+`` there."""
        return self._host.devices / dataset.replace(" ", "+")

    async def appear(self, dataset: str) -> None:
        """Wait until the device of a volume is there. Raises VolumeError, FAILED, when it does not come."""
        path = self.path(dataset)
        if not await self._until(lambda: self._host.is_device_of(path, dataset)):
            text = f"the device {path} has not appeared within {self._patience:g} seconds; is udev running?"
            raise VolumeError(VolumeErrorKind.FAILED, text)

    async def vanish(self, dataset: str) -> None:
        """Wait until the device of a volume that was destroyed is gone, or udev's time is over."""
        path = self.path(dataset)
        await self._until(lambda: not path.is_symlink())

    async def settle(self) -> None:
        """Wait until udev has looked at all that has happened: it opens what others have just closed."""
        try:
            await self._host.run(
                ["udevadm", "settle", f"--timeout={self._patience:g}"], timeout=self._patience
            )
        except CommandError:
            return  # whoever waits finds out whether it helped

    async def _until(self, holds: Callable[[], bool]) -> bool:
        """Wait for a condition, looking again after each of udev's events; whether it holds."""
        if await asyncio.to_thread(holds):
            return True
        happened = asyncio.Event()
        # It writes a line when it begins to listen, and one for each event, when the links are made.
        listening = self._host.run(_MONITOR, timeout=self._patience, on_line=lambda _: happened.set())
        monitor = asyncio.ensure_future(listening)
        monitor.add_done_callback(lambda _: happened.set())
        try:
            while not (held := await asyncio.to_thread(holds)) and not monitor.done():
                await happened.wait()
                happened.clear()
            return held
        finally:
            monitor.cancel()
            await asyncio.gather(monitor, return_exceptions=True)
