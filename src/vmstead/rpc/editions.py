"""Versions of the API: each is everything that can be called, less and otherwise what it says.

A client that connects to ``/api/v25.10.0`` gets what that version of TrueNAS has, and nothing that came later or
that TrueNAS does not have. A version is a few lines of differences, never a copy of methods.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeVar

from vmstead.errors import ENOMETHOD, CallError
from vmstead.kernel.bus import Event
from vmstead.rpc.registry import Function, Method

#: Makes another function of a method's: the same parameters, another answer.
Adapter = Callable[[Function], Function]
T = TypeVar("T")


@dataclass(frozen=True)
class Edition:
    """One version of the API.

    Attributes:
        name: as in its address: ``v25.10.0`` or ``current``.
        is_announced: ``/api/versions`` lists it.
        without: methods and collections that it has never heard of.
        later: methods that came with a later version: calls are told that it is too early for them.
        hidden: method or collection -> members that its answers do not have, as dotted paths from the object; lists
            are gone through, ``*`` is every key.
        adapted: methods that answer otherwise.
    """

    name: str
    is_announced: bool = True
    without: frozenset[str] = frozenset()
    later: frozenset[str] = frozenset()
    hidden: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    adapted: Mapping[str, Adapter] = field(default_factory=dict)

    def before(
        self, name: str, *, lacks: Iterable[str] = (), adapted: Mapping[str, Adapter] = MappingProxyType({})
    ) -> "Edition":
        """The version before this one: what it lacks yet, and what it answers otherwise."""
        return dataclasses.replace(
            self, name=name, later=self.later.union(lacks), adapted={**self.adapted, **adapted}
        )

    def methods(self, table: Mapping[str, Method]) -> dict[str, Method]:
        """The methods of this version, out of all that there are."""
        absent = self.without | self.later
        return {name: self._method(method) for name, method in table.items() if name not in absent}

    def _method(self, method: Method) -> Method:
        function = method.function
        if method.name in self.adapted:
            # Its signature and text stay those of the method.
            function = functools.wraps(function)(self.adapted[method.name](function))
        if method.name in self.hidden:
            function = _hiding(function, self.hidden[method.name])
        return method if function is method.function else dataclasses.replace(method, function=function)

    def refusal(self, name: str) -> CallError | None:
        """What a call of a method is answered with that came later; None for all others."""
        if name not in self.later:
            return None
        service, _, method = name.rpartition(".")
        return CallError(f"Method {method!r} not found in {service!r}", ENOMETHOD)

    def event(self, event: Event) -> Event | None:
        """An event as clients of this version see it; None where they do not."""
        # Arguments of an event source are part of the collection's name.
        name = event.collection.partition(":")[0]
        if name in self.without:
            return None
        paths = self.hidden.get(name)
        if paths is None or event.fields is None:
            return event

        def adapt(event: Event) -> Event:
            return dataclasses.replace(event, fields=without_members(event.fields, paths))

        return event.once(self.name, adapt)


def without_members(value: T, paths: tuple[str, ...]) -> T:
    """A copy of an answer that lacks the members at these paths."""
    copy: Any = value
    for path in paths:
        copy = _without(copy, path.split("."))
    result: T = copy
    return result


def _without(value: object, path: list[str]) -> object:
    if isinstance(value, list):
        return [_without(item, path) for item in value]
    if not isinstance(value, dict):
        return value
    key, rest = path[0], path[1:]
    if not rest:
        return {name: item for name, item in value.items() if name != key}
    return {name: _without(item, rest) if key in (name, "*") else item for name, item in value.items()}


def _hiding(function: Function, paths: tuple[str, ...]) -> Function:
    @functools.wraps(function)
    async def hiding(*arguments: object) -> object:
        return without_members(await function(*arguments), paths)

    return hiding
