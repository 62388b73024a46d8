"""``vmstead user`` and ``vmstead api-key``: first access, straight to the database.

They work whether the server runs or not, and need the right to read its state folder.
"""

import asyncio
import re
import sys
import time
from contextlib import closing
from pathlib import Path

import click

from vmstead.cli.options import read_settings, settings_options
from vmstead.rpc.caller import FULL_ADMIN
from vmstead.store.accounts import AccountStore, NameTaken
from vmstead.store.db import Database, DatabaseError, open_database
from vmstead.system.roles import ROLES
from vmstead.system.secrets import hash_password, new_api_key

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")


def _open(given: dict[str, object], config_file: Path | None) -> Database:
    state = read_settings(given, config_file).config.state
    try:
        state.mkdir(mode=0o711, parents=True, exist_ok=True)
        return open_database(state / "vmstead.db")
    except (OSError, DatabaseError) as error:
        raise click.ClickException(f"the database below {state} cannot be opened: {error}") from None


@click.group()
def user() -> None:
    """Accounts that may log in."""


@user.command("add")
@click.argument("name")
@click.option("--full-name", default="", help="The person's name.")
@click.option(
    "--role",
    "roles",
    multiple=True,
    type=click.Choice(sorted(ROLES)),
    help="What the account may do; can be given several times. Default: FULL_ADMIN.",
)
@click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input instead of asking."
)
@click.option("--no-password", is_flag=True, help="No login with a password; for accounts that use API keys.")
@settings_options("state")
def user_add(
    name: str,
    full_name: str,
    roles: tuple[str, ...],
    password_stdin: bool,
    no_password: bool,
    config_file: Path | None,
    **given: object,
) -> None:
    """Add an account. The password is asked for, never taken from the command line."""
    if not _NAME.fullmatch(name):
        raise click.ClickException(f"{name!r} is no user name: letters, digits and _ . - only, at most 32")
    password = None if no_password else _read_password(from_stdin=password_stdin)
    hashed = None if password is None else asyncio.run(hash_password(password))
    with closing(_open(given, config_file)) as database:
        accounts = AccountStore(database)
        try:
            database.write_now(accounts.add(name, hashed, roles or (FULL_ADMIN,), full_name, time.time()))
        except NameTaken:
            raise click.ClickException(f"there is an account named {name} already") from None
    click.echo(f"Added {name} ({', '.join(roles or (FULL_ADMIN,))}).")


@user.command("passwd")
@click.argument("name")
@click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input instead of asking."
)
@settings_options("state")
def user_passwd(name: str, password_stdin: bool, config_file: Path | None, **given: object) -> None:
    """Change an account's password."""
    with closing(_open(given, config_file)) as database:
        accounts = AccountStore(database)
        if accounts.by_name(name) is None:
            raise click.ClickException(_no_account(name, accounts))
        hashed = asyncio.run(hash_password(_read_password(from_stdin=password_stdin)))
        database.write_now(accounts.set_password(name, hashed))
    click.echo(f"Changed the password of {name}.")


def _read_password(*, from_stdin: bool) -> str:
    if from_stdin:
        password = sys.stdin.readline().rstrip("\n")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    if not password:
        raise click.ClickException("the password is empty; use --no-password for an account without one")
    if len(password) > 1024:
        raise click.ClickException("the password is longer than 1024 characters")
    return password


def _no_account(name: str, accounts: AccountStore) -> str:
    known = ", ".join(accounts.names())
    way_out = f"there is {known}" if known else f"add it with: vmstead user add {name}"
    return f"there is no account named {name}; {way_out}"


@click.group("api-key")
def api_key() -> None:
    """API keys of accounts."""


@api_key.command("create")
@click.argument("name")
@click.option(
    "--user", "username", default=None, help="Whose key it is; by default the only account there is."
)
@settings_options("state")
def api_key_create(name: str, username: str | None, config_file: Path | None, **given: object) -> None:
    """Make an API key and print it. It is shown this once; only what checks it is kept."""
    with closing(_open(given, config_file)) as database:
        accounts = AccountStore(database)
        owner = username or _only_account(accounts)
        account = accounts.by_name(owner)
        if account is None:
            raise click.ClickException(_no_account(owner, accounts))
        key, verifier = new_api_key()
        try:
            number = database.write_now(accounts.add_key(name, account.id, verifier, time.time()))
        except NameTaken:
            raise click.ClickException(f"there is an API key named {name} already") from None
    click.echo(f"{number}-{key}")


def _only_account(accounts: AccountStore) -> str:
    names = accounts.names()
    if not names:
        raise click.ClickException("there is no account yet; add one first with: vmstead user add NAME")
    if len(names) > 1:
        raise click.ClickException(f"say whose key it is with --user; there is {', '.join(names)}")
    return names[0]
