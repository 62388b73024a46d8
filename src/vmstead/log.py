"""Logging: one line an event, for people on a terminal and as JSON for machines."""

import logging
import sys

import structlog

from vmstead import calls


def configure(format: str = "auto") -> None:
    """Set up logging to standard error. ``auto`` is text on a terminal and JSON elsewhere."""
    is_text = format == "text" or (format == "auto" and sys.stderr.isatty())
    # A terminal's renderer shows exceptions by itself.
    renderers: list[structlog.typing.Processor] = (
        [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                # The default shows variables where the package rich happens to be: passwords would be among them.
                exception_formatter=structlog.dev.plain_traceback,
            )
        ]
        if is_text
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            with_call,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            *renderers,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    # Libraries log through the standard module; only what is wrong there is of interest.
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s"
    )


def with_call(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Say in which call something happened."""
    id = calls.current_id()
    return event if id is None else {**event, "call": id}
