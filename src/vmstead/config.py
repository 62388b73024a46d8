"""Settings: a TOML file, then ``VMSTEAD_*`` variables, then options; the later wins.

The file's keys are the names of the options with underscores::

    listen = "0.0.0.0:6080"

    [pools.tank]            # a further pool of volumes and files, seen as /mnt/tank and /dev/zvol/tank
    root = "/srv/tank"

    [pools.fast]            # the same, where the pool is one of ZFS's, or a dataset in one
    zfs = "nvme/vmstead"

    [roots]                 # folders outside the pools that disks and ISO images may lie in
    isos = "/srv/isos"
"""

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from vmstead.addresses import DISPLAY_PORTS, Address, PortRange, read_address, read_display_ports


class ConfigError(Exception):
    """A setting is not understood. The text names it, where it comes from, and what it should look like."""


def _is_root() -> bool:
    return os.geteuid() == 0


def _user_folder(variable: str, fallback: str) -> Path:
    value = os.environ.get(variable, "")
    return Path(value) if value.startswith("/") else Path.home() / fallback


def default_state() -> Path:
    """Where everything that must last is kept."""
    return (
        Path("/var/lib/vmstead") if _is_root() else _user_folder("XDG_STATE_HOME", ".local/state") / "vmstead"
    )


def default_socket() -> Path:
    """Where local clients look for the server."""
    if _is_root():
        return Path("/run/middleware/middlewared.sock")
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    folder = Path(runtime) if os.access(runtime, os.W_OK) else default_state()
    return (
        folder / "vmstead" / "middlewared.sock" if folder != default_state() else folder / "middlewared.sock"
    )


def default_config() -> Path:
    """Where the settings file is looked for."""
    if _is_root():
        return Path("/etc/vmstead/vmstead.toml")
    return _user_folder("XDG_CONFIG_HOME", ".config") / "vmstead" / "vmstead.toml"


def _setting(
    default: Callable[[], object], read: Callable[[object], object], help: str, metavar: str = ""
) -> Any:
    return field(default_factory=default, metadata={"read": read, "help": help, "metavar": metavar})


def _path(value: object) -> Path:
    if not isinstance(value, str | os.PathLike) or not str(value):
        raise ValueError("a path is expected")
    try:
        return Path(value).expanduser().absolute()
    except RuntimeError:
        raise ValueError("a path is expected; there is no user of the name after ~") from None


def _optional_path(value: object) -> Path | None:
    return None if value in (None, "") else _path(value)


def _accelerator(value: object) -> str:
    if value not in ("auto", "kvm", "tcg"):
        raise ValueError("auto, kvm or tcg is expected")
    return str(value)


def _engine(value: object) -> str:
    if isinstance(value, str) and (value in ("auto", "private", "memory") or "://" in value):
        return value
    raise ValueError("auto, private, memory or a libvirt URI such as qemu:///system is expected")


def _log_format(value: object) -> str:
    if value not in ("auto", "text", "json"):
        raise ValueError("auto, text or json is expected")
    return str(value)


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    known = {
        "1": True,
        "true": True,
        "yes": True,
        "on": True,
        "0": False,
        "false": False,
        "no": False,
        "off": False,
    }
    if str(value).lower() not in known:
        raise ValueError("true or false is expected")
    return known[str(value).lower()]


def _positive(value: object) -> int:
    if isinstance(value, bool) or not str(value).isdecimal() or int(str(value)) < 1:
        raise ValueError("a whole number above 0 is expected")
    return int(str(value))


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise ValueError("a text is expected")


def _whole(value: object) -> int:
    if isinstance(value, bool) or not str(value).isdecimal():
        raise ValueError("a whole number is expected")
    return int(str(value))


_ORIGIN = re.compile(r"https?://[^/\s,?#]+/?")


def _origins(value: object) -> tuple[str, ...]:
    listed = value if isinstance(value, list | tuple) else str(value).split(",")
    found = tuple(str(each).strip() for each in listed if str(each).strip())
    if not all(_ORIGIN.fullmatch(each) for each in found):
        raise ValueError("origins such as https://vm.example.org are expected, separated by commas")
    return found


