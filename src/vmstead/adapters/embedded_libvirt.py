"""libvirt's QEMU driver inside the server's process: guests with no daemon at all, for those who ask for it.

Everything it keeps lies below one folder. Guests outlive the server, and the next one finds them there.
See https://libvirt.org/drvqemu.html#embedded-driver.
"""

import ctypes
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

from vmstead.adapters.libvirt_engine.binding import start_event_loop
from vmstead.adapters.libvirt_engine.target import Target
from vmstead.adapters.qemu_conf import GUEST_USER, WRITTEN, make_folder, qemu_conf
from vmstead.ports.engine import EngineError, EngineErrorKind

#: What such an engine's address begins with. The folder is its parameter ``root``.
PREFIX = "qemu:///embed"

_LIBRARY = "libvirt.so.0"


def root_of(uri: str, state: Path) -> Path:
    """The folder that an address means; one of the server's own where it names none."""
    roots = parse_qs(urlsplit(uri).query).get("root", [str(state / "embed")])
    return Path(roots[0])


def embedded(root: Path, *, is_root: bool) -> Target:
    """What is to be opened, without its accelerator; prepares the folder.

    Raises:
        EngineError: UNREACHABLE, with what is missing on this machine or why the folder will not do.
    """
    user = GUEST_USER if is_root else None
    _prepare(root, user)
    return Target(
        f"{PREFIX}?root={quote(str(root))}",
        "",
        None,
        privileged=is_root,
        guest_user=user,
        pid_files=root / "run/qemu",
        tpm_states=tpm_states(root),
        log_folder=root / "log/qemu",
    )


def tpm_states(root: Path) -> Path:
    """Where the driver keeps a folder for each guest's TPM."""
    return root / "lib/swtpm"


def _prepare(root: Path, user: str | None) -> None:
    if not root.is_absolute():
        raise EngineError(EngineErrorKind.UNREACHABLE, f"{root}: the root of {PREFIX} is an absolute path")
    settings = root / "etc/qemu.conf"
    another = f"give {PREFIX} another folder: {PREFIX}?root=FOLDER"
    try:
        text = qemu_conf(user)
        if settings.exists() and not settings.read_text().startswith(WRITTEN):
            theirs = f"{settings} is somebody's own and would have to be replaced; {another}"
            raise EngineError(EngineErrorKind.UNREACHABLE, theirs)
        for folder in (root, settings.parent):
            make_folder(folder)
        settings.write_text(text)
    except KeyError:
        text = f"there is no user {user}, as whom guests would run; apt-get install libvirt-daemon-system"
        raise EngineError(EngineErrorKind.UNREACHABLE, text) from None
    except OSError as error:
        text = f"{error.filename}: {error.strerror}; {another}"
        raise EngineError(EngineErrorKind.UNREACHABLE, text) from None
    _watch_links()


def _watch_links() -> None:
    """Start libvirt's own watch over network links, as its daemon does first of all.

    The driver takes it for granted: without it, the end of a guest with a NIC on macvtap ends this process too.
    """
    start_event_loop()
    try:
        library = ctypes.CDLL(_LIBRARY)
        failed = library.virNetlinkStartup() or library.virNetlinkEventServiceStart(0, 0)
    except (OSError, AttributeError):
        failed = True
    if failed:
        text = "this libvirt cannot be a part of the server; use engine = private or qemu:///session"
        raise EngineError(EngineErrorKind.UNREACHABLE, text)
