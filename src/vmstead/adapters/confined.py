"""Becomes another program that may do little: a script, run by the server to read what it does not trust.

It takes a JSON object and the command, sets limits on itself and executes the command. The program

- reads and writes only the named files, and reads the system's libraries (Landlock, where the kernel has it);
- has no network, cannot gain rights, and ends with the server;
- is an unprivileged user if the server is root, with the right to open files of other users and no other;
- has limits on its memory, its processor time and the size of what it writes.

Loads nothing but the standard library, because it is started for every image.
"""

import contextlib
import ctypes
import json
import os
import resource
import shutil
import signal
import struct
import sys
from typing import Any

#: The user and group that own nothing.
_NOBODY = 65534
#: Where programs and their libraries lie.
_SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/libx32", "/bin", "/sbin", "/etc/ld.so.cache")

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_CLONE_NEWNET = 0x40000000
#: The numbers are the same on every architecture (landlock_create_ruleset(2) and the two after it).
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _TRUNCATE = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 14
#: All rights of the first version of Landlock; the third can also forbid truncation.
_EVERYTHING = (1 << 13) - 1

_libc = ctypes.CDLL(None, use_errno=True)


def landlock_version() -> int:
    """The version of Landlock that the kernel has; 0 for none."""
    return max(0, int(_libc.syscall(_CREATE_RULESET, None, 0, 1)))


def restrict(read: list[str], write: list[str]) -> None:
    """Keep this process, and what it becomes, to these files. Does nothing where the kernel cannot.

    Raises:
        OSError: a file is not there, or the kernel refuses.
    """
    version = landlock_version()
    if version == 0:
        return
    handled = _EVERYTHING | (_TRUNCATE if version >= 3 else 0)
    attributes = ctypes.create_string_buffer(struct.pack("=Q", handled), 8)
    rules = _checked(_libc.syscall(_CREATE_RULESET, attributes, 8, 0))
    for path in filter(os.path.exists, _SYSTEM):
        rights = _EXECUTE | _READ_FILE | (_READ_DIR if os.path.isdir(path) else 0)
        _allow(rules, path, rights)
    for path in read:
        _allow(rules, path, _READ_FILE | (_EXECUTE if os.access(path, os.X_OK) else 0))
    for path in (*write, "/dev/null"):
        _allow(rules, path, (_READ_FILE | _WRITE_FILE | _TRUNCATE) & handled)
    _checked(_libc.syscall(_RESTRICT_SELF, rules, 0))
    os.close(rules)


def _allow(rules: int, path: str, rights: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    rule = ctypes.create_string_buffer(struct.pack("=Qi", rights, descriptor), 12)
    _checked(_libc.syscall(_ADD_RULE, rules, 1, rule, 0))
    os.close(descriptor)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _limit(kind: int, most: int) -> None:
    _, hard = resource.getrlimit(kind)
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (most, most))


def _confine(how: dict[str, Any]) -> None:
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0))
    if os.getppid() != how["server"]:
        raise OSError("the server has ended")
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_AS, how["memory"])
    _limit(resource.RLIMIT_CPU, how["cpu"])
    _limit(resource.RLIMIT_FSIZE, how["file_size"])
    # Root alone can do that everywhere. A container may refuse; Landlock and the checked header remain.
    with contextlib.suppress(OSError):
        _checked(_libc.unshare(_CLONE_NEWNET))
    _checked(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    restrict(how["read"], how["write"])


def _as_nobody(command: list[str]) -> list[str]:
    """The command of a user without rights, but that to open the files that root was told to open."""
    only = "-all,+dac_override"
    return [
        *("setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups", "--pdeathsig=SIGKILL"),
        *(f"--inh-caps={only}", f"--ambient-caps={only}", f"--bounding-set={only}", "--"),
        *command,
    ]


def main() -> None:
    """``confined.py HOW PROGRAM ARGUMENT…``; status 127 when the program cannot be started so."""
    how, command = json.loads(sys.argv[1]), sys.argv[2:]
    program = shutil.which(command[0])
    if program is None:
        sys.stderr.write(f"{command[0]} is not installed\n")
        sys.exit(127)
    how["read"].append(os.path.realpath(program))
    command[0] = program
    if os.geteuid() == 0:
        command = _as_nobody(command)
    try:
        _confine(how)
        os.execvp(command[0], command)  # noqa: S606 - it is what this script is for
    except OSError as error:
        sys.stderr.write(f"{command[0]} could not be confined: {error}\n")
        sys.exit(127)


if __name__ == "__main__":
    main()