@dataclass(frozen=True)
class Config:
    """Every setting, checked. Fields are the options of ``vmstead serve``."""

    state: Path = _setting(default_state, _path, "Folder for everything that must last.", "DIR")
    listen: Address | None = _setting(
        lambda: Address("127.0.0.1", 6080),
        read_address,
        'Address for TCP connections; "none" for none.',
        "HOST:PORT",
    )
    socket: Path = _setting(default_socket, _path, "Unix socket for local clients.", "PATH")
    engine: str = _setting(
        lambda: "auto",
        _engine,
        "auto, private, memory (no guests at all), or a libvirt URI such as qemu:///system or test:///default.",
        "URI",
    )
    accel: str = _setting(lambda: "auto", _accelerator, "What guests run on: auto, kvm or tcg.", "NAME")
    display_ports: PortRange = _setting(
        lambda: DISPLAY_PORTS,
        read_display_ports,
        "Ports that are given to displays whose clients ask for none.",
        "FROM-TO",
    )
    tls_cert: Path | None = _setting(lambda: None, _optional_path, "Certificate (PEM) for TLS.", "FILE")
    tls_key: Path | None = _setting(lambda: None, _optional_path, "Key (PEM) of the certificate.", "FILE")
    tls: bool = _setting(
        lambda: False, _flag, "Encrypt on loopback, too; without a certificate, with one made by the server."
    )
    plain_http: bool = _setting(
        lambda: False, _flag, "Do not encrypt, even where others can read what is sent."
    )
    origins: tuple[str, ...] = _setting(
        tuple, _origins, "Pages of other servers that may connect, such as https://vm.example.org.", "ORIGINS"
    )
    stop_guests_on_exit: bool = _setting(
        lambda: False, _flag, "Stop all guests before the server ends (for the shutdown of the host)."
    )
    host_power: bool = _setting(
        lambda: False, _flag, "Let users with the role HOST_POWER shut the host down and restart it."
    )
    login_rate: int = _setting(
        lambda: 20,
        _positive,
        "Calls a minute that an address may make of each method before it logs in.",
        "N",
    )
    login_banner: str = _setting(lambda: "", _text, "What people are to read before they log in.", "TEXT")
    history: int = _setting(
        lambda: 60, _whole, "Minutes for which statistics of guests are kept; 0 for none.", "MINUTES"
    )
    open_metrics: bool = _setting(
        lambda: False, _flag, "Let everybody on this machine read /metrics without logging in."
    )
    session_hours: int = _setting(lambda: 720, _positive, "Hours after which a login must be made anew.", "N")
    session_idle: int = _setting(
        lambda: 0, _whole, "Minutes without a call after which a login is over; 0 for no limit.", "N"
    )
    audit_entries: int = _setting(
        lambda: 200_000, _positive, "Entries of the audit trail that are kept at most.", "N"
    )
    log_format: str = _setting(lambda: "auto", _log_format, "auto, text or json.", "NAME")
    pools: Mapping[str, Path] = field(default_factory=dict, metadata={"table": "pools"})
    #: The pools that are ZFS's: the name of the dataset of each.
    zfs_pools: Mapping[str, str] = field(default_factory=dict, metadata={"table": "pools"})
    roots: Mapping[str, Path] = field(default_factory=dict, metadata={"table": "roots"})

    @property
    def is_encrypted(self) -> bool:
        """Whether TCP connections are: always where others could read them, unless that is asked for."""
        if self.plain_http or self.listen is None:
            return False
        return self.tls or self.tls_cert is not None or not self.listen.is_loopback

    @property
    def certificate(self) -> Path | None:
        """The certificate that connections are encrypted with: a given one, or the server's own; None without."""
        if not self.is_encrypted:
            return None
        return self.tls_cert or self.state / "certificate.pem"

    @property
    def is_default_state(self) -> bool:
        """Whether the state lies where the distribution's folder layout has it."""
        return self.state == default_state()


#: The settings that are single values: name -> its dataclass field.
OPTIONS = {item.name: item for item in fields(Config) if "read" in item.metadata}


@dataclass(frozen=True)
class Loaded:
    """Settings together with where each came from, for ``vmstead config show``."""

    config: Config
    origins: Mapping[str, str]


def load(options: Mapping[str, object], file: Path | None = None) -> Loaded:
    """Read the settings.

    Args:
        options: what the command line gave; None values count as not given.
        file: the settings file; by default ``VMSTEAD_CONFIG`` or the usual place, where it may be missing.

    Raises:
        ConfigError: a value or key is not understood, or a file that was asked for cannot be read.
    """
    try:
        named = file or _optional_path(os.environ.get("VMSTEAD_CONFIG"))
    except ValueError as error:
        given = os.environ["VMSTEAD_CONFIG"]
        raise ConfigError(f"VMSTEAD_CONFIG = {given!r} is not understood: {error}") from None
    values, origins = _from_file(named or default_config(), must_exist=named is not None)
    for name in OPTIONS:
        variable = f"VMSTEAD_{name.upper()}"
        if variable in os.environ:
            values[name], origins[name] = os.environ[variable], variable
        if options.get(name) is not None:
            values[name], origins[name] = options[name], f"--{name.replace('_', '-')}"
    settings: dict[str, Any] = {}
    for name, value in values.items():
        settings[name] = value if name not in OPTIONS else _read(name, value, origins[name])
    return Loaded(
        Config(**settings), {name: origins.get(name, "default") for name in (*OPTIONS, "pools", "roots")}
    )


