"""Keeps a private libvirtd: the program that ``private_libvirtd`` runs, as root, in a process of its own.

    python -m vmstead.adapters.keeper ROOT [--hide-kvm] [--bound FOLDER]

It gives libvirtd a mount namespace in which everything libvirt keeps lies below ROOT, so that several can run
beside each other and beside the system's own, and it adopts and reaps what libvirtd leaves behind: guests are
its children once libvirtd has detached them, and a dead guest counts as alive until somebody reaps it.

The command returns as soon as connections are accepted and ROOT/libvirtd.pid names the daemon, or fails and
says why; the keeper goes on in the background, logs to ROOT/keeper.log, and ends with the last of its children.
It outlives the server that asked for it, as the guests do. So it is also the one who sees to it that what guests
write to their serial ports does not fill the disk: FOLDER/<guest>/*.log. Nothing but the standard library is
imported, to start fast and stay small.
"""

import contextlib
import ctypes
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import NoReturn

from vmstead.adapters._bounded import bound

LIBVIRTD = "/usr/sbin/libvirtd"
#: Below ROOT -> what libvirtd takes it for.
_FOLDERS = {
    "run": "/run/libvirt",
    "lib": "/var/lib/libvirt",
    "cache": "/var/cache/libvirt",
    "etc": "/etc/libvirt",
    "log": "/var/log/libvirt",
}
_CLONE_NEWNS = 0x20000
_MS_BIND, _MS_REC, _MS_SLAVE = 0x1000, 0x4000, 0x80000
_PR_SET_CHILD_SUBREAPER = 36
_LISTEN_FDS_START = 3
#: What AppArmor is told of the next program (apparmor's change_onexec).
_APPARMOR = Path("/proc/self/attr/apparmor/exec")
#: Seconds between two looks at the console logs.
_LOOK = 30
#: What ends the keeper, by way of libvirtd.
_ENDS = (signal.SIGTERM, signal.SIGINT)
#: What the process in the background says to the command when everything is well.
_IS_UP = b"\0"

_libc = ctypes.CDLL(None, use_errno=True)


