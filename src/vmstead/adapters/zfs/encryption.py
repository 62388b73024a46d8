"""Keys of encrypted datasets. A secret reaches ZFS by its standard input, and nothing else."""

from collections.abc import Sequence

from vmstead.adapters.zfs.base import Zfs
from vmstead.adapters.zfs.inventory import Listing
from vmstead.adapters.zfs.listing import Found
from vmstead.adapters.zfs.programs import ZfsError
from vmstead.ports.volumes import Encryption, VolumeError, VolumeErrorKind


def creation(encryption: Encryption | None) -> tuple[list[str], bytes]:
    """The options with which ``zfs create`` makes a dataset so, and what it is to read.

    Raises:
        VolumeError: FAILED, when the secret cannot be one.
    """
    if encryption is None:
        return [], b""
    options = {
        "encryption": encryption.cipher.lower(),
        "keyformat": "passphrase" if encryption.is_passphrase else "hex",
        "keylocation": "prompt",
    }
    if encryption.is_passphrase:
        options["pbkdf2iters"] = str(encryption.iterations)
    pairs = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
    return pairs, _line(encryption.secret)


def _line(secret: str) -> bytes:
    if "\n" in secret:
        raise VolumeError(VolumeErrorKind.FAILED, "a passphrase has one line only")
    return secret.encode() + b"\n"


async def unlock(zfs: Zfs, listing: Listing, root: Found, secret: str | None) -> None:
    """Load a key, mount the file systems and wait for the devices of what it opens."""
    _refuse_other_than_root(zfs, root)
    if not root.is_locked:
        return
    where = [] if secret is None else ["-L", "prompt"]
    try:
        line = b"" if secret is None else _line(secret)
        await zfs.change("zfs", "load-key", *where, "--", root.name, stdin=line)
    except ZfsError as error:
        raise _explained(zfs, root, error, is_given=secret is not None) from error
    opened = _with_key_of(listing, root)
    for each in opened:
        if each.can_mount == "on" and (each.mountpoint or "").startswith("/"):
            await _mount(zfs, each)
    for each in opened:
        if each.is_volume:
            await zfs.devices.appear(each.name)


async def _mount(zfs: Zfs, found: Found) -> None:
    try:
        await zfs.change("zfs", "mount", "--", found.name)
    except ZfsError as error:
        if "already mounted" not in str(error):
            raise


async def lock(zfs: Zfs, listing: Listing, root: Found, *, force: bool) -> None:
    """Unmount file systems and forget the key; what was unmounted is mounted again if that fails."""
    _refuse_other_than_root(zfs, root)
    if root.is_locked:
        return
    mounted = [each for each in _with_key_of(listing, root) if each.is_mounted]
    try:
        for each in reversed(mounted):
            await zfs.change("zfs", "unmount", *(["-f"] if force else []), "--", each.name)
        # What was written last still has the key in use until it is on the disks.
        await zfs.devices.settle()
        await zfs.change("zpool", "sync", "--", root.name.partition("/")[0])
        await zfs.change("zfs", "unload-key", "-r", "--", root.name)
    except ZfsError as error:
        for each in mounted:
            await _mount(zfs, each)
        if error.kind is VolumeErrorKind.IN_USE:
            text = f"{zfs.names.told([root.name])} is in use by a program of this host: {error}"
            raise VolumeError(error.kind, text) from error
        raise


def _with_key_of(listing: Listing, root: Found) -> Sequence[Found]:
    """The dataset and those that share its key, from the top."""
    found = (each for each in listing.datasets.values() if each.encryption_root == root.name)
    return sorted(found, key=lambda each: each.name)


def _refuse_other_than_root(zfs: Zfs, found: Found) -> None:
    name = zfs.names.told([found.name])
    if found.encryption_root is None:
        raise VolumeError(VolumeErrorKind.FAILED, f"{name} is not encrypted")
    if found.encryption_root != found.name:
        root = zfs.names.told([found.encryption_root])
        raise VolumeError(
            VolumeErrorKind.FAILED, f"{name} has its key from {root}, which is to be named instead"
        )


def _explained(zfs: Zfs, root: Found, error: ZfsError, *, is_given: bool) -> VolumeError:
    name, kind = zfs.names.told([root.name]), VolumeErrorKind.LOCKED
    if not is_given:
        return VolumeError(
            kind, f"the key of {name} is not where ZFS looks for it; give the key or passphrase"
        )
    what = "passphrase" if root.key_format == "passphrase" else "key"
    return VolumeError(kind, f"this is not the {what} of {name}") if error.kind is kind else error