def _read(name: str, value: object, origin: str) -> object:
    try:
        return OPTIONS[name].metadata["read"](value)
    except ValueError as error:
        raise ConfigError(f"{origin}: {name} = {value!r} is not understood: {error}") from None


def _from_file(path: Path, *, must_exist: bool) -> tuple[dict[str, object], dict[str, str]]:
    try:
        with path.open("rb") as stream:
            content = tomllib.load(stream)
    except FileNotFoundError:
        if must_exist:
            raise ConfigError(f"{path}: there is no such file") from None
        return {}, {}
    except OSError as error:
        raise ConfigError(f"{path}: it cannot be read: {error.strerror}") from None
    except ValueError as error:  # it is not TOML, or not even UTF-8
        raise ConfigError(f"{path}: {error}") from None
    unknown = content.keys() - OPTIONS.keys() - {"pools", "roots"}
    if unknown:
        raise ConfigError(
            f"{path}: {min(unknown)} is not a setting; known are {', '.join(sorted(OPTIONS))}, pools, roots"
        )
    values: dict[str, object] = {name: value for name, value in content.items() if name in OPTIONS}
    places = {name: _place(path, name, pool) for name, pool in _table(path, content, "pools").items()}
    values["pools"] = {name: place for name, place in places.items() if isinstance(place, Path)}
    values["zfs_pools"] = {name: place for name, place in places.items() if isinstance(place, str)}
    _apart(path, places)
    values["roots"] = {
        name: _folder(path, f"roots.{name}", root) for name, root in _table(path, content, "roots").items()
    }
    return values, dict.fromkeys((*content,), str(path))


def _table(path: Path, content: Mapping[str, object], name: str) -> Mapping[str, object]:
    table = content.get(name, {})
    if not isinstance(table, dict):
        raise ConfigError(f"{path}: {name} = {table!r} is not understood: a table, [{name}], is expected")
    return table


#: What a pool may be called, as it is the first part of names of volumes; and what a dataset of ZFS is called.
_POOL = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.: -]{0,199}")
_ZFS_DATASET = re.compile(r"[A-Za-z][A-Za-z0-9_.: -]*(/[A-Za-z0-9_][A-Za-z0-9_.: -]*)*")


def _place(file: Path, name: str, pool: object) -> Path | str:
    """Where a pool is: a folder, or the name of a dataset of ZFS."""
    if not isinstance(pool, dict) or len(pool) != 1 or not pool.keys() <= {"root", "zfs"}:
        raise ConfigError(
            f"{file}: pools.{name} = {pool!r} is not understood: a table with root, a folder, or with zfs, a "
            "dataset, is expected"
        )
    if not _POOL.fullmatch(name):
        raise ConfigError(
            f"{file}: pools.{name!r} is no name for a pool: use letters, digits and _ - . : only"
        )
    if "root" in pool:
        return _folder(file, f"pools.{name}.root", pool["root"])
    dataset = pool["zfs"]
    if not isinstance(dataset, str) or not _ZFS_DATASET.fullmatch(dataset):
        raise ConfigError(
            f"{file}: pools.{name}.zfs = {dataset!r} is not understood: the name of a pool or dataset of ZFS is "
            "expected, such as tank or tank/vms"
        )
    return dataset


def _apart(file: Path, places: Mapping[str, Path | str]) -> None:
    """Refuse pools of ZFS that lie in one another: one volume would have two names."""
    datasets = sorted((place, name) for name, place in places.items() if isinstance(place, str))
    for outer, name in datasets:
        for inner, other in datasets:
            if name != other and f"{inner}/".startswith(f"{outer}/"):
                raise ConfigError(f"{file}: pools.{other}.zfs = {inner!r} lies in pools.{name}, {outer!r}")


def _folder(file: Path, name: str, value: object) -> Path:
    if not isinstance(value, str) or not value.startswith("/"):
        raise ConfigError(
            f"{file}: {name} = {value!r} is not understood: the absolute path of a folder is expected"
        )
    return Path(value)
