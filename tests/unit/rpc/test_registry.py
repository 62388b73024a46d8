"""Methods: who may call them, and how parameters become arguments."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import pytest
from pydantic import Discriminator

from vmstead.errors import CallError, NotAuthenticated, NotAuthorized, ValidationErrors
from vmstead.kernel.model import Field, Model
from vmstead.query import Query
from vmstead.rpc.caller import FULL_ADMIN, Caller
from vmstead.rpc.registry import Method, Namespace, parse_query, table


class Disk(Model):
    """A device of one kind."""

    dtype: Literal["DISK"] = Field(description="Kind.")
    path: str = Field(description="Path.")
    size: int = Field(1, ge=1, description="Size.")


class Nic(Model):
    """A device of another."""

    dtype: Literal["NIC"] = Field(description="Kind.")
    mac: str | None = Field(None, description="Address.")


class Create(Model):
    """A device to be made."""

    vm: int = Field(description="Whose.")
    attributes: Annotated[Disk | Nic, Discriminator("dtype")] = Field(description="The device.")


class Options(Model):
    """How."""

    force: bool = Field(False, description="By force.")


ns = Namespace("vm.device")


@ns.method(role="VM_WRITE")
async def create(ctx: object, vm_device_create: Create, options: Options = Options()) -> None:
    """Make a device.

    At once.
    """


@ns.method(is_public=True, is_rate_limited=False)
async def ping(ctx: object) -> str:
    return "pong"


@ns.method(job="stop_{0}")
async def stop(ctx: object, id: int, options: Options = Options(force=True)) -> None: ...


@ns.method(job=True)
async def wait(ctx: object, id: int) -> None: ...


@ns.method()
async def status_(ctx: object, id: int, names: list[str] = ["a"]) -> None:  # noqa: B006
    ...


@ns.query(role="VM_READ")
async def query(ctx: object, query: Query) -> object: ...


METHODS = table([ns])


def method(name: str) -> Method:
    return METHODS[f"vm.device.{name}"]


def bound(name: str, *params: object) -> list[object]:
    return method(name).bind(params)


def problems(name: str, *params: object) -> list[tuple[str | None, str, int]]:
    with pytest.raises(ValidationErrors) as raised:
        bound(name, *params)
    return [(found.attribute, found.message, found.errno) for found in raised.value.problems]


# --- registration ---------------------------------------------------------------------------------


def test_a_method_is_named_after_its_namespace_and_function() -> None:
    assert list(METHODS) == [
        f"vm.device.{name}" for name in ("create", "ping", "stop", "wait", "status", "query")
    ]


def test_a_method_knows_what_its_decorator_said() -> None:
    def facts(name: str) -> list[object]:
        known = method(name)
        return [
            known.role,
            known.is_public,
            known.is_job,
            known.lock,
            known.is_query,
            known.is_rate_limited,
        ]

    assert facts("create") == ["VM_WRITE", False, False, None, False, True]
    assert facts("ping") == [None, True, False, None, False, False]
    assert facts("stop") == [None, False, True, "stop_{0}", False, True]
    assert facts("wait") == [None, False, True, None, False, True]
    assert facts("query") == ["VM_READ", False, False, None, True, True]


async def test_the_function_stays_an_ordinary_function() -> None:
    assert await ping(None) == "pong"


def test_the_documentation_is_what_the_author_wrote() -> None:
    assert method("create").doc == "Make a device.\n\nAt once."
    assert method("ping").doc == ""


def test_two_methods_of_one_name_are_a_mistake() -> None:
    again = Namespace("vm.device")
    again.method()(ping)
    with pytest.raises(ValueError, match=r"two methods are called vm\.device\.ping"):
        table([ns, again])


# --- who may --------------------------------------------------------------------------------------


def caller(*roles: str) -> Caller:
    return Caller("ann", frozenset(roles), "LOGIN_PASSWORD", {})


@pytest.mark.parametrize(
    ("name", "who", "refusal"),
    [
        ("ping", None, None),
        ("ping", caller(), None),
        ("stop", None, NotAuthenticated),
        ("stop", caller(), None),
        ("create", None, NotAuthenticated),
        ("create", caller(), NotAuthorized),
        ("create", caller("VM_READ"), NotAuthorized),
        ("create", caller("VM_WRITE"), None),
        ("create", caller(FULL_ADMIN), None),
        ("query", caller("VM_READ"), None),
        ("query", caller("VM_WRITE"), NotAuthorized),
    ],
)
def test_a_caller_needs_the_role_and_a_public_method_nobody(
    name: str, who: Caller | None, refusal: type[CallError] | None
) -> None:
    if refusal is None:
        method(name).authorize(who)
    else:
        with pytest.raises(refusal):
            method(name).authorize(who)


# --- parameters -----------------------------------------------------------------------------------


def test_parameters_become_arguments_in_their_order() -> None:
    disk = {"dtype": "DISK", "path": "/dev/zvol/a"}
    assert bound("create", {"vm": 1, "attributes": disk}, {"force": True}) == [
        Create(vm=1, attributes=Disk(dtype="DISK", path="/dev/zvol/a")),
        Options(force=True),
    ]
    assert bound("ping") == []


def test_what_is_left_out_has_its_default() -> None:
    assert bound("stop", 5) == [5, Options(force=True)]
    assert bound("status", 5) == [5, ["a"]]


@pytest.mark.parametrize(
    ("name", "params", "expected", "found"),
    [("ping", [1], 0, 1), ("stop", [1, {}, None], 2, 3), ("query", [[], {}, 1, 2], 2, 4)],
)
def test_too_many_parameters_are_one_problem_of_no_field(
    name: str, params: Sequence[object], expected: int, found: int
) -> None:
    text = f"Too many arguments (expected {expected}, found {found})"
    assert problems(name, *params) == [("", text, 22)]


def test_missing_parameters_are_named() -> None:
    assert problems("create") == [("vm_device_create", "Field required", 22)]


def test_every_problem_is_told_at_once() -> None:
    assert problems("create", {"attributes": {"dtype": "NIC", "mac": 5, "speed": 1}}, {"force": "yes"}) == [
        ("vm_device_create.vm", "Field required", 22),
        ("vm_device_create.attributes.NIC.mac", "Input should be a valid string", 22),
        ("vm_device_create.attributes.NIC.speed", "Extra inputs are not permitted", 22),
        ("options.force", "Input should be a valid boolean", 22),
    ]


@pytest.mark.parametrize(
    ("attributes", "path", "message"),
    [
        ({"dtype": "DISK"}, "attributes.DISK.path", "Field required"),
        (
            {"dtype": "DISK", "path": "x", "size": 0},
            "attributes.DISK.size",
            "Input should be greater than or equal to 1",
        ),
        ({"path": "x"}, "attributes.dtype", "Field required"),
        ({}, "attributes.dtype", "Field required"),
        (
            {"dtype": "FLOPPY"},
            "attributes",
            "Input tag 'FLOPPY' found using 'dtype' does not match any of the expected tags: 'DISK', 'NIC'",
        ),
        (
            {"dtype": None},
            "attributes",
            "Input tag 'None' found using 'dtype' does not match any of the expected tags: 'DISK', 'NIC'",
        ),
        (5, "attributes", "Input should be a valid dictionary or object to extract fields from"),
    ],
)
def test_the_path_into_a_union_goes_through_the_tag(attributes: object, path: str, message: str) -> None:
    assert problems("create", {"vm": 1, "attributes": attributes}) == [
        (f"vm_device_create.{path}", message, 22)
    ]


@pytest.mark.parametrize("id", ["5", 5.0, True, None, [5], {"id": 5}])
def test_an_id_is_a_number_and_nothing_like_it(id: object) -> None:
    assert problems("stop", id) == [("id", "Input should be a valid integer", 22)]


def test_a_number_may_be_as_large_as_it_likes() -> None:
    assert bound("stop", 10**30)[0] == 10**30


def test_paths_into_lists_have_the_index() -> None:
    assert problems("status", 5, ["a", 1]) == [("names.1", "Input should be a valid string", 22)]


# --- queries --------------------------------------------------------------------------------------


@pytest.mark.parametrize("params", [[], [[]], [[], {}]])
def test_a_query_needs_neither_filters_nor_options(params: list[Any]) -> None:
    [parsed] = bound("query", *params)
    assert isinstance(parsed, Query)
    assert parsed.apply([{"a": 1}]) == [{"a": 1}]


def test_a_query_takes_filters_and_options() -> None:
    rows = [{"id": number} for number in range(5)]
    assert parse_query([["id", ">", 2]], {"order_by": ["-id"]}).apply(rows) == [{"id": 4}, {"id": 3}]


@pytest.mark.parametrize("params", [[None], [[], None], [[], []], [{}]])
def test_a_query_is_a_list_and_an_object(params: list[Any]) -> None:
    with pytest.raises(ValidationErrors):
        bound("query", *params)


def test_mistakes_in_a_query_are_problems_of_its_parameters() -> None:
    found = problems("query", [["id", "?", 1], 5], {"limit": "x", "nope": 1})
    assert [path for path, _, _ in found] == ["filters", "filters", "options.limit", "options.nope"]
    assert {number for _, _, number in found} == {22}


def test_filters_that_are_null_are_a_mistake() -> None:
    assert problems("query", None) == [("filters", "Input should be a valid list", 22)]


# --- locks of jobs --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "params", "lock"),
    [
        ("stop", [5], "stop_5"),
        ("stop", [5, {"force": True}], "stop_5"),
        ("stop", ["{1}"], "stop_{1}"),
        ("stop", [10**30], f"stop_{10**30}"),
        ("wait", [5], None),
        ("wait", [], None),
    ],
)
def test_the_lock_is_made_of_the_first_parameter(name: str, params: list[object], lock: str | None) -> None:
    assert method(name).lock_for(params) == lock


def test_without_what_the_lock_is_made_of_there_is_no_job() -> None:
    with pytest.raises(CallError) as raised:
        method("stop").lock_for([])
    assert str(raised.value) == "[EINVAL] Error handling job lock. 'id' is required"


# --- what the audit trail says ----------------------------------------------------------------------


audited = Namespace("a")


@audited.method(role="VM_WRITE", audit="Start VM {id} as {options[name]}")
async def start(ctx: object, id: int, options: dict[str, object] = {}) -> None:  # noqa: B006
    ...


@audited.method(role="VM_WRITE")
async def change(ctx: object) -> None: ...


@audited.method(role="VM_READ")
async def look(ctx: object) -> None: ...


@audited.method(role="READONLY_ADMIN")
async def look_around(ctx: object) -> None: ...


@audited.method(audit="Change oneself")
async def change_oneself(ctx: object) -> None: ...


@audited.query(role="VM_WRITE")
async def list_(ctx: object, query: Query) -> object: ...


def test_what_allows_changes_is_recorded_and_what_only_looks_is_not() -> None:
    said = {name: found.audit for name, found in table([audited]).items()}
    assert said == {
        "a.start": "Start VM {id} as {options[name]}",
        "a.change": "a.change",
        "a.look": "",
        "a.look_around": "",
        "a.change_oneself": "Change oneself",
        "a.list": "",
    }


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({"id": 1, "options": {"name": "web"}}, "Start VM 1 as web"),
        ({"id": 1, "options": {}}, "Start VM 1 as ?"),
        ({"id": 1}, "Start VM 1 as ?"),
        ({}, "Start VM ? as ?"),
        ({"id": [1], "options": None}, "Start VM [1] as ?"),
        ({"id": "{id}", "options": {"name": "{0.__class__}"}}, "Start VM {id} as {0.__class__}"),
        ({"id": "x" * 300}, f"Start VM {'x' * 191}"),
    ],
)
def test_a_call_is_described_with_whatever_was_sent(params: dict[str, object], text: str) -> None:
    assert table([audited])["a.start"].described(params) == text


def test_a_query_that_was_asked_before_is_not_read_again() -> None:
    assert parse_query([["id", "=", 77]], {"limit": 3}) is parse_query([["id", "=", 77]], {"limit": 3})


@pytest.mark.parametrize("one", [1, 1.0, "1", True])
def test_what_is_equal_and_not_the_same_is_another_query(one: object) -> None:
    queries = [parse_query([["id", "=", value]]) for value in (1, 1.0, "1", True)]
    assert len({id(query) for query in queries}) == 4
    value = parse_query([["id", "=", one]]).where.items[0].value  # type: ignore[union-attr]
    assert (value, type(value)) == (one, type(one))


def test_a_query_that_has_no_text_is_read_all_the_same() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ValidationErrors):
        parse_query(deep)
    assert parse_query([["id", "=", 10**5000]]).apply([{"id": 1}]) == []


def test_queries_without_number_are_not_all_remembered() -> None:
    first = parse_query([["id", "=", "first"]])
    for number in range(1000):
        assert parse_query([["id", "=", f"n{number}"]]).matches({"id": f"n{number}"})
    again = parse_query([["id", "=", "first"]])
    assert again is not first
    assert again.matches({"id": "first"})
