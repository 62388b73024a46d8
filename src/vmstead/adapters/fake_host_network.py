"""A host's network of nobody: what steps would change is remembered."""

from collections.abc import Sequence

import msgspec

from vmstead.ports.host_network import (
    Arrive,
    Cabling,
    Hold,
    Kept,
    Management,
    NetworkError,
    Remove,
    Replace,
    Run,
    Step,
    Write,
)


class FakeHostNetwork:
    """Programs do nothing, unless they are told to fail.

    Attributes:
        files: path -> text.
        done: every step that was to be done, in order.
        failing: steps that fail.
        told: what the programs that configure interfaces say of one, by its name.
    """

    def __init__(self, cabling: Cabling | None = None) -> None:
        self.present = cabling or Cabling({})
        self.told: dict[str, Management] = {}
        self.files: dict[str, str] = {}
        self.done: list[Step] = []
        self.failing: list[Step] = []

    async def cabling(self) -> Cabling:
        return self.present

    async def management(self, name: str) -> Management:
        return self.told.get(name, Management(networkd="unmanaged"))

    def record(self, bridge: str) -> str:
        return f"/records/{bridge}.json"

    async def kept(self) -> Sequence[Kept]:
        records = sorted(path for path in self.files if path.startswith("/records/"))
        return [msgspec.json.decode(self.files[path].encode(), type=Kept) for path in records]

    async def perform(self, step: Step) -> None:
        self.done.append(step)
        if isinstance(step, Hold):
            for each in step.steps:
                await self.perform(each)
        if self._fails(step) and not (isinstance(step, Run | Replace | Arrive) and not step.needed):
            raise NetworkError(f"{step} has failed")
        if isinstance(step, Write):
            self.files[step.path] = step.text
        elif isinstance(step, Remove):
            self.files.pop(step.path, None)
        elif isinstance(step, Replace) and self.files.get(step.path, "") == step.old:
            self.files[step.path] = step.new

    def _fails(self, step: Step) -> bool:
        if step in self.failing or (isinstance(step, Run) and step.argv[0] == "false"):
            return True
        return isinstance(step, Replace) and self.files.get(step.path, "") not in (step.old, step.new)


class FakeGuards:
    """Nobody watches; who should have is remembered.

    Attributes:
        posted: the changes that were to be watched, with the seconds that making them may take.
        failure: why nobody can be had, if so.
    """

    def __init__(self) -> None:
        self.posted: list[tuple[str, float]] = []
        self.failure: str | None = None

    async def post(self, change: str, within: float) -> None:
        if self.failure is not None:
            raise NetworkError(self.failure)
        self.posted.append((change, within))
