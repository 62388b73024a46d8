"""``vmstead api-key``: keys with which programs log in, straight in the database."""

import datetime as dt
import re
import time
from pathlib import Path

import click

from vmstead.cli.accounts import Desk, open_desk
from vmstead.cli.options import settings_options
from vmstead.cli.tables import table
from vmstead.store.accounts import ApiKey, NameTaken
from vmstead.system.api_keys import MOST_KEYS
from vmstead.system.secrets import new_api_key

_AGE = re.compile(r"(\d{1,5})([hdwy])")
_SECONDS = {"h": 3600, "d": 86_400, "w": 7 * 86_400, "y": 365 * 86_400}


@click.group("api-key")
def api_key() -> None:
    """API keys of accounts."""


@api_key.command("create")
@click.argument("name")
@click.option(
    "--user", "username", default=None, help="Whose key it is; by default the only account there is."
)
@click.option(
    "--expires", "age", metavar="TIME", help="How long it is valid: 12h, 90d, 4w, 1y. Default: always."
)
@settings_options("state")
def create(
    name: str, username: str | None, age: str | None, config_file: Path | None, **given: object
) -> None:
    """Make an API key and print it. It is shown this once; only what checks it is kept."""
    expires_at = None if age is None else time.time() + _seconds(age)
    with open_desk(given, config_file) as desk:
        account = desk.account(username or _only_account(desk))
        if len(account.api_keys) >= MOST_KEYS:
            raise click.ClickException(f"{account.username} has {MOST_KEYS} API keys; revoke one first")
        key, verifier = new_api_key()
        add = desk.accounts.add_key(name, account.id, verifier, time.time(), expires_at)
        try:
            number = desk.write(add, "api_key.create", f"Create API key {name}")
        except NameTaken:
            raise click.ClickException(f"there is an API key named {name} already") from None
    click.echo(f"{number}-{key}")


@api_key.command("list")
@click.option("--user", "username", default=None, help="Only those of this account.")
@settings_options("state")
def list_(username: str | None, config_file: Path | None, **given: object) -> None:
    """List the API keys. The keys themselves are not kept."""
    with open_desk(given, config_file) as desk:
        if username is not None:
            desk.account(username)
        rows = [
            (str(key.id), key.name, key.username, _day(key.created_at), _state(key))
            for key in desk.accounts.api_keys(username)
        ]
    click.echo(table(("ID", "NAME", "USER", "CREATED", "VALID"), rows))


@api_key.command("revoke")
@click.argument("name")
@click.option("--force", is_flag=True, help="Also if nobody is left then who can log in and do everything.")
@settings_options("state")
def revoke(name: str, force: bool, config_file: Path | None, **given: object) -> None:
    """Make an API key void for good, by its name or number; logins with it end."""
    with open_desk(given, config_file) as desk:
        keys = desk.accounts.api_keys()
        found = [key for key in keys if key.name == name] or [key for key in keys if str(key.id) == name]
        if not found:
            known = ", ".join(key.name for key in keys) or "none"
            raise click.ClickException(f"there is no API key {name}; there is {known}")
        remove = desk.accounts.delete_key(found[0].id)
        desk.write(remove, "api_key.delete", f"Delete API key {found[0].name}", by_force=force)
    click.echo(f"Revoked {found[0].name} of {found[0].username}.")


def _only_account(desk: Desk) -> str:
    names = desk.accounts.names()
    if not names:
        raise click.ClickException("there is no account yet; add one first with: vmstead user add NAME")
    if len(names) > 1:
        raise click.ClickException(f"say whose key it is with --user; there is {', '.join(names)}")
    return names[0]


def _seconds(age: str) -> int:
    match = _AGE.fullmatch(age)
    if match is None or match[1] == "0":
        raise click.ClickException(f"{age!r} is no time: a number and h, d, w or y is expected, such as 90d")
    return int(match[1]) * _SECONDS[match[2]]


def _state(key: ApiKey) -> str:
    if key.revoked_reason is not None:
        return "revoked"
    if key.expires_at is None:
        return "always"
    return f"{'until' if key.expires_at > time.time() else 'expired'} {_day(key.expires_at)}"


def _day(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%d")
