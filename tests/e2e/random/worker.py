"""Clients that do anything that changes something, and know at every moment what must be there.

Each has things of its own, told by their names, and one call under way at a time. What there is, is a flat mapping
from what it is (``vm w0n1``, ``volume w0n2``) to how it is, so that two of them are compared at a glance. A call
leads from one world to another, and must not stop between, whatever happens to the server.
"""

import random
from collections import Counter, deque
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from tests.harness import Api, ApiFailure

World = dict[str, Any]
POOL = "default"
#: Things of a kind that a client has at most, and the bytes of a new disk.
MOST, SIZE = 4, 4096
#: Calls that are told when something is wrong.
_KEPT = 60
#: How much likelier than once an action is.
_OFTEN = {"do_power": 6, "do_add_device": 3, "do_create_vm": 2}


@dataclass(frozen=True)
class Step:
    """A call, and the worlds that it may leave when it is cut off; the last one is that of its success."""

    method: str
    params: Sequence[Any]
    worlds: Sequence[World]


@dataclass
class Worker:
    """A client. What begins with ``do_`` chooses one thing to do, or finds none.

    Attributes:
        name: what the names of its things begin with.
        has_guests: machines are to be small, for they are emulated.
        world: what it has.
        under_way: the call that has not been answered.
        done: the successful calls by method.
        refused: how other calls were answered.
        told: its last calls, with what came of them.
    """

    name: str
    dice: random.Random
    has_guests: bool = False
    world: World = field(default_factory=dict)
    under_way: Step | None = None
    done: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)
    told: deque[str] = field(default_factory=lambda: deque(maxlen=_KEPT))
    _count: int = 0

    async def work(self, api: Api) -> None:
        """Call one thing after the other until the connection ends."""
        actions = [name for name in dir(self) if name.startswith("do_")]
        weights = [_OFTEN.get(name, 1) for name in actions]
        while not api.socket.closed:
            (action,) = self.dice.choices(actions, weights)
            try:
                step: Step | None = await getattr(self, action)(api)
                if step is not None:
                    await self._take(api, step)
            except (ConnectionError, RuntimeError):
                return

    async def _take(self, api: Api, step: Step) -> None:
        self.under_way = step
        try:
            await api.call(step.method, *step.params)
        except ApiFailure as failure:
            self.refused.append(f"{step.method}: {failure.data.get('reason') or failure}")
            self.told.append(f"{step.method} {str(step.params)[:200]}: {self.refused[-1]}")
        else:
            self.world = step.worlds[-1]
            self.done[step.method] += 1
            self.told.append(f"{step.method} {str(step.params)[:200]}: done")
        self.under_way = None

    def possible(self) -> list[World]:
        """What may be there after a sudden end of the server: what was, or what the call under way leads to."""
        return [self.world, *(self.under_way.worlds if self.under_way else ())]

    # --- for the actions --------------------------------------------------------------------------

    def new(self) -> str:
        """A name that was never used."""
        self._count += 1
        return f"{self.name}n{self._count}"

    def all(self, kind: str) -> list[str]:
        """The names of all things of a kind."""
        return [key.removeprefix(f"{kind} ") for key in self.world if key.startswith(f"{kind} ")]

    def some(self, kind: str, suits: Callable[[str], bool] = lambda _: True) -> str | None:
        """One of the things of a kind."""
        found = [name for name in self.all(kind) if suits(name)]
        return self.dice.choice(found) if found else None

    def is_off(self, name: str) -> bool:
        """Whether a machine is off."""
        return bool(self.world[f"power {name}"] == "STOPPED")

    def step(self, method: str, params: Sequence[Any], *changes: World) -> Step:
        """A call by what it changes: a value is how something is then, None that it is gone."""
        worlds = []
        for change in changes:
            world = {**deepcopy(self.world), **change}
            # A comment goes with its volume.
            for key in [key for key in world if key.startswith("comments ")]:
                if world.get(key.replace("comments ", "volume ", 1)) is None:
                    world[key] = None
            worlds.append({key: value for key, value in world.items() if value is not None})
        return Step(method, params, worlds)

    async def row(self, api: Api, name: str) -> dict[str, Any]:
        """A machine as the server has it."""
        found: dict[str, Any] = await api.call("vm.query", [["name", "=", name]], {"get": True})
        return found


async def id_of(api: Api, query: str, key: str, value: str) -> int:
    """The id of the thing with that name."""
    found: dict[str, Any] = await api.call(query, [[key, "=", value]], {"get": True})
    return int(found["id"])


def said(device: dict[str, Any]) -> str:
    """A device in a word, without what the server makes up."""
    attributes = device["attributes"]
    parts = [attributes["dtype"]]
    if attributes["dtype"] == "DISPLAY":
        parts.append(attributes["type"])
    if attributes.get("path"):
        parts.append(attributes["path"])
    if attributes["dtype"] == "RAW":
        parts.append(str(attributes["size"]))
    return " ".join(parts)