def main(arguments: list[str]) -> None:
    """Start libvirtd and keep it; returns in the background process, when its last child has ended."""
    root, hide_kvm = Path(arguments[0]).absolute(), "--hide-kvm" in arguments[1:]
    logs = Path(arguments[arguments.index("--bound") + 1]) if "--bound" in arguments else None
    # Nothing of whoever started it may decide what is readable here, or be kept in use.
    os.umask(0o022)
    os.chdir("/")
    # What was left open for this process would stay open as long as the daemon lives.
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    for name, place in _FOLDERS.items():
        (root / name).mkdir(mode=0o711, parents=True, exist_ok=True)
        Path(place).mkdir(mode=0o755, parents=True, exist_ok=True)
    listener = _listen(root / "run" / "libvirt-sock")
    log = os.open(root / "keeper.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    reader, writer = os.pipe()
    if os.fork() != 0:
        # From here on connections are accepted, whether libvirtd has come up yet or not.
        os.close(writer)
        _exit_with(os.read(reader, 4096))
    os.setsid()
    os.dup2(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    pid_file = root / "libvirtd.pid"
    # Whoever says it before it can be passed on would leave a libvirtd behind without its keeper.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
    try:
        daemon = _bring_up(listener, root, hide_kvm=hide_kvm)
        pid_file.write_text(f"{daemon}\n")
    except OSError as error:
        os.write(writer, str(error).encode())
        raise
    os.write(writer, _IS_UP)
    os.close(writer)
    if logs is not None:
        _bound_regularly(logs)
    _reap(daemon, pid_file)


def _exit_with(answer: bytes) -> NoReturn:
    """End the command as the process in the background says."""
    if answer == _IS_UP:
        os._exit(0)
    os.write(2, answer or b"the keeper ended before libvirtd was started")
    os._exit(1)


def _bring_up(listener: socket.socket, root: Path, *, hide_kvm: bool) -> int:
    """Take a view of the file system of its own and start libvirtd in it. Returns its process id."""
    _check(_libc.unshare(_CLONE_NEWNS), "unshare")
    # What the host mounts later appears here too; what is mounted here stays here.
    _mount("none", "/", _MS_REC | _MS_SLAVE)
    for name, place in _FOLDERS.items():
        _mount(str(root / name), place, _MS_BIND)
    if hide_kvm:
        _hide_kvm(root)
    _check(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl")
    daemon = _start(listener, root)
    listener.close()
    return daemon


def _listen(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    listener.bind(str(path))
    path.chmod(0o600)
    listener.listen(64)
    return listener


def _hide_kvm(root: Path) -> None:
    """Where KVM is not to be used, libvirt must not find it.

    A /dev/kvm that libvirtd can open and its guests cannot makes it probe QEMU anew at every step, which
    takes seconds each time.
    """
    if not os.path.exists("/dev/kvm"):
        return
    nothing = root / "no-kvm"
    nothing.touch(mode=0o000)
    nothing.chmod(0o000)
    _mount(str(nothing), "/dev/kvm", _MS_BIND)


def _remain_unconfined() -> None:
    """Keep the next program from taking on the AppArmor profile that its name has, where there are any.

    The profile of libvirtd has programs of guests leave it, which the kernel refuses to who can gain no privileges
    (systemd's NoNewPrivileges): no guest would start. What confines libvirtd then is what confines the service.
    """
    with contextlib.suppress(OSError):
        _APPARMOR.write_text("exec unconfined")


def _start(listener: socket.socket, root: Path) -> int:
    """Run libvirtd with the listening socket, handed over as systemd does it (sd_listen_fds(3))."""
    # Closed by execve: from then on the process is known by its program.
    reader, writer = os.pipe()
    pid = os.fork()
    if pid != 0:
        os.close(writer)
        os.read(reader, 1)
        os.close(reader)
        return pid
    os.dup2(listener.fileno(), _LISTEN_FDS_START)
    # When it has that number already, dup2 leaves it to be closed.
    os.set_inheritable(_LISTEN_FDS_START, True)
    environment = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C",
        "LISTEN_PID": str(os.getpid()),
        "LISTEN_FDS": "1",
        "LISTEN_FDNAMES": "libvirtd.socket",
    }
    _remain_unconfined()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDS)
    options = ["--config", str(root / "etc" / "libvirtd.conf"), "--pid-file", str(root / "libvirtd.lock")]
    os.execve(LIBVIRTD, [LIBVIRTD, *options], environment)


def _bound_regularly(logs: Path) -> None:
    """Keep the console logs from growing without end, from now on."""

    def look(*_: object) -> None:
        for path in logs.glob("*/*.log"):
            try:
                bound(path)
            except OSError as error:
                # Where it stays so, it is told every time: nothing else says why a disk fills up.
                os.write(2, f"{path}: {error.strerror}\n".encode())

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, _LOOK, _LOOK)


def _reap(daemon: int, pid_file: Path) -> None:
    """Wait for everybody; pass a request to end on to libvirtd."""

    def forward(number: int, _: object) -> None:
        os.kill(daemon, number)

    for number in _ENDS:
        signal.signal(number, forward)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDS)
    while True:
        try:
            pid, status = os.wait()
        except ChildProcessError:
            return
        if pid == daemon:
            _tell_of_end(pid, os.waitstatus_to_exitcode(status))
            # Its number may be given to another process from now on.
            for number in _ENDS:
                signal.signal(number, signal.SIG_IGN)
            _forget(daemon, pid_file)


def _tell_of_end(pid: int, code: int) -> None:
    """Libvirtd itself cannot tell that it was killed, or fell over."""
    if code != 0:
        how = f"with status {code}" if code > 0 else f"by signal {-code}, {signal.strsignal(-code)}"
        now = time.strftime("%Y-%m-%d %H:%M:%S%z")
        os.write(2, f"{now}: libvirtd, process {pid}, ended {how}\n".encode())


def _forget(daemon: int, pid_file: Path) -> None:
    """Remove the file with libvirtd's number, unless the next libvirtd has put its own there already."""
    try:
        if pid_file.read_text() == f"{daemon}\n":
            pid_file.unlink()
    except FileNotFoundError:
        pass


def _mount(source: str, target: str, flags: int) -> None:
    _check(
        _libc.mount(source.encode(), target.encode(), None, ctypes.c_ulong(flags), None), f"mount {target}"
    )


def _check(result: int, what: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), what)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except OSError as error:
        sys.exit(str(error))
