"""Values by JSON Schema: such as fit it, such as nearly do, and the word of an independent judge on each."""

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

import jsonschema
from hypothesis import strategies as st

Schema: TypeAlias = Mapping[str, Any]
Values: TypeAlias = st.SearchStrategy[Any]

#: How deep values are nested that may be anything, and how often a schema may contain itself.
_DEPTH = 3

#: What people and programs send: names that meet each other, and a few that nobody should.
TEXTS = st.one_of(
    st.sampled_from(
        [
            *("", "a", "b", "web01", "vm", "default", "default/a", "default/b", "default/a@s", "default/x/y"),
            *("/mnt/default/a", "/mnt/default/a.qcow2", "/mnt/default", "/dev/zvol/default/a", "/etc/passwd"),
            *("/mnt/default/../../etc", "/mnt/default/a\0b", "../a", "00:a0:98:00:00:01", "0000:01:00.0"),
            *("usb_1_2", "0-3", "0,2", "1024x768", "127.0.0.1", "0.0.0.0", "::", "********", "{0}", "%s"),
            *("vm.query", "core.ping", "core.get_jobs", "vm.stop", "vm.log_file_download", "*", "vm.stats:{"),
            *(
                'reporting.realtime:{"interval": 2}',
                "status.state",
                "-id",
                "(?i)a",
                "[",
                "x" * 1025,
                "é",
                "\x7f",
            ),
            *("1-" + "a" * 64, "755", "aGVsbG8K", "user", "br0", "6f9f4f5e-6d3c-4b44-9df9-0d6f7d3f9a52"),
        ]
    ),
    st.text(max_size=8),
)
INTEGERS = st.one_of(
    st.integers(-1, 6),
    st.sampled_from(
        [20, 64, 512, 1024, 5900, 65536, 2**31, 2**53 - 1, 2**53, 2**63, 2**64, -(2**63), 10**30]
    ),
    st.integers(),
)
SCALARS = st.none() | st.booleans() | INTEGERS | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(TEXTS, ANYTHING, max_size=3)


class Ref(int):
    """Stands for the id of an object that there is when the call is made, of the kind that the method is about."""


class VmRef(Ref):
    """Stands for the id of a virtual machine."""


VOLUMES = ("default/a", "default/b", "default/c")
FILES = (
    "/mnt/default",
    "/mnt/default/a",
    "/mnt/default/b.raw",
    "/mnt/default/c.qcow2",
    "/mnt/default/folder",
)
PATHS = (*FILES, *(f"/dev/zvol/{name}" for name in VOLUMES))
CHOICES = ("RUNNING", "STOPPED", 1, None)
#: What a member of that name most likely is. What does not fit the schema in its place is left out there.
HINTS: dict[str, tuple[Any, ...]] = {
    "id": (*(Ref(each) for each in range(2)), *VOLUMES, "default/a@s", "eth0"),
    "vm": tuple(VmRef(each) for each in range(2)),
    "name": ("c", "d", "e", "s", *VOLUMES),
    "memory": (64, 128),
    "min_memory": (20, 64, None),
    "uuid": ("6f9f4f5e-6d3c-4b44-9df9-0d6f7d3f9a52", None),
    "cpuset": ("0-1", None),
    "nodeset": ("0", None),
    "cpu_model": ("EPYC", None),
    "machine_type": ("q35", None),
    "arch_type": ("x86_64", None),
    "bootloader_ovmf": ("OVMF_CODE.fd", None),
    "command_line_args": ("", "-snapshot"),
    "vcpus": (1, 2),
    "cores": (1, 2),
    "threads": (1, 2),
    "path": (*PATHS, None),
    "zvol_name": (*VOLUMES, None),
    "zvol_volsize": (512, 1024**2, None),
    "volsize": (512, 1024**2, 2 * 1024**2),
    "size": (512, 1024**2, None),
    "logical_sectorsize": (512, None),
    "serial": ("abcdefgh", None),
    "nic_attach": ("user", None),
    "mac": ("00:a0:98:00:00:01", None),
    "port": (5900, 5910, None),
    "web_port": (6900, None),
    "bind": ("127.0.0.1", "0.0.0.0"),
    "password": ("secret", "", None),
    "pptdev": ("0000:01:00.0", "pci_0000_01_00_0"),
    "device": ("usb_1_2", "pci_0000_01_00_0", None),
    "order": (None, 1000, 1001, 1),
    "dataset": VOLUMES,
    "dataset_dst": ("default/b", "default/d"),
    "snapshot": ("default/a@s",),
    "pool": ("default",),
    "source": PATHS,
    "destination": PATHS,
    "diskimg": FILES,
    "zvol": VOLUMES,
    "directory": ("/mnt/default",),
    "content": ("aGVsbG8K", ""),
    "mode": (420, "755", None),
    "event": ("vm.query", "core.get_jobs", "vm.stats", 'reporting.realtime:{"interval": 2}', "*"),
    "method": ("vm.get_instance", "vm.start", "vm.stop", "core.ping", "vm.query", "filesystem.get"),
    "params": ([[VmRef(0)], [VmRef(1)]], [[]], [[[], {"count": True}]]),
    "args": ([VmRef(0)], ["/mnt/default/a"]),
    "devices": ([], [{"attributes": {"dtype": "NIC", "nic_attach": "user"}}]),
    "filters": ([["id", "=", Ref(0)]], [["name", "~", "a"]], [["OR", [["id", ">", 1], ["name", "=", "a"]]]]),
    "options": ({}, {"get": True}, {"count": True}, {"order_by": ["-id"]}, {"force": True}, {"limit": 1}),
    "attributes": (
        {"dtype": "NIC", "nic_attach": "user"},
        {"dtype": "DISPLAY", "web": False},
        {"dtype": "DISK", "create_zvol": True, "zvol_name": "default/c", "zvol_volsize": 512},
        {"dtype": "DISK", "path": "/dev/zvol/default/a", "type": "VIRTIO"},
        {"dtype": "RAW", "path": "/mnt/default/b.raw", "size": 512},
        {"dtype": "CDROM", "path": "/mnt/default/a"},
        {"dtype": "USB", "usb": {"vendor_id": "0x0001", "product_id": "0x0002"}},
    ),
}


