"""Arguments that name a VM, completed by what there is."""

from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from vmstead.cli.verbs.here import Server
from vmstead.client import Client, ClientError

F = TypeVar("F", bound=Callable[..., Any])

#: Seconds that somebody who presses the tabulator waits at most.
_PATIENCE = 2.0


def vm_argument(name: str = "name", **settings: Any) -> Callable[[F], F]:  # noqa: ANN401
    """An argument that is the name or the id of a VM."""
    return click.argument(name, metavar="NAME", shell_complete=complete_vm, **settings)


def complete_vm(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of VMs that begin so."""

    def names(client: Client) -> list[CompletionItem]:
        rows: Any = client.call("vm.query", [], {"select": ["name", "status"]})
        return [
            CompletionItem(row["name"], help=row["status"]["state"].lower())
            for row in rows
            if row["name"].startswith(incomplete)
        ]

    return asked(ctx, names)


def asked(ctx: click.Context, question: Callable[[Client], list[CompletionItem]]) -> list[CompletionItem]:
    """What the server answers; nothing where it cannot be asked, because this is no place for complaints."""
    server = server_of(ctx)
    if server is None or server.asks:
        return []
    try:
        with server.connect(_PATIENCE) as client:
            return question(client)
    except ClientError:
        return []


def server_of(ctx: click.Context) -> Server | None:
    """The server that the groups before a word name. While completing, their callbacks are not called."""
    given: dict[str, Any] = {}
    above: click.Context | None = ctx
    while above is not None:
        given = {**above.params, **given}
        above = above.parent
    names = ("uri", "username", "api_key_file", "insecure")
    return Server(**{name: given[name] for name in names}) if set(names) <= given.keys() else None
