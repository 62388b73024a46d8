"""Old output is shown again without its questions, and joined to new output without a seam."""

import pytest

from vmstead.kernel.terminal import replayed, unseen

ESC = b"\x1b"


@pytest.mark.parametrize(
    "question",
    [
        b"\x05",
        ESC + b"Z",
        ESC + b"[c",
        ESC + b"[0c",
        ESC + b"[>c",
        ESC + b"[=0c",
        ESC + b"[5n",
        ESC + b"[6n",
        ESC + b"[?6n",
        ESC + b"[?2004$p",
        ESC + b"[4$p",
        ESC + b"[x",
        ESC + b"[1x",
        ESC + b"[>q",
        ESC + b"[>0q",
        ESC + b"[14t",
        ESC + b"[18t",
        ESC + b"[19t",
        ESC + b"[21t",
        ESC + b"[?u",
        ESC + b"[?2;1;0S",
        ESC + b"[1;1;1;1;10;10*y",
        ESC + b"]10;?\x07",
        ESC + b"]11;?" + ESC + b"\\",
        ESC + b"]4;1;?;2;?\x07",
        ESC + b"]52;c;?\x07",
        ESC + b"P$qm" + ESC + b"\\",
        ESC + b"P+q544e" + ESC + b"\\",
        ESC + b"_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA" + ESC + b"\\",
    ],
)
def test_nothing_is_asked_again(question: bytes) -> None:
    assert replayed(b"before " + question + b"after", is_cut=False) == b"before after"


@pytest.mark.parametrize(
    "harmless",
    [
        b"plain text c n x q t u S y Z",
        ESC + b"[31mred" + ESC + b"[0m",
        ESC + b"[2J" + ESC + b"[1;1H",
        ESC + b"[?2004h" + ESC + b"[?25l",
        ESC + b"[8;24;80t",
        ESC + b"[22;0t",
        ESC + b"[4S",
        ESC + b"[1 q",
        ESC + b"]0;a title?\x07",
        ESC + b"]8;;http://example.org/?q=1\x07link" + ESC + b"]8;;\x07",
        "Grüße ✓\r\n".encode(),
        bytes(range(128, 256)),
    ],
)
def test_everything_else_stays(harmless: bytes) -> None:
    assert replayed(harmless, is_cut=False) == harmless


def test_what_was_cut_begins_with_a_line() -> None:
    assert replayed(b"4mhalf a line\r\nwhole\r\n", is_cut=True) == b"whole\r\n"
    assert replayed(b"whole\r\n", is_cut=False) == b"whole\r\n"
    endless = b"x" * 10_000
    assert replayed(endless, is_cut=True) == endless
    assert replayed(b"", is_cut=True) == b""


@pytest.mark.parametrize(
    ("window", "output", "new", "left"),
    [
        # The output begins in the window,
        (b"login: ", b"in: root", b"root", b""),
        # at its beginning,
        (b"login: ", b"login: root", b"root", b""),
        # or after its end.
        (b"login: ", b"root", b"root", b""),
        (b"", b"root", b"root", b""),
        # There may be more of the window to come.
        (b"login: ", b"log", b"", b"in: "),
        (b"login: ", b"login: ", b"", b""),
        # What only looks like it does not count.
        (b"abcabd", b"abcx", b"abcx", b""),
        (b"abcabd", b"abde", b"e", b""),
        (b"xx" + b"a" * 200, b"a" * 200 + b"b", b"b", b""),
    ],
)
def test_output_is_joined_to_the_record_of_it(window: bytes, output: bytes, new: bytes, left: bytes) -> None:
    assert unseen(window, output) == (new, left)


def test_a_window_that_comes_in_pieces() -> None:
    window, seen = b"one two three ", b""
    for piece in (b"two", b" thr", b"ee four"):
        new, window = unseen(window, piece)
        seen += new
    assert seen == b"four"


def test_the_same_line_over_and_over_takes_no_time() -> None:
    new, left = unseen(b"y\r\n" * 20_000, b"y\r\n" * 20_000 + b"end")
    assert new.endswith(b"end")
    assert left == b""
    assert unseen(b"y" * 60_000, b"y" * 63 + b"n" + b"y" * 1000)[1] == b""
