"""libvirt's definitions of domains: finding one, and taking one away with or without what belongs to it."""

import contextlib
from pathlib import Path
from typing import Any

import libvirt

from vmstead.adapters.libvirt_engine import binding
from vmstead.ports.engine import Domain, EngineError, EngineErrorKind

_UNDEFINE = (
    libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
    | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
    | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
)
#: The TPM flags came with libvirt 8.9; before, the state goes with the definition.
KEEP_STATE = libvirt.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM | getattr(libvirt, "VIR_DOMAIN_UNDEFINE_KEEP_TPM", 0)
REMOVE_STATE = libvirt.VIR_DOMAIN_UNDEFINE_NVRAM | getattr(libvirt, "VIR_DOMAIN_UNDEFINE_TPM", 0)


def look_up(connection: Any, uuid: str) -> Any:
    """The domain, None when libvirt does not know it."""
    try:
        return connection.lookupByUUIDString(uuid)
    except libvirt.libvirtError as error:
        if binding.is_no_domain(error):
            return None
        raise


def define(connection: Any, domain: Domain, logs: Path | None) -> None:
    """Make a domain known, also under another name than before. What belongs to its uuid stays.

    Args:
        logs: the folder with a log for each domain, by its name.
    """
    known = look_up(connection, domain.uuid)
    if known is not None and known.name() != domain.name:
        # libvirt cannot rename by defining.
        undefine_inactive(known, KEEP_STATE)
        if logs is not None:
            with contextlib.suppress(OSError):
                (logs / f"{known.name()}.log").rename(logs / f"{domain.name}.log")
    connection.defineXML(domain.xml.decode())


def check(connection: Any, document: str) -> None:
    """Whether libvirt could make a QEMU command of the document; it neither keeps it nor opens any file.

    See https://libvirt.org/html/libvirt-libvirt-domain.html#virConnectDomainXMLToNative.

    Raises:
        EngineError: REFUSED.
    """
    try:
        connection.domainXMLToNative("qemu-argv", document, 0)
    except libvirt.libvirtError as error:
        found = binding.engine_error(error)
        # What libvirt has no better number for, such as an unknown processor model, is the document's fault too.
        if error.get_error_code() == libvirt.VIR_ERR_INTERNAL_ERROR and found.kind is EngineErrorKind.FAILED:
            text = str(found).removeprefix("internal error: ")
            raise EngineError(EngineErrorKind.REFUSED, text) from error
        if found.kind is EngineErrorKind.REFUSED:
            raise found from error


def undefine_inactive(domain: Any, state: int) -> None:
    """Take a definition away. ``state``: ``KEEP_STATE`` or ``REMOVE_STATE`` of the firmware and the TPM.

    Raises:
        EngineError: WRONG_STATE, when a guest runs by it.
    """
    # libvirt would take the definition from under the guest, which then loses it at its end.
    if domain.isActive():
        raise EngineError(EngineErrorKind.WRONG_STATE, "the domain is active")
    try:
        domain.undefineFlags(_UNDEFINE | state)
    except libvirt.libvirtError as error:
        # Older versions and other drivers know fewer flags; what they do not know they do not keep either.
        if error.get_error_code() not in (libvirt.VIR_ERR_INVALID_ARG, libvirt.VIR_ERR_NO_SUPPORT):
            raise
        domain.undefineFlags(0)
