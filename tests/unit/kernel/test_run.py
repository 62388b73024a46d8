"""Running programs: what they are given, what they leave, and that they end."""

import asyncio
import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from vmstead.kernel.run import CommandError, run

#: The standard event loop and, where it is installed, the faster one.
LOOPS: list[Callable[[], asyncio.AbstractEventLoop]] = [asyncio.new_event_loop]
with contextlib.suppress(ImportError):
    import uvloop

    LOOPS.append(uvloop.Loop)

#: Seconds that nothing here may take.
PATIENCE = 5


async def failure(*argv: str, timeout: float = 600) -> CommandError:
    with pytest.raises(CommandError) as raised:
        await run(argv, timeout=timeout)
    assert raised.value.argv == list(argv)
    return raised.value


async def test_the_result_is_what_was_written_to_standard_output() -> None:
    assert await run(["sh", "-c", "printf 'a\\0b'; echo noise >&2"]) == b"a\0b"


async def test_arguments_are_never_a_shell_line() -> None:
    assert await run(["printf", "%s", "$HOME; `id` > x"]) == b"$HOME; `id` > x"


async def test_a_program_reads_what_it_is_given() -> None:
    big = bytes(range(256)) * 4000
    assert await run(["cat"], stdin=big) == big
    assert await run(["cat"]) == b""
    # One that does not read must not make writing to it fail.
    assert await run(["true"], stdin=big) == b""


