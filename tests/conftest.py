"""Asynchronous tests run in a loop of their own; nothing else is shared by all tests."""

import asyncio
import inspect

import pytest
import structlog


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine function as a test."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    with asyncio.Runner() as runner:
        runner.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


@pytest.fixture(autouse=True)
def quiet() -> None:
    """Log lines of servers in tests go nowhere."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