def is_integer(_: object, value: object) -> bool:
    """Python's idea of it, and the contract's: 1.0 is none."""
    return isinstance(value, int) and not isinstance(value, bool)


_Judge = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine("integer", is_integer),
)


class Schemas:
    """The schemas of an OpenRPC document."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._components = document["components"]
        self.methods = {method["name"]: method for method in document["methods"]}
        self._judges: dict[str, Any] = {}

    def fits(self, schema: Schema, value: object) -> bool:
        """Whether a value fits, says a library that knows nothing of this project."""
        return self._judge(schema).is_valid(value)  # type: ignore[no-any-return]

    def problem(self, schema: Schema, value: object) -> str | None:
        """What does not fit; None when all does."""
        error = next(iter(self._judge(schema).iter_errors(value)), None)
        return None if error is None else f"{error.json_path}: {error.message[:300]}"

    def _judge(self, schema: Schema) -> Any:
        key = json.dumps(schema, sort_keys=True)
        found = self._judges.get(key)
        if found is None:
            found = self._judges[key] = _Judge({**schema, "components": self._components})
        return found

    def named(self, name: str, schema: Schema | bool, depth: int = 0) -> Values:
        """Values that fit, for a member of that name: mostly what it is likely to be."""
        values = self.values(schema, depth)
        likely = [each for each in HINTS.get(name, ()) if isinstance(schema, bool) or self.fits(schema, each)]
        if not likely:
            return values
        return st.integers(0, 3).flatmap(lambda number: st.sampled_from(likely) if number else values)

    def values(self, schema: Schema | bool, depth: int = 0) -> Values:
        """Values that fit."""
        if isinstance(schema, bool):
            return ANYTHING
        if "$ref" in schema:
            return self.values(self._components["schemas"][schema["$ref"].rpartition("/")[2]], depth + 1)
        for key in ("anyOf", "oneOf"):
            if key in schema:
                options = schema[key]
                # What contains itself comes to an end with the first, which does not.
                return st.one_of([self.values(each, depth) for each in options[: 1 if depth > 6 else None]])
        if "const" in schema:
            return st.just(schema["const"])
        if "enum" in schema:
            return st.sampled_from(schema["enum"])
        return self._typed(schema, depth)

    def _typed(self, schema: Schema, depth: int) -> Values:
        match schema.get("type"):
            case "object":
                return self._objects(schema, depth)
            case "array":
                return self._arrays(schema, depth)
            case "string":
                return self._strings(schema)
            case "integer":
                return self._numbers(schema, INTEGERS)
            case "number":
                return self._numbers(schema, INTEGERS | st.floats(allow_nan=False, allow_infinity=False))
            case "boolean":
                return st.booleans()
            case "null":
                return st.none()
        assert set(schema) <= {"title", "description", "default"}, schema
        return ANYTHING

    def _objects(self, schema: Schema, depth: int) -> Values:
        if "patternProperties" in schema:
            [(pattern, inner)] = schema["patternProperties"].items()
            keys = st.from_regex(pattern, fullmatch=True)
            return st.dictionaries(keys, self.values(inner, depth), min_size=1, max_size=1)
        if "properties" not in schema:
            inner = schema.get("additionalProperties")
            return st.dictionaries(TEXTS, self.values(inner, depth), max_size=3) if inner else OBJECTS
        members = {name: self.named(name, each, depth) for name, each in schema["properties"].items()}
        required = {name: members.pop(name) for name in schema.get("required", ())}
        if not members:
            return st.fixed_dictionaries(required)
        # Mostly few of those that can be left out: all at once hardly ever go together.
        some = st.lists(st.sampled_from(sorted(members)), max_size=3, unique=True)
        few = some.flatmap(
            lambda names: st.fixed_dictionaries({**required, **{name: members[name] for name in names}})
        )
        return st.one_of(few, few, st.fixed_dictionaries(required, optional=members))

    def _arrays(self, schema: Schema, depth: int) -> Values:
        if "prefixItems" in schema:
            return st.tuples(*(self.values(each, depth) for each in schema["prefixItems"])).map(list)
        items = self.values(schema.get("items") or {}, depth)
        least = schema.get("minItems", 0)
        return st.lists(items, min_size=least, max_size=min(schema.get("maxItems", least + 3), least + 3))

    @staticmethod
    def _strings(schema: Schema) -> Values:
        if "pattern" in schema:
            return st.from_regex(schema["pattern"], fullmatch=True)
        least, most = schema.get("minLength", 0), schema.get("maxLength", 2000)
        return TEXTS.filter(lambda text: least <= len(text) <= most)

    @staticmethod
    def _numbers(schema: Schema, numbers: Values) -> Values:
        low = schema.get("minimum", schema.get("exclusiveMinimum"))
        high = schema.get("maximum", schema.get("exclusiveMaximum"))
        if low is None and high is None:
            return numbers
        edges = [edge for edge in (low, high) if edge is not None]
        return st.one_of(
            st.sampled_from(edges),
            st.integers(low if low is not None else high - 100, high if high is not None else low + 100),
        ).filter(
            lambda number: number not in (schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum"))
        )


@st.composite
def changed(draw: st.DrawFn, values: Values) -> Any:
    """One of the values, with one thing in it that is another."""
    return _change(draw, draw(values), _DEPTH)


def _change(draw: st.DrawFn, value: Any, depth: int) -> Any:
    if depth and isinstance(value, list) and value and draw(st.booleans()):
        at = draw(st.integers(0, len(value) - 1))
        return [*value[:at], _change(draw, value[at], depth - 1), *value[at + 1 :]]
    if depth and isinstance(value, dict) and value and draw(st.integers(0, 3)):
        key = draw(st.sampled_from(sorted(value)))
        return {**value, key: _change(draw, value[key], depth - 1)}
    return draw(_others(value))


def _others(value: Any) -> Values:
    """What could stand there by mistake."""
    near: list[Values] = [ANYTHING]
    if isinstance(value, dict):
        near.append(TEXTS.map(lambda key: {**value, key: 1}))
        if value:
            near.append(
                st.sampled_from(sorted(value)).map(lambda key: {k: v for k, v in value.items() if k != key})
            )
    elif isinstance(value, list):
        near += [ANYTHING.map(lambda each: [*value, each]), st.just(value[:-1]), st.just({"0": value})]
    elif isinstance(value, bool):
        near += [st.just(int(value)), st.just(str(value).lower())]
    elif isinstance(value, int):
        near += [st.just(str(value)), st.just(-value), st.just(value * 2**40), st.sampled_from([1.0, 0.5])]
    elif isinstance(value, str):
        near += [st.just(value + "x" * 1024), st.just([value]), st.just(""), st.just(value.swapcase())]
    return st.one_of(near)