async def test_a_program_gets_the_files_that_it_is_given_and_no_others(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    given, kept = (os.open(tmp_path / "file", os.O_RDONLY) for _ in range(2))
    try:
        assert await run(["cat", f"/proc/self/fd/{given}"], files=[given]) == b"content"
        with pytest.raises(CommandError):
            await run(["cat", f"/proc/self/fd/{kept}"], files=[given])
    finally:
        os.close(given)
        os.close(kept)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_program_that_ends_at_once_is_as_good_as_any_other(
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    async def often() -> None:
        for stdin in (b"", b"x" * 100_000):
            assert [await run(["true"], stdin=stdin) for _ in range(50)] == [b""] * 50
        assert await run(["cat"], stdin=b"x" * 100_000) == b"x" * 100_000

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(often())


async def test_texts_are_english_and_variables_are_added_to_our_own() -> None:
    lines = (await run(["env"], env={"EXTRA": "1"})).decode().splitlines()
    assert {"LC_ALL=C", "EXTRA=1", f"PATH={os.environ['PATH']}"} <= {*lines}
    assert b"LC_ALL=xx" in await run(["env"], env={"LC_ALL": "xx"})


@pytest.mark.parametrize(
    ("script", "status", "output"),
    [
        ("echo to out; echo to err >&2; exit 3", 3, "to err\n"),
        ("echo to out; exit 1", 1, "to out\n"),
        ("printf '\\377' >&2; exit 1", 1, "\ufffd"),
        ("kill -TERM $$", -15, ""),
    ],
)
async def test_a_failure_tells_status_and_output(script: str, status: int, output: str) -> None:
    error = await failure("sh", "-c", script)
    assert (error.status, error.output) == (status, output)
    assert str(error) == f"sh ended with status {status}: {output.strip()}"


async def test_the_end_of_a_long_output_goes_into_the_text_and_all_of_it_into_the_error() -> None:
    error = await failure(sys.executable, "-c", "print('x' * 100_000 + 'the end'); raise SystemExit(1)")
    assert len(error.output) == 100_008
    assert len(str(error)) < 2100
    assert str(error).endswith("the end")


@pytest.mark.parametrize("program", ["/nonexistent/program", "/etc/passwd", "/"])
async def test_a_program_that_cannot_be_started_is_a_failure_like_any_other(program: str) -> None:
    error = await failure(program, "x")
    assert error.status == 127
    assert str(error).startswith(f"{program} ended with status 127: ")


@pytest.mark.parametrize("argument", ["a\0b", "a\ud800b"])
async def test_an_argument_that_no_program_can_be_given_is_a_failure_too(argument: str) -> None:
    assert (await failure("echo", argument)).status == 127


async def test_lines_are_told_as_they_come_and_carriage_returns_end_them_too(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    told: list[str] = []

    def on_line(line: str) -> None:
        told.append(line)
        if line == "half":
            # The program goes on only now: it was not told of after its end.
            fifo.write_text("go")

    script = "printf 'none\\rhalf\\r'; cat \"$0\" >&2; printf '\\377\\n\\nlast'"
    output = await run(["sh", "-c", script, str(fifo)], on_line=on_line)
    assert output == b"none\rhalf\r\xff\n\nlast"
    assert told == ["none", "half", "\ufffd", "", "last"]


async def test_a_program_whose_lines_are_told_is_otherwise_as_any_other() -> None:
    big = bytes(100_000)
    assert await run(["cat"], stdin=big, on_line=lambda line: None) == big
    assert await run(["true"], stdin=big * 10, on_line=lambda line: None) == b""
    with pytest.raises(CommandError, match="sh ended with status 3: no"):
        await run(["sh", "-c", "echo no >&2; exit 3"], on_line=lambda line: None)


async def test_who_does_not_like_a_line_ends_the_program() -> None:
    known: dict[str, None] = {}
    began = time.monotonic()
    with pytest.raises(ExceptionGroup) as raised:
        await run(["sh", "-c", "echo bad; sleep 600"], on_line=lambda line: known[line])
    assert raised.group_contains(KeyError)
    assert time.monotonic() - began < PATIENCE


#: Writes its process id and that of a program it starts, and waits for that.
FAMILY = 'sleep 600 & echo "$$ $!" > "$0"; wait'


def pids(path: Path) -> list[int]:
    return [int(pid) for pid in path.read_text().split()]


def ends(pid: int, seconds: float = PATIENCE) -> bool:
    """Whether a process has ended or ends within so long."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    with open(descriptor, "rb") as process:
        return bool(select.select([process], [], [], seconds)[0])


async def test_a_program_that_takes_too_long_is_killed_with_what_it_started(tmp_path: Path) -> None:
    began = time.monotonic()
    error = await failure("sh", "-c", FAMILY, str(tmp_path / "pids"), timeout=0.7)
    assert time.monotonic() - began < PATIENCE
    assert error.status is None
    assert str(error) == "sh did not finish in time: killed after 0.7 seconds"
    assert [ends(pid) for pid in pids(tmp_path / "pids")] == [True, True]


async def test_what_holds_on_to_the_output_of_a_program_that_has_ended_is_killed_in_time_too() -> None:
    error = await failure("sh", "-c", "sleep 600 & echo $!", timeout=0.3)
    assert error.status is None


async def cancelled_family(script: str, fifo: Path) -> list[int]:
    """The processes that a script names, after it was cancelled."""
    os.mkfifo(fifo)
    task = asyncio.get_running_loop().create_task(run(["sh", "-c", script, str(fifo)]))
    family = await asyncio.to_thread(pids, fifo)
    began = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - began < PATIENCE
    return family


async def test_cancelling_kills_the_program_and_what_it_started(tmp_path: Path) -> None:
    family = await cancelled_family(FAMILY, tmp_path / "fifo")
    assert [ends(pid) for pid in family] == [True, True]


async def test_a_daemon_that_was_started_is_left_alone_and_not_waited_for(tmp_path: Path) -> None:
    daemon = 'setsid sh -c \'echo $$ > "$0"; exec sleep 600\' "$0" & wait'
    [pid] = await cancelled_family(daemon, tmp_path / "fifo")
    assert not ends(pid, 0)
    os.kill(pid, signal.SIGKILL)


async def test_what_a_program_leaves_behind_is_not_waited_for() -> None:
    """Such as who asks for addresses, once ``ifup`` has them."""
    began = time.monotonic()
    script = "sleep 60 & echo $!; echo noise >&2"
    left = int(await run(["sh", "-c", script], leaves=True))
    assert time.monotonic() - began < PATIENCE
    os.kill(left, signal.SIGKILL)
    with pytest.raises(CommandError, match="status 3: noise") as raised:
        await run(["sh", "-c", "echo told; echo noise >&2; exit 3"], leaves=True)
    assert raised.value.output == "noise\n"
