"""The two forms of showing progress."""

from io import StringIO

from vmstead.client import Progress
from vmstead.client.progress import ProgressBar, ProgressLines

BACK = "\033[2K\033[A\033[2K\r"


def test_bar() -> None:
    stream = StringIO()
    bar = ProgressBar(stream)
    bar.finish(success=True)
    assert stream.getvalue() == ""
    bar(Progress(53, " Downloading "))
    bar(Progress(0, ""))
    bar(Progress(60.5, ""))
    bar.finish(success=True)
    steps = stream.getvalue().split(BACK)
    half = "Status: Downloading\nTotal Progress: [#####################___________________] 53.00%"
    assert steps[:3] == ["\n", half, half]
    assert steps[3].endswith("[########################________________] 60.50%")
    assert steps[4] == f"Status: Downloading\nTotal Progress: [{'#' * 40}] 100.00%\n"


def test_bar_of_a_failure() -> None:
    stream = StringIO()
    bar = ProgressBar(stream)
    bar(Progress(10, ""))
    bar.finish(success=False)
    assert stream.getvalue().endswith(f"Status: (none)\nTotal Progress: [####{'_' * 36}] 10.00%\n")


def test_lines() -> None:
    stream = StringIO()
    lines = ProgressLines(stream)
    for description in ("", "One", "One", "Two", "", "Two"):
        lines(Progress(1, description))
    lines.finish(success=True)
    assert stream.getvalue() == "One\nTwo\n"
