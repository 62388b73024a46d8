"""Tasks of the server's own: kept, logged, ended."""

import asyncio

from structlog.testing import capture_logs

from tests.harness import settle
from vmstead.kernel.tasks import Tasks


async def test_an_exception_is_logged_with_the_task_that_raised_it() -> None:
    tasks = Tasks()

    async def fail() -> None:
        raise LookupError("what is the matter")

    with capture_logs() as lines:
        task = tasks.start(fail(), name="call vm.start")
        await asyncio.wait([task])
        await settle()
    assert [(line["event"], line["task"], str(line["exc_info"])) for line in lines] == [
        ("task failed unexpectedly", "call vm.start", "what is the matter")
    ]


async def test_closing_lets_tasks_end_by_themselves() -> None:
    tasks = Tasks()
    ended: list[str] = []

    async def work() -> None:
        await settle()
        ended.append("by itself")

    tasks.start(work(), name="a")
    await tasks.close(patience=60)
    assert ended == ["by itself"]


async def test_closing_cancels_what_does_not_end_and_waits_until_it_has_wound_itself_up() -> None:
    tasks = Tasks()
    ended: list[str] = []

    async def stubborn() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await settle()
            ended.append("wound up")

    for number in range(3):
        tasks.start(stubborn(), name=str(number))
    await tasks.close(patience=0)
    assert ended == ["wound up"] * 3


async def test_closing_ends_what_is_started_meanwhile() -> None:
    tasks = Tasks()
    ended: list[str] = []

    async def child() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            ended.append("child")

    async def parent() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            tasks.start(child(), name="child")
            await settle()

    tasks.start(parent(), name="parent")
    await tasks.close(patience=0)
    assert ended == ["child"]


async def test_closing_without_tasks_returns_at_once() -> None:
    await Tasks().close(patience=60)


async def test_a_task_lives_without_anybody_else_holding_it() -> None:
    tasks = Tasks()
    ended = asyncio.Event()

    async def work() -> None:
        ended.set()

    tasks.start(work(), name="a")
    await ended.wait()
    await settle()
    assert tasks._tasks == set()


async def test_a_task_that_has_begun_elsewhere_is_kept_like_its_own() -> None:
    tasks = Tasks()
    ended: list[str] = []

    async def work() -> None:
        await settle()
        ended.append("by itself")
        raise LookupError

    task = asyncio.get_running_loop().create_task(work())
    tasks.keep(task, name="a call")
    with capture_logs() as lines:
        await tasks.close(patience=60)
        await settle()
    assert ended == ["by itself"]
    assert [line["task"] for line in lines] == ["a call"]
