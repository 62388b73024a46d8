"""The commands of ``zfs`` that have to do with keys and mounts."""

import re
from collections.abc import Iterator, Sequence

from vmstead.adapters.fake_zfs.model import Complaint, Key, Model
from vmstead.adapters.fake_zfs.options import Options


def new_key(given: dict[str, str], stdin: str, refused: str) -> Key:
    """The key of a new dataset, whose secret comes in the first line. Raises Complaint."""
    secret, kind = stdin.partition("\n")[0], given["keyformat"]
    complaint = _about_secret(kind, secret)
    if complaint is not None:
        raise Complaint(refused + complaint)
    return Key(kind, secret)


def _about_secret(kind: str, secret: str) -> str | None:
    if kind == "hex":
        if len(secret) < 64:
            return "Hex key too short (expected 64)."
        return None if re.fullmatch("[0-9a-fA-F]{64}", secret) else "Invalid hex character detected."
    return "Passphrase too short (min 8)." if len(secret) < 8 else None


def load_key(model: Model, argv: Sequence[str], stdin: str) -> Iterator[str]:
    """``zfs load-key``."""
    options = Options(argv, "rn", "L")
    (name,) = options.rest
    key = _key_of(model, name, "load")
    secret = stdin.partition("\n")[0]
    if key.is_loaded:
        raise Complaint(f"Key load error: Key already loaded for '{name}'.", 255)
    complaint = "encryption failure" if not secret else _about_secret(key.format, secret)
    if complaint is None and secret != key.secret:
        complaint = f"Incorrect key provided for '{name}'."
    if complaint is not None:
        raise Complaint(f"Key load error: {complaint}", 255)
    key.is_loaded = True
    for each in model.datasets.values():
        if each.root is not None and each.root.key is key:
            model.show(each)
    return iter(())


def unload_key(model: Model, argv: Sequence[str], stdin: str) -> Iterator[str]:
    """``zfs unload-key``."""
    options = Options(argv, "r")
    (name,) = options.rest
    key = _key_of(model, name, "unload")
    mine = [each for each in model.datasets.values() if each.root is not None and each.root.key is key]
    if any(each.is_mounted or each.name in model.busy for each in mine):
        raise Complaint(f"Key unload error: '{name}' is busy.", 255)
    if not key.is_loaded and "r" not in options.alone:
        raise Complaint(f"Key unload error: Key already unloaded for '{name}'.", 255)
    key.is_loaded = False
    for each in mine:
        model.hide(each)
    yield "1 / 1 key(s) successfully unloaded"


def _key_of(model: Model, name: str, verb: str) -> Key:
    dataset = model.dataset(name)
    complaint = f"Key {verb} error: "
    if dataset.root is None:
        raise Complaint(f"{complaint}'{name}' is not encrypted.", 255)
    if dataset.key is None:
        where = f"{name}' ({dataset.root.name})"
        raise Complaint(f"{complaint}Keys must be {verb}ed for encryption root of '{where}.", 255)
    return dataset.key


def mount(model: Model, argv: Sequence[str], stdin: str) -> Iterator[str]:
    """``zfs mount``."""
    (name,) = Options(argv, "O", "o").rest
    dataset = model.dataset(name)
    if dataset.is_mounted:
        raise Complaint(f"cannot mount '{name}': filesystem already mounted")
    if dataset.is_locked:
        raise Complaint(f"cannot mount '{name}': encryption key not loaded")
    model.mount(dataset)
    return iter(())


def unmount(model: Model, argv: Sequence[str], stdin: str) -> Iterator[str]:
    """``zfs unmount``."""
    (name,) = Options(argv, "fu").rest
    dataset = model.dataset(name)
    mounted = [each for each in model.below(name) if each.is_mounted]
    if not dataset.is_mounted:
        raise Complaint(f"cannot unmount '{name}': not currently mounted")
    for each in reversed(mounted):
        if each.name in model.busy:
            raise Complaint(f"cannot unmount '{model.mountpoint(each)}': pool or dataset is busy")
        model.unmount(each)
    return iter(())
