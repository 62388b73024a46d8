"""What every method and every model must have."""

import inspect
import re
from pathlib import Path

from pydantic import BaseModel

from tests.arch.source import PACKAGE, ROOT
from vmstead.devices import TYPES
from vmstead.kernel.model import SECRET_KEYS, Model
from vmstead.rpc.registry import table
from vmstead.surface import NAMESPACES
from vmstead.system.roles import ROLES

METHODS = table(NAMESPACES)


def all_models(kind: type[BaseModel] = Model) -> list[type[BaseModel]]:
    """The product's own: tests have some too, in this process."""
    found = []
    for child in kind.__subclasses__():
        found += [child, *all_models(child)]
    return [model for model in found if model.__module__.startswith("vmstead.")]


def test_every_method_is_documented_and_guarded() -> None:
    for name, method in METHODS.items():
        assert method.doc, name
        assert method.doc.endswith("."), name
        assert method.role is None or method.role in ROLES, name
        assert re.fullmatch(r"[a-z_.]+\.[a-z0-9_]+", name), name


def test_only_these_methods_can_be_called_without_login() -> None:
    """The list is short, and making it longer is a decision."""
    assert sorted(name for name, method in METHODS.items() if method.is_public) == [
        "auth.login",
        "auth.login_ex",
        "auth.login_ex_continue",
        "auth.login_with_api_key",
        "auth.login_with_token",
        "auth.mechanism_choices",
        "core.ping",
        "core.set_options",
        "system.advanced.login_banner",
        "system.boot_id",
        "user.has_local_administrator_set_up",
    ]


def test_methods_that_need_no_role_are_about_the_session_itself() -> None:
    free = sorted(name for name, method in METHODS.items() if method.role is None and not method.is_public)
    # And about whom a client talks to, which it must find out whatever it may do.
    names = {"system.hostname", "system.version", "system.version_short", "vmstead.version"}
    # And some that look at whose things they are about; for those of others they ask for a role.
    names |= {f"api_key.{name}" for name in ("create", "delete", "my_keys", "update")}
    names |= {"user.renew_2fa_secret", "user.set_password", "user.unset_2fa_secret"}
    assert {name for name in free if not name.startswith(("auth.", "core."))} == names


def test_every_method_builds_its_parameters() -> None:
    """They are built at the first call; a mistake in one must not wait for that."""
    for method in METHODS.values():
        if not method.is_query:
            assert method.model.model_fields.keys() == set(method.parameters)
            method.model.model_json_schema()
        signature = inspect.signature(method.function, eval_str=True)
        assert signature.return_annotation is not inspect.Signature.empty, method.name


def test_every_field_that_clients_send_is_described() -> None:
    described = [model for model in all_models() if not model.__name__.endswith("parameters")]
    silent = [
        f"{model.__name__}.{name}"
        for model in described
        for name, info in model.model_fields.items()
        if not info.description
        and name not in ("dtype", "mechanism", "login_options", "username", "password")
        and name not in ("api_key", "token")
    ]
    assert silent == []


def test_what_looks_like_a_secret_is_treated_as_one() -> None:
    pattern = re.compile(r"pass|secret|token|api_key")
    harmless = {
        *("anonstats_token", "pass_application"),
        *("trust_guest_rx_filters", "password_configured", "password_disabled", "ssh_password_enabled"),
        *("random_password", "last_password_change", "password_age", "password_change_required"),
        *("reconnect_token", "secret_configured", "password_history", "sudo_commands_nopasswd", "api_keys"),
        *("generate_single_use_password", "set_password_data", "api_key_create", "api_key_update"),
    }
    for model in all_models():
        for name in model.model_fields:
            if pattern.search(name) and name not in harmless:
                assert name in SECRET_KEYS, f"{model.__name__}.{name}"


def test_every_device_file_is_in_the_union() -> None:
    files = {path.stem for path in (PACKAGE / "devices").glob("*.py") if not path.stem.startswith("_")}
    used = {Path(inspect.getfile(kind)).stem for kind in TYPES.values()}
    assert files - {"base"} == used


def test_every_method_is_called_by_a_test() -> None:
    texts = "".join(path.read_text() for path in (ROOT / "tests/api").glob("*.py"))
    called = set(re.findall(r"[\"'{]([a-z_.]+\.[a-z0-9_]+)[\"'}]", texts))
    # Tests that go through several methods of a namespace name them without it.
    called |= {f"vm.{name}" for name in ("suspend", "resume", "restart", "poweroff", "stop", "start")}
    assert sorted(METHODS.keys() - called) == []
