"""``core.get_methods``, ``core.get_services`` and ``core.get_events``: what can be called and subscribed to."""

from typing import Any, Literal

from vmstead.ctx import Ctx
from vmstead.errors import ApiError
from vmstead.kernel.model import Field, Model, Text
from vmstead.kernel.tasks import others_first
from vmstead.rpc.registry import Method, Namespace
from vmstead.rpc.subscriptions import may_subscribe

core = Namespace("core")

#: Who asks: programs, the command line of TrueNAS, or clients of its former REST API.
Target = Literal["WS", "CLI", "REST"]

#: Where TrueNAS's command line has a service, if not under its own name. None: it does not show it.
_CLI: dict[str, str | None] = {
    "api_key": "auth.api_key",
    "core": None,
    "disk": "storage.disk",
    "filesystem": "storage.filesystem",
    "interface": "network.interface",
    "network.configuration": "network.configuration",
    "pool": "storage",
    "pool.dataset": "storage.dataset",
    "pool.snapshot": "storage.snapshot",
    "privilege": "auth.privilege",
    "user": "account.user",
    "vm": "service.vm",
    "vm.device": "service.vm.device",
}


class MethodMeta(Model):
    """What is told of a method."""

    description: str = Field(description="What it is for.")
    cli_description: str = Field(description="The same in a line.")
    examples: dict[str, list[str]] = Field(description="Requests, by protocol.")
    item_method: bool = Field(description="Its first parameter is the id of an object.")
    no_auth_required: bool = Field(description="It can be called before login.")
    no_authz_required: bool = Field(description="It takes no role.")
    filterable: bool = Field(description="It is a query: it takes filters and options.")
    filterable_schema: dict[str, Any] | None = Field(description="Of a query: JSON Schema of a row.")
    pass_application: bool = Field(description="False.")
    require_websocket: bool = Field(description="False.")
    job: bool = Field(description="A call makes a job.")
    downloadable: bool = Field(description="The job writes a file, for core.download.")
    uploadable: bool = Field(description="The job reads a file, which is uploaded.")
    check_pipes: bool = Field(description="It cannot be called without that file.")
    roles: list[str] = Field(description="What calling it takes.")
    accepts: list[dict[str, Any]] = Field(description="JSON Schema of each parameter, in their order.")
    returns: list[dict[str, Any]] = Field(description="JSON Schema of the result, in a list of its own.")


@core.method(returns=dict[str, MethodMeta])
async def get_methods(ctx: Ctx, service: Text | None = None, target: Target = "WS") -> dict[str, Any]:
    """Every method that this user may call, by name, with JSON Schema of its parameters and result.

    With ``service`` only those of that service. ``target`` CLI leaves out what TrueNAS's command line does not
    show.
    """
    # It takes a while to load, and few need it.
    from vmstead.reference import meta

    found = {}
    for name, method in sorted(ctx.methods.items()):
        space = name.rpartition(".")[0]
        if service not in (None, space) or not _is_shown(space, target) or not _may_call(ctx, method):
            continue
        found[name] = meta(method)
        await others_first()
    return found


class ServiceConfig(Model):
    """How a service presents itself."""

    namespace: str = Field(description="Its name.")
    private: bool = Field(description="False.")
    verbose_name: str = Field(description="Its name as errors have it.")
    role_prefix: str | None = Field(description="What the names of its roles begin with.")
    cli_namespace: str = Field(description="Where TrueNAS's command line has it.")
    cli_private: bool = Field(description="TrueNAS's command line does not show it.")
    cli_description: str | None = Field(description="A line about it.")


class ServiceMeta(Model):
    """What is told of a service."""

    config: ServiceConfig = Field(description="How it presents itself.")
    type: Literal["crud", "config", "service"] = Field(
        description="crud: objects that can be made; config: settings; service: neither."
    )


@core.method(returns=dict[str, ServiceMeta])
async def get_services(ctx: Ctx, target: Target = "WS") -> dict[str, Any]:
    """The services that methods belong to, which is what stands before the last dot of their names."""
    spaces: dict[str, set[str]] = {}
    for name in sorted(ctx.methods):
        space, _, method = name.rpartition(".")
        spaces.setdefault(space, set()).add(method)
    return {
        space: {"config": _config(space), "type": _type(names)}
        for space, names in spaces.items()
        if _is_shown(space, target)
    }


class EventMeta(Model):
    """What is told of a collection of events."""

    description: str = Field(description="What it tells of.")
    private: bool = Field(description="False.")
    roles: list[str] = Field(description="What subscribing takes.")
    accepts: list[dict[str, Any]] = Field(
        description="JSON Schema of what may stand after a colon; or nothing."
    )
    fields: dict[str, Any] = Field(description="JSON Schema of what an event carries.")


@core.method(returns=dict[str, EventMeta])
async def get_events(ctx: Ctx) -> dict[str, Any]:
    """What this user can subscribe to, by name. See ``core.subscribe``."""
    from vmstead.reference import collections, event_meta

    return {
        each.name: event_meta(each)
        for each in collections(ctx.methods, ctx.event_roles, ctx.sources)
        if may_subscribe(ctx.caller, each.name, ctx.event_roles)
    }


def _may_call(ctx: Ctx, method: Method) -> bool:
    try:
        method.authorize(ctx.session.caller)
    except ApiError:
        return False
    return True


def _is_shown(space: str, target: Target) -> bool:
    return target != "CLI" or _CLI.get(space, space) is not None


def _config(space: str) -> dict[str, object]:
    words = space.replace("_", ".").split(".")
    return {
        "namespace": space,
        "private": False,
        "verbose_name": "".join(word.upper() if word == "vm" else word.capitalize() for word in words),
        "role_prefix": space.replace(".", "_").upper(),
        "cli_namespace": _CLI.get(space) or space,
        "cli_private": not _is_shown(space, "CLI"),
        "cli_description": None,
    }


def _type(names: set[str]) -> str:
    if {"query", "create"} <= names:
        return "crud"
    return "config" if {"config", "update"} <= names else "service"
