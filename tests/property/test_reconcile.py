"""``vm.update`` with any list of devices does what the reference says, or nothing."""

import asyncio
import itertools
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from tests.harness import ApiFailure, Host, server
from tests.property import reference_devices as reference

FILES = {"a": 1024, "b": 2048, "iso": 512}
VOLUMES = {"v": 512, "w": 512}
#: What the server chooses where the client does not.
MADE_UP = {"mac", "port", "web_port"}

# A small vocabulary, so that devices get in each other's way, but not always.
MACS = st.sampled_from([None, None, "00:a0:98:00:00:01", "00:a0:98:00:00:02"])
PORTS = st.sampled_from([None, None, 5910, 5911, 5912, 5918])
SIZES = st.sampled_from([512, 1024, 2048, 4096])
FREE = st.sampled_from(["c", "d", "e"])

NIC = {"mac": MACS}
RAW: dict[str, st.SearchStrategy[Any]] = {
    "path": FREE | st.sampled_from(["a", "b", "iso", "theirs"]),
    "exists": st.booleans(),
    "size": SIZES | st.none(),
}
DISK = {"path": st.sampled_from(["v", "w", "v", "w", "x"])}
CDROM = {"path": st.sampled_from(["a", "iso", "iso", "missing", "theirs"])}
DISPLAY = {"type": st.sampled_from(["SPICE", "VNC"]), "port": PORTS, "web_port": PORTS}
NEW_VOLUME = st.sampled_from(["v", "x", "y", "z"]).map(
    lambda name: {"dtype": "DISK", "path": None, "create_zvol": True, "zvol_name": name}
)


def whole(dtype: str, fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"dtype": st.just(dtype), **fields})


ATTRIBUTES = st.one_of(
    whole("NIC", NIC),
    whole("RAW", RAW),
    whole("RAW", {"path": FREE, "exists": st.just(value=False), "size": SIZES}),
    whole("RAW", {"path": st.sampled_from(["a", "b"]), "exists": st.just(value=True), "size": st.none()}),
    whole("DISK", DISK),
    NEW_VOLUME,
    whole("CDROM", CDROM),
    whole("DISPLAY", DISPLAY),
)
#: A change of a device that is there: some of the attributes that one of its type has.
CHANGES = {
    "NIC": st.fixed_dictionaries({}, optional=NIC),
    "RAW": st.fixed_dictionaries({}, optional=RAW),
    "DISK": st.fixed_dictionaries({}, optional=DISK) | NEW_VOLUME,
    "CDROM": st.fixed_dictionaries({}, optional=CDROM),
    "DISPLAY": st.fixed_dictionaries({}, optional=DISPLAY),
}
ORDER = st.fixed_dictionaries({}, optional={"order": st.sampled_from([None, 0, 7, 1500])})
NEW = st.builds(lambda attributes, order: {"attributes": attributes, **order}, ATTRIBUTES, ORDER)
WRONG = st.one_of(
    st.builds(lambda attributes: {"attributes": attributes, "vm": "theirs"}, ATTRIBUTES),
    st.builds(lambda attributes: {"attributes": attributes, "at": 99}, ATTRIBUTES),
    st.builds(lambda attributes: {"attributes": attributes, "at": 0}, ATTRIBUTES),
)


@st.composite
def lists(draw: st.DrawFn, types: Sequence[str]) -> list[dict[str, Any]]:
    """A list for a VM with devices of these types: mostly those that it has, and others, in any order.

    Elements say by ``at`` which of the devices they are.
    """
    elements: list[dict[str, Any]] = draw(st.lists(NEW, min_size=0 if types else 2, max_size=3))
    for at, dtype in enumerate(types):
        if draw(st.integers(0, 5)):
            changes = draw(st.just({}) | st.just({}) | CHANGES[dtype])
            elements.append({"at": at, "attributes": changes, **draw(ORDER)})
    if not draw(st.integers(0, 15)):
        elements.append(draw(WRONG))
    return draw(st.permutations(elements))


@dataclass
class Machine:
    """A server that lasts over all examples. On it there is a VM of somebody else."""

    runner: asyncio.Runner
    host: Host
    theirs: int = 0
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def call(self, method: str, *params: Any) -> Any:
        return self.runner.run(self.host.api.call(method, *params))


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        host = runner.run(stack.enter_async_context(server(tmp_path_factory.mktemp("machine"))))
        machine = Machine(runner, host)
        machine.theirs = machine.call("vm.create", {"name": "theirs", "memory": 64})["id"]
        for attributes in (
            {"dtype": "RAW", "path": "/mnt/default/theirs", "size": 1024},
            {"dtype": "DISPLAY", "type": "VNC", "port": 5918, "web_port": 5919},
        ):
            machine.call("vm.device.create", {"vm": machine.theirs, "attributes": attributes})
        yield machine
        runner.run(stack.aclose())


