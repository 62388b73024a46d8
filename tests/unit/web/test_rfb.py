"""What a viewer who only looks may say over VNC."""

import struct

import pytest

from vmstead.web.rfb import LookFilter, RfbError

GREETING = b"RFB 003.008\n\x01\x00"
#: Messages that reach the guest, by what they are.
TOUCHES = {
    "key": struct.pack(">BBHI", 4, 1, 0, 65),
    "pointer": struct.pack(">BBHH", 5, 1, 10, 10),
    "pointer with more buttons": struct.pack(">BBHHB", 5, 0x81, 10, 10, 1),
    "clipboard": struct.pack(">BBHI", 6, 0, 0, 5) + b"paste",
    "extended clipboard": struct.pack(">BBHi", 6, 0, 0, -4) + b"\x00\x00\x00\x01",
    "size of the screen": struct.pack(">BBHHBB", 251, 0, 800, 600, 1, 0) + bytes(16),
    "key by its place": struct.pack(">BBHII", 255, 0, 1, 65, 30),
    "sound": struct.pack(">BBH", 255, 1, 0),
    "format of the sound": struct.pack(">BBHBBI", 255, 1, 2, 0, 2, 44100),
}
#: Messages that looking takes.
LOOKS = [
    bytes(20),
    struct.pack(">BBHii", 2, 0, 2, 0, 7),
    struct.pack(">BBHHHH", 3, 1, 0, 0, 640, 480),
    struct.pack(">BBHHHH", 150, 1, 0, 0, 640, 480),
    struct.pack(">B3sIB", 248, b"", 1, 4) + b"mark",
]


@pytest.mark.parametrize("touch", TOUCHES.values(), ids=TOUCHES)
@pytest.mark.parametrize("step", [1, 3, 1000])
def test_only_looks_get_through(touch: bytes, step: int) -> None:
    said = GREETING + touch.join(LOOKS) + touch
    watched = LookFilter()
    passed = b"".join(watched.feed(said[at : at + step]) for at in range(0, len(said), step))
    assert passed == b"RFB 003.008\n\x01\x01" + b"".join(LOOKS)


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (b"RFB 003.003\n", "version 3.8"),
        (b"RFB 003.008\n\x02", "version 3.8"),
        (GREETING + b"\x07", "message 7 is not known"),
        (GREETING + b"\xff\x05\x00\x00", "message 255.5 is not known"),
    ],
)
def test_what_is_not_understood_ends_the_connection(said: bytes, text: str) -> None:
    with pytest.raises(RfbError, match=text):
        LookFilter().feed(said)
