"""Accounts as clients of TrueNAS read users, and the host's own users beside them."""

import asyncio
import pwd
from collections.abc import Iterable
from typing import Any

from vmstead.ctx import Services
from vmstead.kernel.model import PLACEHOLDER, Field, Model
from vmstead.rpc.caller import FULL_ADMIN
from vmstead.store.accounts import Account
from vmstead.store.groups import Group
from vmstead.system.accounts import uid_of

Entry = dict[str, Any]

#: What is added to the number of a user or group of the host, which have no ids of their own here.
HOST_IDS = 100_000_000
_DAY = 86_400


class Kept(Model):
    """What TrueNAS has for its users further. It is kept and read back, and has no effect here."""

    home: str = Field(
        "/var/empty", min_length=1, max_length=1024, description="Kept; accounts have no files."
    )
    shell: str = Field("/usr/sbin/nologin", min_length=1, max_length=1024, description="Kept.")
    smb: bool = Field(False, description="Kept.")
    userns_idmap: str | int | None = Field(None, description="Kept.")
    ssh_password_enabled: bool = Field(False, description="Kept.")
    sshpubkey: str | None = Field(None, max_length=16384, description="Kept.")
    sudo_commands: list[str] = Field([], description="Kept.")
    sudo_commands_nopasswd: list[str] = Field([], description="Kept.")
    email: str | None = Field(None, max_length=254, description="Kept.")


class UserShape(Kept):
    """A user."""

    id: int = Field(description="Its number; of users of the host, 100000000 and their uid.")
    uid: int = Field(description="Its number on the host.")
    username: str = Field(description="Its name.")
    unixhash: str | None = Field(description="Stands for the stored password, which is never shown.")
    smbhash: str | None = Field(description="Always null.")
    full_name: str = Field(description="The person's name.")
    builtin: bool = Field(description="It is a user of the host, which cannot be changed here.")
    group: dict[str, Any] = Field(description="Its primary group.")
    groups: list[int] = Field(description="Ids of its other groups.")
    password_disabled: bool = Field(description="It cannot log in with a password.")
    locked: bool = Field(description="It cannot log in at all.")
    id_type_both: bool = Field(description="Always false.")
    local: bool = Field(description="Always true.")
    immutable: bool = Field(description="It cannot be changed here.")
    twofactor_auth_configured: bool = Field(description="It has a second factor.")
    sid: str | None = Field(description="Always null.")
    last_password_change: Any = Field(description="When the password was set; null where there is none.")
    password_age: int | None = Field(description="Days since then.")
    password_history: list[str] | None = Field(description="Always null.")
    password_change_required: bool = Field(description="Always false.")
    roles: list[str] = Field(description="All roles that it was given, without what they include.")
    api_keys: list[int] = Field(description="Numbers of its API keys.")
    granted_roles: list[str] = Field(description="Those of the roles that it has by itself, not by a group.")


def user_entry(services: Services, account: Account, groups: Iterable[Group]) -> Entry:
    """An account as ``user.query`` has it."""
    by_id = {group.id: group for group in groups}
    changed = account.password_changed_at
    return {
        "id": account.id,
        "uid": uid_of(account),
        "username": account.username,
        "unixhash": "*" if account.password_hash is None else PLACEHOLDER,
        "smbhash": None,
        **Kept().model_dump(),
        **account.settings,
        "full_name": account.full_name,
        "builtin": False,
        "group": _primary(by_id.get(account.primary_group)),
        "groups": account.groups,
        "password_disabled": account.password_hash is None,
        "locked": account.locked,
        "id_type_both": False,
        "local": True,
        "immutable": False,
        "twofactor_auth_configured": account.has_second_factor,
        "sid": None,
        "last_password_change": None if changed is None else {"$date": int(changed) * 1000},
        "password_age": None if changed is None else int(max(0.0, services.clock.now() - changed) // _DAY),
        "password_history": None,
        "password_change_required": False,
        "roles": account.all_roles,
        "api_keys": account.api_keys,
        "granted_roles": account.roles,
    }


async def user_entries(services: Services) -> list[Entry]:
    """All accounts, and the host's users without an account of their name."""
    groups = services.groups.all()
    accounts = services.accounts.all()
    names = {account.username for account in accounts}
    # The host may have to ask a directory server for its users.
    found = await asyncio.to_thread(pwd.getpwall)
    host = [_host_user(entry) for entry in found if entry.pw_name not in names]
    return [*(user_entry(services, account, groups) for account in accounts), *host]


def _host_user(entry: pwd.struct_passwd) -> Entry:
    return {
        "id": HOST_IDS + entry.pw_uid,
        "uid": entry.pw_uid,
        "username": entry.pw_name,
        "unixhash": "*",
        "smbhash": None,
        **Kept().model_dump(),
        "home": entry.pw_dir,
        "shell": entry.pw_shell,
        "full_name": entry.pw_gecos.partition(",")[0],
        "builtin": True,
        "group": {"id": HOST_IDS + entry.pw_gid, "bsdgrp_gid": entry.pw_gid},
        "groups": [],
        "password_disabled": True,
        "locked": False,
        "id_type_both": False,
        "local": True,
        "immutable": True,
        "twofactor_auth_configured": False,
        "sid": None,
        "last_password_change": None,
        "password_age": None,
        "password_history": None,
        "password_change_required": False,
        "roles": [FULL_ADMIN] if entry.pw_uid == 0 else [],
        "api_keys": [],
        "granted_roles": [],
    }


def _primary(group: Group | None) -> Entry:
    """A primary group as users have it, with TrueNAS's names."""
    if group is None:
        return {}
    return {
        "id": group.id,
        "bsdgrp_gid": group.gid,
        "bsdgrp_group": group.name,
        "bsdgrp_builtin": group.builtin,
        "bsdgrp_sudo_commands": group.settings.get("sudo_commands", []),
        "bsdgrp_sudo_commands_nopasswd": group.settings.get("sudo_commands_nopasswd", []),
        "bsdgrp_smb": group.settings.get("smb", False),
    }
