"""Run a command at a terminal of its own: ``terminal.py TYPED WHEN COMMAND...``; prints what it printed.

TYPED is typed when WHEN has been printed, ``^C`` being the key. Ends with the command.
"""

import os
import pty
import sys
from contextlib import suppress


def main() -> None:
    """Run it."""
    typed, when, *command = sys.argv[1:]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(command[0], command)
    seen = b""
    with suppress(OSError):  # that is how the end of the command looks
        while piece := os.read(terminal, 4096):
            seen += piece
            if typed and when.encode() in seen:
                os.write(terminal, typed.replace("^C", "\x03").encode())
                typed = ""
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    sys.stdout.write(seen.decode())
    sys.stdout.write(f"[exit status {status}]" if status > 1 else "")


if __name__ == "__main__":
    main()