class Example:
    """A VM with a folder and volumes of its own, and what the reference makes of them."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.name = f"e{next(machine.numbers)}"
        pool = machine.host.config.state / "pools/default"
        self.folder, self.volumes = pool / self.name, pool / ".volumes" / self.name
        for folder, sizes in ((self.folder, FILES), (self.volumes, VOLUMES)):
            folder.mkdir(parents=True)
            for name, size in sizes.items():
                (folder / name).write_bytes(b"x" * size)
        # The disk of somebody else, by a name that it has here.
        (self.folder / "theirs").symlink_to("../theirs")
        self.vm = machine.call("vm.create", {"name": self.name, "memory": 64})["id"]
        self.expected = reference.Host({**FILES, "theirs": 1024}, set(VOLUMES))

    @property
    def types(self) -> list[str]:
        return [device["dtype"] for device in self.expected.devices.values()]

    def written(self, attributes: dict[str, Any]) -> dict[str, Any]:
        """Attributes as a client writes them."""
        written = dict(attributes)
        kind = attributes.get("dtype")
        if written.get("path"):
            is_volume = kind == "DISK"
            folder = "/dev/zvol/default" if is_volume else "/mnt/default"
            written["path"] = f"{folder}/{self.name}/{written['path']}"
        if written.get("create_zvol"):
            written |= {"zvol_name": f"default/{self.name}/{written['zvol_name']}", "zvol_volsize": 512}
        return written

    def elements(self, given: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """A list as a client writes it."""
        written = []
        for each in given:
            element = dict(each)
            known = self.expected.devices.get(element.get("id", 0))
            dtype = {"dtype": known["dtype"]} if known else {}
            element["attributes"] = self.written({**dtype, **element["attributes"]})
            if "vm" in element:
                element["vm"] = self.machine.theirs
            written.append(element)
        return written

    def storage(self) -> tuple[dict[str, int], set[str]]:
        """The files with their sizes, and the volumes."""
        files = {path.name: path.stat().st_size for path in self.folder.iterdir()}
        return files, {path.name for path in self.volumes.iterdir()}

    def update(self, given: list[dict[str, Any]]) -> None:
        """Give the VM a list of devices, and see that what the reference says has happened."""
        ids = dict(enumerate(self.expected.devices))
        given = [
            {**{name: each[name] for name in each.keys() - {"at"}}, "id": ids.get(each["at"], 10**6)}
            if "at" in each
            else each
            for each in given
        ]
        before = self.machine.call("vm.query")
        try:
            after, final = reference.reconciled(self.expected, given)
        except reference.Refused:
            event("refused")
            with pytest.raises(ApiFailure):
                self.machine.call("vm.update", self.vm, {"devices": self.elements(given), "memory": 99})
            assert self.machine.call("vm.query") == before
            assert self.storage() == (self.expected.files, self.expected.volumes)
            return
        event(f"{len(final)} devices")
        entry = self.machine.call("vm.update", self.vm, {"devices": self.elements(given)})
        found = {device["id"]: device for device in entry["devices"]}
        # New devices get their ids in the order of the list.
        fresh = iter(sorted(found.keys() - self.expected.devices.keys()))
        after.devices = {}
        for new in final:
            id = new["id"] if new["id"] is not None else next(fresh)
            stored = found.pop(id)
            self.compare(new, stored)
            made_up = {name: stored["attributes"][name] for name in MADE_UP & stored["attributes"].keys()}
            after.devices[id] = {**new, "id": id, "exists": True, **made_up}
        assert found == {}
        assert self.storage() == (after.files, after.volumes)
        assert self.machine.host.server.services.unfinished.all() == []
        self.expected = after

    def compare(self, expected: dict[str, Any], stored: dict[str, Any]) -> None:
        attributes = stored["attributes"]
        assert (stored["vm"], stored["order"]) == (self.vm, expected["order"])
        written = self.written({key: value for key, value in expected.items() if key != "create_zvol"})
        for name in ("dtype", "path", "size", "type"):
            assert name not in expected or name not in attributes or attributes[name] == written[name], name
        for name in MADE_UP & attributes.keys():
            assert attributes[name] == expected[name] or expected[name] is None
            assert attributes[name] is not None

    def end(self) -> None:
        self.machine.call("vm.delete", self.vm, {"force": True})
        shutil.rmtree(self.folder)
        shutil.rmtree(self.volumes)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), active=st.booleans())
def test_the_devices_are_those_of_the_list_or_nothing_has_changed(
    machine: Machine, data: st.DataObject, active: bool
) -> None:
    example = Example(machine)
    try:
        for _ in range(3):
            example.update(data.draw(lists(example.types)))
        if active:
            machine.call("vm.start", example.vm)
            example.expected.active = True
            example.update(data.draw(lists(example.types)))
    finally:
        example.end()
