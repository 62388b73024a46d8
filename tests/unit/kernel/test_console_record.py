"""A record of a console and what comes after it are one output, wherever the one ends and the other begins."""

import pytest

from vmstead.adapters.memory_engine import MemoryConsole
from vmstead.kernel.consoles import Console

RECORD = b"line-255-\r\nline-256-\r\nline-257-\r\n"


@pytest.mark.parametrize(
    "pieces",
    [
        # New, and the beginning of it looks like what was written before.
        [b"line-25", b"8-\r\nline-259-\r\n"],
        [bytes([byte]) for byte in b"line-258-\r\nline-259-\r\n"],
        # What was written before, once more.
        [b"line-25", b"6-\r\nline-257-\r\nline-258-\r\nline-259-\r\n"],
        [b"line-257-\r\n", b"line-258-\r\nline-259-\r\n"],
    ],
)
async def test_a_record_and_what_comes_after_it_are_joined_without_a_gap(pieces: list[bytes]) -> None:
    console = Console(MemoryConsole(), RECORD, len(RECORD))
    for piece in pieces:
        console.take(piece)
    assert bytes(console.scrollback) == RECORD + b"line-258-\r\nline-259-\r\n"
