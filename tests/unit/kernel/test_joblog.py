"""Logs of jobs."""

import asyncio
from pathlib import Path

from vmstead.kernel.joblog import JobLog


async def test_lines_are_in_the_file_and_short_logs_are_their_own_excerpt(tmp_path: Path) -> None:
    log = JobLog(tmp_path / "jobs/1.log")
    assert log.excerpt() == ""
    await log.write("one\ntwo")
    await log.write("")
    await log.write("three\n")
    assert log.path.read_text() == log.excerpt() == "one\ntwo\nthree\n"
    assert log.path.parent.stat().st_mode & 0o777 == 0o700
    log.remove()
    log.remove()
    assert not log.path.exists()


async def test_long_logs_are_shown_by_both_ends(tmp_path: Path) -> None:
    log = JobLog(tmp_path / "1.log")
    for number in range(1, 21):
        await log.write(f"{number}")
    assert log.excerpt() == "".join(f"{number}\n" for number in range(1, 21))
    await log.write("\n".join(f"{number}" for number in range(21, 31)))
    lines = log.excerpt().splitlines()
    assert lines[:10] == [f"{number}" for number in range(1, 11)]
    assert lines[10] == "... 10 more lines ..."
    assert lines[11:] == [f"{number}" for number in range(21, 31)]
    assert len(log.path.read_text().splitlines()) == 30


async def test_a_log_has_an_end_and_its_excerpt_too(tmp_path: Path) -> None:
    log = JobLog(tmp_path / "1.log")
    for _ in range(40):
        await log.write("x" * 10_000)
    await log.write("the end")
    assert 200_000 < log.path.stat().st_size < 300_000
    assert len(log.excerpt()) < 21 * 1001
    assert log.excerpt().endswith("the end\n")


async def test_lines_from_several_places_do_not_mix(tmp_path: Path) -> None:
    log = JobLog(tmp_path / "1.log")
    await asyncio.gather(*(log.write(f"{number}\n{number}") for number in range(50)))
    lines = log.path.read_text().splitlines()
    assert lines[::2] == lines[1::2]
    assert sorted(map(int, lines[::2])) == list(range(50))


async def test_what_cannot_be_written_hurts_nobody(tmp_path: Path) -> None:
    (tmp_path / "jobs").write_text("in the way")
    log = JobLog(tmp_path / "jobs/1.log")
    await log.write("one")
    assert log.excerpt() == "one\n"
    log.remove()
