"""``auth.sessions``: who is logged in, and how to end that."""

from typing import Any, Literal

from vmstead.ctx import Ctx
from vmstead.kernel.model import Field, Model, NonEmpty
from vmstead.query import Query
from vmstead.rpc.registry import Namespace

auth = Namespace("auth")

_REASON = "the session was ended by an administrator"


class SessionShape(Model):
    """Somebody who is logged in on a connection."""

    id: str = Field(description="A uuid.")
    current: bool = Field(description="It is the session that asks.")
    internal: bool = Field(
        description="It is the machine's root, or the server's own user, on the unix socket."
    )
    origin: str = Field(description="Where it comes from.")
    credentials: Literal[
        "UNIX_SOCKET",
        "LOGIN_PASSWORD",
        "LOGIN_TWOFACTOR",
        "LOGIN_ONETIME_PASSWORD",
        "API_KEY",
        "TOKEN",
    ] = Field(description="How it logged in.")
    credentials_data: dict[str, Any] = Field(description="User name, time, and what else belongs to that.")
    created_at: object = Field(description="When it logged in.")
    secure_transport: bool = Field(description="What is sent cannot be read on the way.")


@auth.query(role="AUTH_SESSIONS_READ", returns=SessionShape)
async def sessions(ctx: Ctx, query: Query) -> object:
    """Who is logged in, the first first."""
    return query.apply(ctx.sessions.rows(ctx.session))


@auth.method(role="AUTH_SESSIONS_WRITE", audit="Terminate session {id}")
async def terminate_session(ctx: Ctx, id: NonEmpty) -> bool:
    """End a session: its connection is closed, its tokens and what was logged in with them are gone.

    Answers false when there is no such session.
    """
    return ctx.sessions.end(id, _REASON)


@auth.method(role="AUTH_SESSIONS_WRITE", audit="Terminate all other sessions")
async def terminate_other_sessions(ctx: Ctx) -> bool:
    """End all sessions but this one and those of the machine's root on the unix socket."""
    mine = ctx.caller.logins
    for id in ctx.sessions.ids(lambda caller: not caller.is_internal and not {*caller.logins} & {*mine}):
        ctx.sessions.end(id, _REASON)
    return True
