"""Who may change whose rights: nobody gives what they do not have, and somebody always keeps everything."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from vmstead.ctx import Ctx
from vmstead.errors import CallError, NotAuthorized, Problem
from vmstead.store.accounts import (
    Account,
    LastAdministrator,
    Outdated,
    if_still,
    keeping_an_administrator,
)
from vmstead.store.db import Connection, IntegrityError
from vmstead.system import roles

T = TypeVar("T")


def require_rank(ctx: Ctx, account: Account) -> None:
    """Refuse to touch an account that may do more than the caller. Raises NotAuthorized."""
    if not ctx.caller.may_all(account.all_roles):
        raise NotAuthorized(f"{account.username} has roles that you do not have; ask somebody who has them")


def require_roles(ctx: Ctx, given: Iterable[str]) -> None:
    """Refuse to give roles that the caller does not have. Raises NotAuthorized."""
    missing = sorted(role for role in given if not ctx.caller.may(role))
    if missing:
        raise NotAuthorized(f"You cannot give roles that you do not have: {', '.join(missing)}")


def unknown_roles(field: str, given: Iterable[str]) -> Iterator[Problem]:
    """A problem for each role that there is not."""
    for index, role in enumerate(given):
        if role not in roles.ROLES:
            yield Problem(
                f"{field}.{index}", f"there is no role {role}; privilege.roles lists those that are"
            )


async def write(
    ctx: Ctx,
    change: Callable[[Connection], T],
    seen: Account | None = None,
    then: Callable[[], None] | None = None,
) -> T:
    """Carry out a change of accounts, unless it takes the last administrator away.

    ``seen`` is the account that the caller's rank was compared with; it must still be what it was. ``then`` is
    called when the change is made, before those logins end that it leaves without a ground.

    Raises:
        CallError: EPERM, when nobody would be left who can log in and may do everything; EBUSY, when ``seen`` has
            got other roles in the meantime, or what the change refers to has gone.
    """
    if seen is not None:
        change = if_still(seen, change)
    try:
        result = await ctx.accounts.write(
            keeping_an_administrator(change, roles.is_everything, ctx.clock.now())
        )
    except Outdated:
        raise CallError("The account was changed by somebody else at this moment; try again", 16) from None
    except IntegrityError as error:
        if "FOREIGN KEY" not in str(error):
            raise
        # It was there when it was looked at, and so was what names it now.
        text = "What this refers to, or what refers to it, was changed by somebody else at this moment; look again"
        raise CallError(text, 16) from None
    except LastAdministrator as error:
        raise CallError(
            f"{error} would no longer be able to log in and do everything, and nobody else could; "
            "give somebody else FULL_ADMIN first",
            1,
        ) from None
    if then is not None:
        then()
    ctx.sessions.refresh()
    return result
