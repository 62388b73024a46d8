"""The program ``zfs``."""

from collections.abc import Callable, Iterator, Sequence

from vmstead.adapters.fake_zfs import keys
from vmstead.adapters.fake_zfs.model import Complaint, Dataset, Model, Snapshot
from vmstead.adapters.fake_zfs.options import Options
from vmstead.adapters.fake_zfs.output import (
    AVAILABLE,
    all_properties,
    bytes_of,
    checked,
    column,
    value_of,
)

_FIXED = {"encryption", "keyformat", "keylocation", "pbkdf2iters", "volblocksize"}


def run(model: Model, argv: Sequence[str], stdin: str) -> str:
    """What it writes to its output. Raises Complaint."""
    return "".join(f"{line}\n" for line in _COMMANDS[argv[0]](model, argv[1:], stdin))


# --- questions ----------------------------------------------------------------------------------------


def _list(model: Model, argv: Sequence[str], stdin: str) -> Iterator[str]:
    options = Options(argv, "Hpr", "tos")
    columns = (options.value("o") or "name,used,available,referenced,mountpoint").split(",")
    for each in _chosen(model, options):
        yield "\t".join(column(model, each, name) for name in columns)


def _chosen(model: Model, options: Options) -> Sequence[Dataset | Snapshot]:
    kinds = (options.value("t") or "filesystem,volume").split(",")
    found: list[Dataset | Snapshot] = []
    for name in sorted(options.rest or (each for each in model.datasets if "/" not in each)):
        if "@" in name:
            found.append(model.snapshot(name))
            continue
        datasets = [model.dataset(name)]
        if "r" in options.alone:
            datasets = model.below(name)
        for each in datasets:
            found += [each] if each.kind in kinds or "all" in kinds else []
            found += model.snapshots_of(each) if kinds[0] in ("snapshot", "all") else []
    if options.value("s") == "createtxg":
        found.sort(key=lambda each: each.number)
    return found


def _get(model: Model, argv: Sequence[str], stdin: str) -> Iterator[str]:
    options = Options(argv, "Hpr", "tos")
    names, *options.rest = options.rest
    columns = (options.value("o") or "name,property,value,source").split(",")
    sources = options.value("s")
    options.values = [each for each in options.values if each[0] != "s"]
    for each in _chosen(model, options):
        wanted = names.split(",")
        if names == "all":
            assert isinstance(each, Dataset)
            wanted = all_properties(model, each)
        for name in wanted:
            value, source = value_of(model, each, name) or ("-", "-")
            if sources is None or source.partition(" ")[0] in sources.split(","):
                full = each.full_name if isinstance(each, Snapshot) else each.name
                row = {"name": full, "property": name, "value": value, "source": source}
                yield "\t".join(row[column] for column in columns)


# --- making -------------------------------------------------------------------------------------------


def _create(model: Model, argv: Sequence[str], stdin: str) -> Iterator[str]:
    options = Options(argv, "ps", "Vo")
    (name,) = options.rest
    given = options.pairs("o")
    if "p" in options.alone:
        for above in _missing_above(model, name):
            _make(model, above, {}, None, "")
        if name in model.datasets and options.value("V") is None:
            return iter(())
    size = options.value("V")
    _make(model, name, given, size, stdin, is_sparse="s" in options.alone)
    return iter(())


def _missing_above(model: Model, name: str) -> list[str]:
    parts = name.split("/")
    names = ["/".join(parts[:depth]) for depth in range(2, len(parts))]
    return [each for each in names if each not in model.datasets]


def _make(
    model: Model, name: str, given: dict[str, str], size: str | None, stdin: str, *, is_sparse: bool = True
) -> None:
    refused = f"cannot create '{name}': "
    above = model.check_new(name)
    block_size = bytes_of(given.get("volblocksize", "8K"))
    if block_size & (block_size - 1) or not 512 <= block_size <= 2**20:
        raise Complaint(f"{refused}'volblocksize' must be power of 2 from 512B to 1M")
    number, content = model.next()
    made = Dataset(name, number, content, block_size=block_size, root=above.root)
    if size is not None:
        made.size = _volume_size(size, block_size, refused)
        if not is_sparse and made.size > AVAILABLE:
            raise Complaint(f"{refused}out of space")
    if "encryption" in given:
        made.key = keys.new_key(given, stdin, refused)
        made.root = made
    elif above.is_locked:
        raise Complaint(f"{refused}encryption root's key is not loaded or provided")
    made.local = {key: checked(made, key, value) for key, value in given.items() if key not in _FIXED}
    if made.size is not None:
        model.make_bytes(content, made.size)
        if not is_sparse:
            made.local["refreservation"] = str(made.size)
    model.add(made)


