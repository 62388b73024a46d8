"""How guests run under a libvirt that is the server's own: the settings of libvirt's QEMU driver."""

import pwd
from pathlib import Path

#: Whom distributions run guests as; a guest that breaks out of QEMU is then nobody of importance.
GUEST_USER = "libvirt-qemu"

#: How settings begin that are the server's to replace.
WRITTEN = "# Written by vmstead"

_COMMON = f"""\
{WRITTEN} at every start of this libvirt.
# Guests write their logs themselves and so depend on no log daemon.
stdio_handler = "file"
security_driver = "none"
cgroup_controllers = []
namespaces = []
"""


def qemu_conf(user: str | None) -> str:
    """The text of ``qemu.conf``.

    Args:
        user: whom guests run as; None: as whoever libvirt runs as, who is not root.

    Raises:
        KeyError: there is no such user.
    """
    if user is None:
        return _COMMON
    return f'{_COMMON}user = "{user}"\ngroup = "{pwd.getpwnam(user).pw_gid}"\n'


def make_folder(folder: Path) -> None:
    """Make a folder that guests can pass through, whatever the umask of this process is."""
    if not folder.is_dir():
        folder.mkdir(parents=True)
        folder.chmod(0o711)
