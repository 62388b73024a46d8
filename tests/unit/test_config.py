"""Settings: which place wins, what is understood, and what is said when it is not."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from vmstead.addresses import Address, PortRange
from vmstead.config import (
    OPTIONS,
    Config,
    ConfigError,
    Loaded,
    default_config,
    default_socket,
    default_state,
    load,
)

IS_ROOT = os.geteuid() == 0


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment in which nothing is set, and a home."""
    for name in os.environ:
        if name.startswith(("VMSTEAD_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "vmstead.toml"


@contextmanager
def user(root: bool) -> Iterator[None]:
    """Be root, or be somebody who is not."""
    if root and not IS_ROOT:
        pytest.skip("only root can be root")
    before = os.geteuid()
    if not root and IS_ROOT:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


def loaded(file: Path, text: str = "", **options: object) -> Loaded:
    file.write_text(text)
    return load(options, file)


def value_of(file: Path, name: str, toml: str) -> object:
    return getattr(loaded(file, f"{name} = {toml}\n").config, name)


def mistake(file: Path, text: str = "", **options: object) -> str:
    with pytest.raises(ConfigError) as raised:
        loaded(file, text, **options)
    message = str(raised.value)
    assert "\n" not in message
    return message


# --- which place wins -----------------------------------------------------------------------------


def test_without_anything_set_there_are_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/nonexistent")
    with user(root=False):
        settings = load({})
        assert settings.config == Config()
        assert settings.config.is_default_state
    assert {*settings.origins.values()} == {"default"}
    assert settings.origins.keys() == {*OPTIONS, "pools", "roots"}
    assert str(settings.config.listen) == "127.0.0.1:6080"


def test_the_file_is_overruled_by_variables_and_those_by_options(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = 'accel = "kvm"\nlog_format = "json"\nlogin_rate = 5\n[roots]\nisos = "/srv/isos"\n'
    monkeypatch.setenv("VMSTEAD_ACCEL", "tcg")
    monkeypatch.setenv("VMSTEAD_LOGIN_RATE", "6")
    settings = loaded(file, text, login_rate="7", engine=None)
    assert (settings.config.log_format, settings.origins["log_format"]) == ("json", str(file))
    assert (settings.config.accel, settings.origins["accel"]) == ("tcg", "VMSTEAD_ACCEL")
    assert (settings.config.login_rate, settings.origins["login_rate"]) == (7, "--login-rate")
    assert (settings.config.engine, settings.origins["engine"]) == ("auto", "default")
    assert (settings.origins["roots"], settings.origins["pools"]) == (str(file), "default")


def test_a_bad_value_that_is_overruled_does_not_matter(file: Path) -> None:
    assert loaded(file, 'accel = "nonsense"', accel="tcg").config.accel == "tcg"


def test_an_option_that_says_no_is_said(file: Path) -> None:
    assert loaded(file, "stop_guests_on_exit = true").config.stop_guests_on_exit is True
    assert loaded(file, "stop_guests_on_exit = true", stop_guests_on_exit=False).config == Config(
        stop_guests_on_exit=False
    )


def test_the_file_can_be_named_in_three_ways(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("option", "variable"):
        (home / name).write_text(f'[roots]\n{name} = "/srv"\n')
    monkeypatch.setenv("VMSTEAD_CONFIG", str(home / "variable"))
    assert load({}, home / "option").config.roots == {"option": Path("/srv")}
    assert load({}).config.roots == {"variable": Path("/srv")}
    monkeypatch.setenv("VMSTEAD_CONFIG", "~/variable")
    assert load({}).config.roots == {"variable": Path("/srv")}
    monkeypatch.setenv("VMSTEAD_CONFIG", "")
    if not IS_ROOT:
        usual = home / ".config/vmstead/vmstead.toml"
        usual.parent.mkdir(parents=True)
        usual.write_text('[roots]\nusual = "/srv"\n')
        assert load({}).config.roots == {"usual": Path("/srv")}


# --- where things are -----------------------------------------------------------------------------


def test_roots_places_are_the_systems() -> None:
    with user(root=True):
        assert default_state() == Path("/var/lib/vmstead")
        assert default_socket() == Path("/run/middleware/middlewared.sock")
        assert default_config() == Path("/etc/vmstead/vmstead.toml")


def test_a_users_places_are_in_the_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/nonexistent")
    with user(root=False):
        assert default_state() == home / ".local/state/vmstead"
        assert default_config() == home / ".config/vmstead/vmstead.toml"
        assert default_socket() == home / ".local/state/vmstead/middlewared.sock"


def test_a_users_places_follow_the_desktops_variables(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("STATE_HOME", "CONFIG_HOME", "RUNTIME_DIR"):
        (home / variable).mkdir()
        monkeypatch.setenv(f"XDG_{variable}", str(home / variable))
    with user(root=False):
        assert default_state() == home / "STATE_HOME/vmstead"
        assert default_config() == home / "CONFIG_HOME/vmstead/vmstead.toml"
        assert default_socket() == home / "RUNTIME_DIR/vmstead/middlewared.sock"


def test_a_variable_that_is_no_absolute_path_is_ignored(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("", "relative"):
        monkeypatch.setenv("XDG_STATE_HOME", value)
        with user(root=False):
            assert default_state() == home / ".local/state/vmstead"


def test_a_state_elsewhere_is_not_the_default(home: Path) -> None:
    assert not Config(state=home).is_default_state


# --- what is understood ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "toml", "value"),
    [
        ("listen", '"0.0.0.0:80"', Address("0.0.0.0", 80)),
        ("listen", '"none"', None),
        ("listen", '""', None),
        ("engine", '"private"', "private"),
        ("engine", '"qemu+ssh://host/system"', "qemu+ssh://host/system"),
        ("accel", '"kvm"', "kvm"),
        ("log_format", '"text"', "text"),
        ("tls_cert", '"/etc/cert.pem"', Path("/etc/cert.pem")),
        ("tls_cert", '""', None),
        ("socket", '"/run/x.sock"', Path("/run/x.sock")),
        ("stop_guests_on_exit", "true", True),
        ("stop_guests_on_exit", "0", False),
        ("stop_guests_on_exit", '"Yes"', True),
        ("stop_guests_on_exit", '"OFF"', False),
        ("tls", "true", True),
        ("plain_http", "true", True),
        (
            "origins",
            '"https://a.example, http://localhost:4200/"',
            ("https://a.example", "http://localhost:4200/"),
        ),
        ("origins", '["https://a.example"]', ("https://a.example",)),
        ("origins", '""', ()),
        ("display_ports", '"5900-5999"', PortRange(5900, 5999)),
        ("login_rate", "1", 1),
        ("login_rate", '"100"', 100),
        ("host_power", "true", True),
        ("login_banner", '"For members only."', "For members only."),
        ("login_banner", '""', ""),
        ("history", "0", 0),
    ],
)
def test_good_values(file: Path, name: str, toml: str, value: object) -> None:
    got = value_of(file, name, toml)
    assert (got, type(got)) == (value, type(value))


def test_paths_may_start_at_home_or_here(home: Path, file: Path) -> None:
    assert value_of(file, "state", '"~/vms"') == home / "vms"
    assert value_of(file, "state", '"vms"') == Path.cwd() / "vms"


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("", False),
        ("192.0.2.1", False),
        ("fe80::1%eth0", False),
        ("host.example", False),
    ],
)
def test_what_others_can_reach_is_encrypted(host: str, is_loopback: bool) -> None:
    address = Address(host, 6080)
    assert address.is_loopback is is_loopback
    assert Config(listen=address).is_encrypted is not is_loopback
    assert Config(listen=address, tls=True).is_encrypted
    assert Config(listen=address, tls_cert=Path("/x.pem")).is_encrypted
    assert not Config(listen=address, plain_http=True).is_encrypted
    assert not Config(listen=None, tls=True).is_encrypted
    own = Path("/s/certificate.pem")
    assert Config(state=Path("/s"), listen=address).certificate == (None if is_loopback else own)
    assert Config(state=Path("/s"), listen=address, tls_cert=Path("/x.pem")).certificate == Path("/x.pem")


def test_pools_and_roots_are_tables_of_folders(file: Path) -> None:
    text = '[pools.tank]\nroot = "/srv/tank"\n[pools."a b"]\nroot = "/x"\n[roots]\nisos = "/srv/isos"\n'
    config = loaded(file, text).config
    assert config.pools == {"tank": Path("/srv/tank"), "a b": Path("/x")}
    assert config.roots == {"isos": Path("/srv/isos")}


def test_pools_can_be_of_zfs(file: Path) -> None:
    text = '[pools.tank]\nzfs = "tank"\n[pools.fast]\nzfs = "nvme/vm data"\n[pools.slow]\nroot = "/srv"\n'
    config = loaded(file, text).config
    assert config.zfs_pools == {"tank": "tank", "fast": "nvme/vm data"}
    assert config.pools == {"slow": Path("/srv")}


# --- what is not ----------------------------------------------------------------------------------

#: Bad values, as TOML and as Python has them, and what is expected instead.
BAD = [
    ("listen", '"6080"', "6080", "HOST:PORT is expected"),
    ("listen", "6080", 6080, "HOST:PORT is expected"),
    ("engine", '"xen"', "xen", "auto, private, memory or a libvirt URI"),
    ("engine", '["a://b"]', ["a://b"], "auto, private, memory or a libvirt URI"),
    ("accel", '"KVM"', "KVM", "auto, kvm or tcg"),
    ("accel", "1", 1, "auto, kvm or tcg"),
    ("log_format", '"xml"', "xml", "auto, text or json"),
    ("stop_guests_on_exit", '"perhaps"', "perhaps", "true or false"),
    ("stop_guests_on_exit", "2", 2, "true or false"),
    ("stop_guests_on_exit", '""', "", "true or false"),
    ("tls", '"perhaps"', "perhaps", "true or false"),
    ("plain_http", "2", 2, "true or false"),
    ("origins", '"a.example"', "a.example", "origins such as https://vm.example.org"),
    ("origins", '"https://a.example/page"', "https://a.example/page", "separated by commas"),
    ("origins", '["https://a.example", 7]', ["https://a.example", 7], "separated by commas"),
    ("origins", '"null"', "null", "separated by commas"),
    ("display_ports", "5900", 5900, "such as 5900-5999"),
    ("login_rate", "0", 0, "a whole number above 0"),
    ("login_rate", "-1", -1, "a whole number above 0"),
    ("login_rate", "1.5", 1.5, "a whole number above 0"),
    ("login_rate", "true", True, "a whole number above 0"),
    ("login_rate", '"many"', "many", "a whole number above 0"),
    ("host_power", '"perhaps"', "perhaps", "true or false"),
    ("open_metrics", '"perhaps"', "perhaps", "true or false"),
    ("login_banner", "5", 5, "a text"),
    ("history", "-1", -1, "a whole number"),
    ("history", "true", True, "a whole number"),
    ("session_hours", "0", 0, "a whole number above 0"),
    ("session_idle", "-1", -1, "a whole number"),
    ("session_idle", "1.5", 1.5, "a whole number"),
    ("session_idle", "true", True, "a whole number"),
    ("audit_entries", "0", 0, "a whole number above 0"),
    ("state", '""', "", "a path"),
    ("state", "5", 5, "a path"),
    ("state", '"~nobody-of-that-name/x"', "~nobody-of-that-name/x", "a path"),
    ("socket", "false", False, "a path"),
    ("tls_key", "0", 0, "a path"),
]


@pytest.mark.parametrize(("name", "toml", "value", "expected"), BAD)
def test_a_bad_value_is_named_with_its_origin_and_what_is_expected(
    file: Path, name: str, toml: str, value: object, expected: str
) -> None:
    file.with_name("empty").touch()
    message = mistake(file, f"{name} = {toml}\n")
    assert message.startswith(f"{file}: {name} = {value!r} is not understood: ")
    assert expected in message
    with pytest.raises(ConfigError, match=f"^--{name.replace('_', '-')}: {name} = "):
        load({name: value}, file.with_name("empty"))


def test_every_setting_is_among_the_bad_examples() -> None:
    assert {name for name, *_ in BAD} == OPTIONS.keys() - {"tls_cert"}


def test_a_bad_variable_is_named(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VMSTEAD_LISTEN", "nowhere")
    assert mistake(file).startswith("VMSTEAD_LISTEN: listen = 'nowhere' is not understood: HOST:PORT")


def test_a_key_that_is_no_setting_is_named_and_so_are_those_that_are(file: Path) -> None:
    message = mistake(file, "[pools]\n[lissten]\na = 1\n")
    assert message.startswith(
        f"{file}: lissten is not a setting; known are accel, audit_entries, display_ports, engine, "
    )
    assert message.endswith("pools, roots")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pools = 5", r"pools = 5 is not understood: a table, \[pools\], is expected"),
        ("[[roots]]", r"roots = \[\{\}\] is not understood: a table, \[roots\], is expected"),
        ("[pools]\ntank = '/srv'", r"pools\.tank = '/srv' is not understood: a table with root, "),
        ("[pools.tank]", r"pools\.tank = \{\} is not understood: a table with root, "),
        ("[pools.tank]\nroot = '/a'\nrot = '/b'", r"pools\.tank = \{.*'rot'.*\} is not understood: "),
        (
            "[pools.tank]\nroot = '/a'\nzfs = 'tank'",
            r"pools\.tank = \{.*\} is not understood: a table with root, ",
        ),
        (
            "[pools.tank]\nzfs = 5",
            r"pools\.tank\.zfs = 5 is not understood: the name of a pool or dataset of ZFS",
        ),
        (
            "[pools.tank]\nzfs = '-o'",
            r"pools\.tank\.zfs = '-o' is not understood: the name of a pool or dataset",
        ),
        ("[pools.tank]\nzfs = 'a//b'", r"pools\.tank\.zfs = 'a//b' is not understood: "),
        ("[pools.tank]\nzfs = 'a@b'", r"pools\.tank\.zfs = 'a@b' is not understood: "),
        ("[pools.'a/b']\nzfs = 'a'", r"pools\.'a/b' is no name for a pool: use letters, digits and"),
        ("[pools.a]\nzfs = 't'\n[pools.b]\nzfs = 't/x'", r"pools\.b\.zfs = 't/x' lies in pools\.a, 't'"),
        ("[pools.a]\nzfs = 't'\n[pools.b]\nzfs = 't'", r"pools\..\.zfs = 't' lies in pools\.., 't'"),
        ("[pools.tank]\nroot = 'a'", r"pools\.tank\.root = 'a' is not understood: the absolute path of a "),
        ("[pools.tank]\nroot = 5", r"pools\.tank\.root = 5 is not understood: the absolute path of a folder"),
        ("[roots]\nisos = '~/isos'", r"roots\.isos = '~/isos' is not understood: the absolute path of a "),
    ],
)
def test_a_bad_table_is_named(file: Path, text: str, message: str) -> None:
    assert re.match(rf"{re.escape(str(file))}: {message}", mistake(file, text))


@pytest.mark.parametrize("content", [b"listen = ", b"listen = 1\nlisten = 2", b"\xff\xfe", b"\0"])
def test_a_file_that_is_no_toml_is_named(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=f"^{re.escape(str(file))}: "):
        load({}, file)


def test_a_file_that_was_asked_for_must_be_there(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"vmstead\.toml: there is no such file$"):
        load({}, file)
    monkeypatch.setenv("VMSTEAD_CONFIG", str(file))
    with pytest.raises(ConfigError, match=r"vmstead\.toml: there is no such file$"):
        load({})


def test_a_file_that_cannot_be_read_is_named_once(file: Path) -> None:
    file.mkdir()
    with pytest.raises(ConfigError) as raised:
        load({}, file)
    assert str(raised.value) == f"{file}: it cannot be read: Is a directory"


def test_a_name_of_the_file_that_is_not_understood_is_a_mistake_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VMSTEAD_CONFIG", "~nobody-of-that-name/x")
    with pytest.raises(ConfigError, match=r"^VMSTEAD_CONFIG = '~nobody-of-that-name/x' is not understood: "):
        load({})
