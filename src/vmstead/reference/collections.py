"""What clients can subscribe to."""

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from vmstead.kernel.model import Model
from vmstead.rpc.registry import Method
from vmstead.rpc.sources import Source


@dataclass(frozen=True)
class Collection:
    """A collection of events.

    Attributes:
        role: what subscribing takes; None: a session is enough.
        arguments: of an event source: what may stand after the colon.
        fields: type of what an event carries.
    """

    name: str
    role: str | None
    description: str
    arguments: type[Model] | None
    fields: object


def collections(
    methods: Mapping[str, Method], roles: Mapping[str, str | None], sources: Iterable[Source]
) -> list[Collection]:
    """All of them, by name. One that has the name of a query tells of changes in what that answers with."""
    known = {source.name: source for source in sources}
    return [
        _of_source(known[name]) if name in known else _of_query(name, role, methods.get(name))
        for name, role in sorted(roles.items())
    ]


def _of_source(source: Source) -> Collection:
    return Collection(source.name, source.role, source.description, source.arguments, source.fields)


def _of_query(name: str, role: str | None, method: Method | None) -> Collection:
    row = dict[str, Any] if method is None else result_type(method)
    if get_origin(row) is list:
        # An event is about one of those that the method lists.
        (row,) = get_args(row)
    return Collection(name, role, f"Changes of what {name} answers with.", None, row)


def result_type(method: Method) -> Any:  # noqa: ANN401 - any type at all
    """What a method answers with, as a type; of a query, one row."""
    if method.returns is not None:
        return method.returns
    if method.is_query:
        return dict[str, Any]
    annotation = inspect.signature(method.function, eval_str=True).return_annotation
    return Any if annotation is object else annotation
