"""Says at the end what of the document was covered."""

from collections import Counter

import pytest

_FOLDER = "tests/seed/"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    passed = [report.nodeid for report in terminalreporter.getreports("passed") if report.when == "call"]
    covered = Counter(_subject(name) for name in passed if name.startswith(_FOLDER) and "[" in name)
    if covered:
        terminalreporter.section("covered of the contract's document")
        terminalreporter.write_line(", ".join(f"{name} ×{count}" for name, count in sorted(covered.items())))


def _subject(name: str) -> str:
    """The method of an example, or the type and field of a table."""
    test, _, parameters = name.partition("[")
    if test.endswith("test_the_example_runs"):
        return parameters.rstrip("]").split()[0]
    return ".".join(parameters.rstrip("]").split("-")[:2])
