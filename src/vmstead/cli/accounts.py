"""``vmstead user``: accounts, straight in the database.

They work whether the server runs or not, and need the right to read its state folder. A running server takes notice
at once of what they change, and within seconds ends logins that are over by it. Changes are recorded in the audit
trail.
"""

import asyncio
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from vmstead.cli.audited import entry
from vmstead.cli.options import read_settings, settings_options
from vmstead.cli.tables import table
from vmstead.kernel.clock import SystemClock
from vmstead.rpc.caller import FULL_ADMIN
from vmstead.store.accounts import (
    Account,
    AccountStore,
    LastAdministrator,
    NameTaken,
    keeping_an_administrator,
)
from vmstead.store.audit import AuditStore
from vmstead.store.db import Connection, Database, DatabaseError
from vmstead.store.factors import FactorStore
from vmstead.store.files import KEY, open_settings, open_trail
from vmstead.store.groups import GroupStore
from vmstead.store.journal import Journal
from vmstead.store.seal import Seal
from vmstead.system import twofactor
from vmstead.system.roles import ROLES, is_everything
from vmstead.system.secrets import hash_password

T = TypeVar("T")

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")


@dataclass
class Desk:
    """The database, with what is in it."""

    database: Database
    journal: Journal
    seal: Seal

    @property
    def accounts(self) -> AccountStore:
        """Accounts and API keys."""
        return AccountStore(self.database)

    @property
    def groups(self) -> GroupStore:
        """Groups of accounts."""
        return GroupStore(self.database)

    @property
    def factors(self) -> FactorStore:
        """Second factors."""
        return FactorStore(self.database, self.seal)

    def account(self, name: str) -> Account:
        """The account of that name; without one the command ends."""
        account = self.accounts.by_name(name)
        if account is None:
            raise click.ClickException(_no_account(name, self.accounts))
        return account

    def write(
        self, change: Callable[[Connection], T], method: str, what: str, *, by_force: bool = False
    ) -> T:
        """Make a change and record it, unless it takes the last administrator away."""
        trail = AuditStore(self.journal, SystemClock(), sys.maxsize, lambda: 0.0)

        wanted = change if by_force else keeping_an_administrator(change, is_everything, time.time())

        def recorded(connection: Connection) -> T:
            result = wanted(connection)
            # Before the transaction ends: no change without its entry.
            trail.note_now(entry(method, what))
            return result

        try:
            return self.database.write_now(recorded)
        except LastAdministrator as error:
            raise click.ClickException(
                f"nobody but {error} can log in and do everything; add somebody else first, or use --force"
            ) from None


@contextmanager
def open_desk(given: dict[str, object], config_file: Path | None) -> Iterator[Desk]:
    """Open the database of the settings. What is in the way ends the command with one line."""
    state = read_settings(given, config_file).config.state
    try:
        state.mkdir(mode=0o711, parents=True, exist_ok=True)
        database = open_settings(state)
        journal = open_trail(state, thoroughly=False)
    except (OSError, DatabaseError) as error:
        raise click.ClickException(f"the database below {state} cannot be used: {error}") from None
    with closing(database), closing(journal):
        yield Desk(database, journal, Seal(state / KEY))


@click.group()
def user() -> None:
    """Accounts that may log in."""


def _role_option(help: str) -> Callable[[Any], Any]:
    return click.option("--role", "roles", multiple=True, type=click.Choice(sorted(ROLES)), help=help)


_password_stdin = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input instead of asking."
)


@user.command("add")
@click.argument("name")
@click.option("--full-name", default="", help="The person's name.")
@_role_option("What the account may do; can be given several times. Default: FULL_ADMIN.")
@_password_stdin
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
    granted = roles or (FULL_ADMIN,)
    with open_desk(given, config_file) as desk:
        add = desk.accounts.add(name, hashed, granted, full_name, time.time())
        try:
            desk.write(add, "user.create", f"Create user {name}")
        except NameTaken:
            raise click.ClickException(f"there is an account named {name} already") from None
    click.echo(f"Added {name} ({', '.join(granted)}).")


@user.command("list")
@settings_options("state")
def user_list(config_file: Path | None, **given: object) -> None:
    """List the accounts."""
    with open_desk(given, config_file) as desk:
        groups = {group.id: group.name for group in desk.groups.all()}
        rows = [
            (
                *(account.username, account.full_name or "-", ", ".join(account.all_roles) or "none"),
                ", ".join(groups[id] for id in account.groups) or "-",
                _login_of(account),
                str(len(account.api_keys)),
            )
            for account in desk.accounts.all()
        ]
    click.echo(table(("NAME", "FULL NAME", "ROLES", "GROUPS", "LOGIN", "KEYS"), rows))


