"""Checks of answers that many tests need: their shape, and who may have them."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

from pydantic import TypeAdapter

from tests.harness import Api, Host
from vmstead.rpc.caller import Caller
from vmstead.system.roles import expand


async def shaped(host: Host, method: str, *params: Any) -> Any:
    """The result of a call, once it has been found to have the shape that the reference gives it."""
    result = await host.api.call(method, *params)
    known = host.server.services.methods[method]
    one = TypeAdapter[Any](cast("Any", known.returns))
    for each in result if known.is_query and isinstance(result, list) else [result]:
        one.validate_json(json.dumps(each))
    return result


@asynccontextmanager
async def with_roles(host: Host, *roles: str) -> AsyncIterator[Api]:
    """A client with these roles and what they include."""
    caller = Caller("somebody", expand(roles), "LOGIN_PASSWORD", {})
    token = host.server.services.tokens.issue(caller, "session")
    async with host.connect(over_tcp=True) as api:
        assert await api.call("auth.login_with_token", token)
        yield api


async def needs_role(host: Host, role: str, *calls: Sequence[Any]) -> None:
    """Fail unless each call (the method and its parameters) succeeds with the role and not without."""
    async with with_roles(host, "VM_DEVICE_WRITE") as other, with_roles(host, role) as holder:
        for method, *params in calls:
            failure = await other.failure(method, *params)
            assert (failure.errno, failure.reason) == (13, "[EACCES] Not authorized"), method
            await holder.call(method, *params)