def _volume_size(text: str, block_size: int, refused: str) -> int:
    size = bytes_of(text)
    if size >= 2**64:
        raise Complaint(f"bad volume size '{text}': numeric value is too large")
    if size == 0:
        raise Complaint(f"{refused}volume size cannot be zero")
    return -(-size // block_size) * block_size


def _snapshot(model: Model, argv: Sequence[str], stdin: str) -> Iterator[str]:
    options = Options(argv, "r", "o")
    (full_name,) = options.rest
    dataset, _, name = full_name.partition("@")
    if dataset not in model.datasets:
        raise Complaint(f"cannot open '{dataset}': dataset does not exist\nusage:\n\tsnapshot ...", 2)
    for character in name:
        if character in "+/":
            kind = (
                "trailing slash in name" if character == "/" else f"invalid character '{character}' in name"
            )
            raise Complaint(f"cannot create snapshot '{full_name}': {kind}")
    datasets = model.below(dataset) if "r" in options.alone else [model.dataset(dataset)]
    taken = {each.full_name for each in model.snapshots}
    for each in datasets:
        if f"{each.name}@{name}" in taken:
            raise Complaint(f"cannot create snapshot '{each.name}@{name}': dataset already exists")
    for each in datasets:
        model.make_snapshot(each, name)
    return iter(())


def _clone(model: Model, argv: Sequence[str], stdin: str) -> Iterator[str]:
    full_name, name = Options(argv, "p", "o").rest
    snapshot = model.snapshot(full_name)
    model.check_pool(name)
    if name.partition("/")[0] != full_name.partition("/")[0].partition("@")[0]:
        raise Complaint(f"cannot create '{name}': source and target pools differ")
    model.check_new(name)
    model.make_clone(snapshot, name)
    return iter(())


def _promote(model: Model, argv: Sequence[str], stdin: str) -> Iterator[str]:
    (name,) = Options(argv, "", takes_dashes=False).rest
    model.promote(model.dataset(name))
    return iter(())


def _rename(model: Model, argv: Sequence[str], stdin: str) -> Iterator[str]:
    old, new = Options(argv, "fpru").rest
    if "@" in old:
        model.snapshot(old).name = new.partition("@")[2]
    else:
        model.rename(model.dataset(old), new)
    return iter(())


# --- changing -----------------------------------------------------------------------------------------


def _set(model: Model, argv: Sequence[str], stdin: str) -> Iterator[str]:
    *pairs, name = Options(argv, "", takes_dashes=False).rest
    dataset = model.dataset(name)
    for pair in pairs:
        key, text = pair.split("=", 1)
        value = checked(dataset, key, text)
        if key == "volsize":
            _resize(model, dataset, int(value))
        else:
            dataset.local[key] = value
    return iter(())


def _resize(model: Model, dataset: Dataset, size: int) -> None:
    refused = f"cannot set property for '{dataset.name}': "
    if dataset.is_locked:
        raise Complaint(f"{refused}permission denied")
    if size % dataset.block_size:
        multiple = f"{dataset.block_size // 1024}K"
        raise Complaint(f"{refused}'volsize' must be a multiple of volume block size ({multiple})")
    dataset.size = size
    with dataset.content.open("r+b") as content:
        content.truncate(min(size, 2**40))


def _inherit(model: Model, argv: Sequence[str], stdin: str) -> Iterator[str]:
    key, name = Options(argv, "rS", takes_dashes=False).rest
    if key in ("quota", "refquota", "reservation", "refreservation", "volsize"):
        raise Complaint(f"'{key}' property cannot be inherited\nuse 'zfs set {key}=none' to clear")
    model.dataset(name).local.pop(key, None)
    return iter(())


def _rollback(model: Model, argv: Sequence[str], stdin: str) -> Iterator[str]:
    options = Options(argv, "Rfr")
    (full_name,) = options.rest
    snapshot = model.snapshot(full_name)
    later = [each for each in model.snapshots_of(snapshot.owner) if each.number > snapshot.number]
    refused = f"cannot rollback to '{full_name}': "
    clones = [name for each in later for name in model.clones(each)]
    if later and "r" not in options.alone:
        lines = [f"{refused}more recent snapshots or bookmarks exist"]
        lines += ["use '-r' to force deletion of the following snapshots and bookmarks:"]
        raise Complaint("\n".join([*lines, *(each.full_name for each in later)]))
    if clones:
        lines = [f"{refused}clones of previous snapshots exist"]
        lines += ["use '-R' to force deletion of the following clones and dependents:"]
        raise Complaint("\n".join([*lines, *clones]))
    for each in later:
        model.drop_snapshot(each)
    model.roll_back(snapshot)
    return iter(())


# --- taking away --------------------------------------------------------------------------------------


def _destroy(model: Model, argv: Sequence[str], stdin: str) -> Iterator[str]:
    options = Options(argv, "rdfR")
    (name,) = options.rest
    if "@" in name:
        _destroy_snapshots(model, options, *name.split("@"))
    else:
        _destroy_dataset(model, model.dataset(name), is_recursive="r" in options.alone)
    return iter(())


def _destroy_snapshots(model: Model, options: Options, dataset: str, names: str) -> None:
    datasets = model.below(model.dataset(dataset).name) if "r" in options.alone else [model.dataset(dataset)]
    wanted = names.split(",")
    found = [each for owner in datasets for each in model.snapshots_of(owner) if each.name in wanted]
    if not found:
        raise Complaint("could not find any snapshots to destroy; check snapshot names.")
    for each in found:
        clones = model.clones(each)
        if not clones:
            model.drop_snapshot(each)
        elif "d" in options.alone:
            each.is_going = True
        else:
            raise Complaint(_in_the_way(each.full_name, "snapshot has dependent clones", "-R", clones))


def _destroy_dataset(model: Model, dataset: Dataset, *, is_recursive: bool) -> None:
    going = model.below(dataset.name)
    snapshots = [each for owner in going for each in model.snapshots_of(owner)]
    if "/" not in dataset.name:
        raise Complaint(f"cannot destroy '{dataset.name}': operation does not apply to pools")
    below = [each.full_name for each in snapshots] + [each.name for each in reversed(going[1:])]
    if below and not is_recursive:
        raise Complaint(_in_the_way(dataset.name, f"{dataset.kind} has children", "-r", below))
    clones = [name for each in snapshots for name in model.clones(each) if model.datasets[name] not in going]
    if clones:
        raise Complaint(_in_the_way(dataset.name, f"{dataset.kind} has dependent clones", "-R", clones))
    for each in going:
        if each.name in model.busy:
            place = model.mountpoint(each)
            text = (
                f"unmount '{place}': pool or dataset"
                if each.is_mounted
                else f"destroy '{each.name}': dataset"
            )
            raise Complaint(f"cannot {text} is busy")
    for each in reversed(going):
        model.drop(each)


def _in_the_way(name: str, what: str, option: str, names: Sequence[str]) -> str:
    lines = [f"cannot destroy '{name}': {what}", f"use '{option}' to destroy the following datasets:", *names]
    return "\n".join(lines)


_COMMANDS: dict[str, Callable[[Model, Sequence[str], str], Iterator[str]]] = {
    "list": _list,
    "get": _get,
    "create": _create,
    "snapshot": _snapshot,
    "clone": _clone,
    "promote": _promote,
    "rename": _rename,
    "set": _set,
    "inherit": _inherit,
    "rollback": _rollback,
    "destroy": _destroy,
    "load-key": keys.load_key,
    "unload-key": keys.unload_key,
    "mount": keys.mount,
    "unmount": keys.unmount,
}
