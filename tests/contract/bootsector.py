"""The smallest guest that answers: it greets and echoes on the serial port, and obeys the power button.

It is one sector that a BIOS starts, so it is there within a second or two of emulation.
"""

import os
from pathlib import Path

#: What it writes when it is up.
GREETING = b"!"

_CODE = bytes.fromhex(
    "ba0206 b80001 ef"  # mov dx, 602h; mov ax, 100h; out dx, ax     tell of the power button
    "baf903 b001 ee"  # mov dx, 3f9h; mov al, 1; out dx, al          interrupt when something is typed
    "bafc03 b00b ee"  # mov dx, 3fch; mov al, 0bh; out dx, al
    "e421 24ef e621"  # in al, 21h; and al, 0efh; out 21h, al
    "baf803 b021 ee"  # mov dx, 3f8h; mov al, '!'; out dx, al        greet
    # again:
    "fa ba0006 ed f6c401 7513"  # cli; mov dx, 600h; in ax, dx; test ah, 1; jnz off     was it pressed?
    "bafd03 ec a801 7407"  # mov dx, 3fdh; in al, dx; test al, 1; jz wait               was something typed?
    "baf803 ec ee ebe7"  # mov dx, 3f8h; in al, dx; out dx, al; jmp again               echo it
    # wait:
    "fb f4 ebe3"  # sti; hlt; jmp again      until the next interrupt; the clock's comes 18 times a second
    # off:
    "ba0406 b80020 ef"  # mov dx, 604h; mov ax, 2000h; out dx, ax    power off
    "f4 ebfd"  # hlt; jmp $-1
)
#: Where it goes on when the button was pressed, as the jump says it; and the next instruction instead.
_OBEYS, _GOES_ON = bytes.fromhex("f6c401 7513"), bytes.fromhex("f6c401 7500")


def sector(*, is_deaf: bool = False) -> bytes:
    """The sector. One that is deaf takes no notice of the power button."""
    code = _CODE.replace(_OBEYS, _GOES_ON) if is_deaf else _CODE
    return code.ljust(510, b"\0") + b"\x55\xaa"


def write_disk(path: Path) -> None:
    """Write a disk that starts with it."""
    path.write_bytes(sector())
    # Less than a few cylinders, and a BIOS takes it for broken.
    os.truncate(path, 4 * 1024 * 1024)
