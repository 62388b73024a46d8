"""Which libvirt to connect to."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Target:
    """A libvirt, and what is known of it beforehand.

    Attributes:
        uri: its address.
        accelerator: what guests will run on there.
        accelerator_reason: why not on KVM.
        privileged: it runs as root.
        guest_user: whom guests run as; None: the server's own user.
        pid_files: folder with a file ``<domain>.pid`` for each guest; None where there is none.
        tpm_states: folder with a folder ``<uuid>`` for each TPM; None where it is not within reach.
        log_folder: folder with a file ``<domain>.log`` for each guest; None where it is not within reach.
        runs_guests: false for libvirt's test driver.
        keeps_consoles: it can append to the server's files what guests write to their serial ports.
        leave: called when the server lets go of it, with whether guests are running.
    """

    uri: str
    accelerator: str
    accelerator_reason: str | None
    privileged: bool
    guest_user: str | None
    pid_files: Path | None
    tpm_states: Path | None = None
    log_folder: Path | None = None
    runs_guests: bool = True
    keeps_consoles: bool = False
    leave: Callable[[bool], Awaitable[None]] | None = None


#: Finds the target anew for each connection, starting a daemon where that is part of it.
Provider = Callable[[], Awaitable[Target]]
