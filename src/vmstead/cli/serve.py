"""``vmstead serve``."""

import asyncio
import resource
import signal
from pathlib import Path

import click

from vmstead.cli.options import read_settings, settings_options

#: More than a server has connections and guests; some systems have no limit of their own.
_DESCRIPTORS = 65536


@click.command()
@settings_options()
@click.option("--demo", is_flag=True, help="Also make and start a small Linux guest to look at.")
def serve(config_file: Path | None, demo: bool, **given: object) -> None:
    """Run the server until it is told to stop; guests go on without it.

    Every option is also a key of the settings file and, in capitals after VMSTEAD_, a variable of the
    environment: --log-format json, log_format = "json", VMSTEAD_LOG_FORMAT=json.
    """
    config = read_settings(given, config_file).config

    # Late, because these are large and a mistake in the settings should be told at once.
    from vmstead import __version__
    from vmstead.adapters.service_manager import notify
    from vmstead.app import StartupError, running
    from vmstead.log import configure

    configure(config.log_format)
    _allow_many_connections()

    async def run() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        async with running(config) as server:
            click.echo(f"vmstead {__version__} is ready: {'  '.join(server.addresses)}")
            notify("READY=1")
            if demo:
                from vmstead.cli.demo import show_demo

                await asyncio.to_thread(show_demo, config)
            await stop.wait()
            notify("STOPPING=1")

    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(run())
    except StartupError as error:
        raise click.ClickException(str(error)) from None


def _allow_many_connections() -> None:
    """Take as many file descriptors as may be had: each connection is one, and programs start with 1024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if most == resource.RLIM_INFINITY else min(_DESCRIPTORS, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def _loop_factory() -> "type[asyncio.AbstractEventLoop] | None":
    """uvloop where it is installed: the same, faster."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.Loop
