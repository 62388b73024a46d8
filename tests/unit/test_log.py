"""What a line of the log holds."""

import json
import sys

from vmstead.kernel.run import run

_PROGRAM = """
import sys
sys.stderr = sys.stdout
import structlog
from vmstead.log import configure
configure({format!r})
try:
    1 / 0
except ZeroDivisionError:
    structlog.get_logger().exception("it failed", vm=1)
"""


async def test_an_error_for_machines_has_the_way_to_it_in_its_line() -> None:
    (line,) = (await run([sys.executable, "-c", _PROGRAM.format(format="json")])).decode().splitlines()
    event = json.loads(line)
    assert (event["event"], event["level"], event["vm"]) == ("it failed", "error", 1)
    assert event["exception"].endswith("ZeroDivisionError: division by zero")


async def test_an_error_for_people_has_it_below() -> None:
    text = (await run([sys.executable, "-c", _PROGRAM.format(format="text")])).decode()
    assert "it failed" in text
    assert text.count("ZeroDivisionError: division by zero") == 1