def _login_of(account: Account) -> str:
    if account.locked:
        return "locked"
    if account.password_hash is None:
        return "no password"
    return "password and code" if account.has_second_factor else "password"


@user.command("set")
@click.argument("name")
@click.option("--full-name", help="The person's name.")
@_role_option("What the account may do, in place of before; can be given several times.")
@click.option("--no-roles", is_flag=True, help="Take away all roles that it has by itself.")
@click.option("--group", "groups", multiple=True, help="Groups that it is in, in place of before.")
@click.option("--lock/--unlock", "locked", default=None, help="Let nobody log in with it, or again.")
@click.option("--no-password", is_flag=True, help="No login with a password any more.")
@click.option("--force", is_flag=True, help="Also if nobody is left then who can log in and do everything.")
@settings_options("state")
def user_set(
    name: str,
    full_name: str | None,
    roles: tuple[str, ...],
    no_roles: bool,
    groups: tuple[str, ...],
    locked: bool | None,
    no_password: bool,
    force: bool,
    config_file: Path | None,
    **given: object,
) -> None:
    """Change an account. What is not given stays as it is."""
    columns: dict[str, object] = {}
    columns |= {} if full_name is None else {"full_name": full_name}
    columns |= {} if locked is None else {"locked": locked}
    columns |= {"roles": list(roles)} if roles or no_roles else {}
    if not columns and not groups and not no_password:
        raise click.UsageError("say what to change; see vmstead user set --help")
    with open_desk(given, config_file) as desk:
        account = desk.account(name)
        members = _group_ids(desk, groups)

        def change(connection: Connection) -> None:
            desk.accounts.update(account.id, columns)(connection)
            if groups:
                desk.accounts.set_groups(account.id, members)(connection)
            if no_password:
                desk.accounts.set_password(name, None, time.time())(connection)

        desk.write(change, "user.update", f"Update user {name}", by_force=force)
    click.echo(f"Changed {name}.")


def _group_ids(desk: Desk, names: Sequence[str]) -> list[int]:
    known = {group.name: group.id for group in desk.groups.all()}
    for name in names:
        if name not in known:
            raise click.ClickException(f"there is no group {name}; there is {', '.join(known)}")
    return [known[name] for name in names]


@user.command("delete")
@click.argument("name")
@click.option("--force", is_flag=True, help="Also if nobody is left then who can log in and do everything.")
@settings_options("state")
def user_delete(name: str, force: bool, config_file: Path | None, **given: object) -> None:
    """Remove an account with its API keys; its logins end."""
    with open_desk(given, config_file) as desk:
        account = desk.account(name)
        remove = desk.accounts.delete(account.id)
        desk.write(remove, "user.delete", f"Delete user {name}", by_force=force)
    click.echo(f"Deleted {name}.")


@user.command("passwd")
@click.argument("name")
@_password_stdin
@settings_options("state")
def user_passwd(name: str, password_stdin: bool, config_file: Path | None, **given: object) -> None:
    """Change an account's password; logins with the old one end."""
    with open_desk(given, config_file) as desk:
        desk.account(name)
        hashed = asyncio.run(hash_password(_read_password(from_stdin=password_stdin)))
        change = desk.accounts.set_password(name, hashed, time.time())
        desk.write(change, "user.set_password", f"Set password of {name}")
    click.echo(f"Changed the password of {name}.")


@user.command("2fa")
@click.argument("name")
@click.option("--off", is_flag=True, help="Take the second factor away.")
@settings_options("state")
def user_2fa(name: str, off: bool, config_file: Path | None, **given: object) -> None:
    """Give an account a second factor: its password asks for a code from then on.

    Prints what an app reads to make the codes, as a text and as its secret. Both are shown this once.
    """
    with open_desk(given, config_file) as desk:
        account = desk.account(name)
        if off:
            unset = desk.factors.unset(account.id)
            desk.write(unset, "user.unset_2fa_secret", f"Unset two-factor authentication secret of {name}")
            click.echo(f"{name} logs in without a code.")
            return
        secret = twofactor.new_secret()
        digits, interval = twofactor.DIGITS, twofactor.INTERVAL
        renew = desk.factors.set(account.id, secret, digits, interval)
        desk.write(renew, "user.renew_2fa_secret", f"Renew two-factor authentication secret of {name}")
    click.echo(twofactor.provisioning_uri(secret, digits, interval, name, os.uname().nodename))
    click.echo(f"Secret, to type into an app: {secret}")


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
