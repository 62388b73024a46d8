"""What a guest wrote to its terminal some time ago, made fit to be shown again. Pure.

Programs ask a terminal things (where is the cursor, what are you, how large), and the terminal answers as if
somebody had typed it. When old output is shown again nobody waits for the answers any more: they would end up on
the guest's command line. See https://invisible-island.net/xterm/ctlseqs/ctlseqs.html.
"""

import re

#: What makes a terminal answer.
_QUESTIONS = re.compile(
    rb"\x05"  # ENQ
    rb"|\x1bZ"  # DECID
    rb"|\x1b\[[?>=]?[0-9;]*[cn]"  # DA: what are you; DSR: are you well, where is the cursor
    rb"|\x1b\[\??[0-9;]*\$p"  # DECRQM: is this mode on
    rb"|\x1b\[[01]?x"  # DECREQTPARM
    rb"|\x1b\[>[0-9]*q"  # XTVERSION
    rb"|\x1b\[(?:1[13-689]|2[01])(?:;[0-9]*)*t"  # sizes and titles of windows
    rb"|\x1b\[\?u"  # which keys are told apart
    rb"|\x1b\[\?[0-9;]*S"  # XTSMGRAPHICS
    rb"|\x1b\[[0-9;]*\*y"  # DECRQCRA: a checksum of the screen
    rb"|\x1b\][0-9]+(?:;[^\x07\x1b]*)?;\?(?:\x07|\x1b\\)"  # colours, fonts, the clipboard
    rb"|\x1bP[$+]q[^\x1b]*\x1b\\"  # DECRQSS, XTGETTCAP
    rb"|\x1b_G[^\x1b]*a=q[^\x1b]*\x1b\\"  # pictures
)
#: Bytes in which the end of a line that was cut off is looked for.
_LINE = 4096


def replayed(output: bytes, *, is_cut: bool) -> bytes:
    """Output to be shown again: without what would make the terminal answer.

    Args:
        is_cut: something was before it, so that its first line may not be whole; that line is left out.
    """
    if is_cut:
        output = output[output.find(b"\n", 0, _LINE) + 1 :]
    return _QUESTIONS.sub(b"", output)


def unseen(window: bytes, output: bytes) -> tuple[bytes, bytes]:
    """Join output to a record of it: what of the output goes beyond the record.

    Args:
        window: the end of the record. The output begins somewhere in it, or right after it.
        output: the next piece of output.

    Returns:
        What the record does not have; and what is still to come of the record, for the next piece.
    """
    head = output[:64]
    begin = 0
    while (begin := _find_start(window, head, begin)) < len(window):
        common = min(len(window) - begin, len(output))
        if window.startswith(output[:common], begin):
            return output[common:], window[begin + common :]
        begin += 1
    return output, b""


def _find_start(window: bytes, head: bytes, begin: int) -> int:
    """Where the window has the head, or ends with the beginning of it; its length where neither is so."""
    found = window.find(head, begin)
    if found >= 0:
        return found
    for at in range(max(begin, len(window) - len(head) + 1), len(window)):
        if head.startswith(window[at:]):
            return at
    return len(window)
