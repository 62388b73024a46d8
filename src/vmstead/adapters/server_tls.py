"""What connections are encrypted with: a certificate that was given, or one that the server makes for itself."""

import asyncio
import datetime as dt
import ssl
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import structlog

from vmstead.kernel.clock import Clock, Timer
from vmstead.kernel.tasks import Tasks

log = structlog.get_logger()

#: Seconds between two looks at whether there is a newer certificate, or a new one is due.
_INTERVAL = 3600.0


class TlsError(Exception):
    """The certificate cannot be used. The text says why."""


class ServerTls:
    """A context for listeners whose certificate is kept fresh: connections that are made later get the newer one.

    Args:
        file: certificate (PEM), followed by those that signed it.
        key: key of the certificate; None: in the same file.
        names: names and addresses of this machine, for a certificate that the server makes and renews itself;
            None: the file is somebody else's, and only read.
    """

    def __init__(
        self,
        file: Path,
        key: Path | None = None,
        *,
        names: Callable[[], Awaitable[Sequence[str]]] | None = None,
    ) -> None:
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.set_alpn_protocols(["http/1.1"])
        self._file = file
        self._key = key
        self._names = names
        self._loaded: object = None
        self._timer: Timer | None = None

    async def refresh(self, now: float) -> None:
        """Renew the server's own certificate if it is time, and take over what is new. ``now``: seconds since 1970.

        Raises:
            TlsError: there is none that can be used.
        """
        try:
            if self._names is not None:
                await self._renew(dt.datetime.fromtimestamp(now, dt.UTC), self._names)
            # Here and not on a thread: a context must not change while another thread works with it.
            self._load()
        except (OSError, ssl.SSLError) as error:
            text = getattr(error, "strerror", None) or error
            raise TlsError(f"the certificate {self._file} cannot be used: {text}") from error

    def keep_fresh(self, clock: Clock, tasks: Tasks) -> None:
        """Refresh from time to time, until ``close``."""

        def due() -> None:
            tasks.start(self._try(clock.now()), name="a look at the certificate")
            self.keep_fresh(clock, tasks)

        self._timer = clock.call_later(_INTERVAL, due)

    def close(self) -> None:
        """Leave the certificate as it is from now on."""
        if self._timer is not None:
            self._timer.cancel()

    async def _try(self, now: float) -> None:
        try:
            await self.refresh(now)
        except TlsError as error:
            # Connections go on with the one that was good before.
            log.warning("the certificate was not renewed", reason=str(error))

    async def _renew(self, now: dt.datetime, names: Callable[[], Awaitable[Sequence[str]]]) -> None:
        # A large library, and only servers that make their own certificate need it.
        from vmstead.adapters import own_certificate

        if await asyncio.to_thread(own_certificate.is_good, self._file, now):
            return
        wanted = await names()
        await asyncio.to_thread(own_certificate.make, self._file, wanted, now)
        log.info("a certificate was made", file=str(self._file), names=[*wanted])

    def _load(self) -> None:
        files = [path for path in (self._file, self._key) if path is not None]
        state = [(status.st_ino, status.st_mtime_ns) for status in (path.stat() for path in files)]
        if state == self._loaded:
            return
        # Without a password, an encrypted key would have the server ask for one at its terminal.
        self.context.load_cert_chain(self._file, self._key, password="")
        self._loaded = state
