"""How one version of the API differs from everything there is."""

import pytest

from vmstead.errors import ENOMETHOD, ValidationErrors
from vmstead.kernel.bus import Event
from vmstead.rpc.editions import Edition, without_members
from vmstead.rpc.registry import Function, Namespace, table

ns = Namespace("x")


@ns.method(role="VM_READ")
async def answer(ctx: object, value: int) -> dict[str, int]:
    """Tells of a value."""
    return {"value": value, "new": 1}


@ns.method()
async def later(ctx: object) -> None: ...


@ns.method()
async def added(ctx: object) -> None: ...


def doubled(function: Function) -> Function:
    async def adapted(ctx: object, value: int) -> object:
        return await function(ctx, value * 2)

    return adapted


TABLE = table([ns])
NEWEST = Edition("v3", without=frozenset({"x.added", "added"}))
OLDER = NEWEST.before("v2", lacks={"x.later"}, adapted={"x.answer": doubled})
OLDEST = OLDER.before("v1", lacks={"x.first"})


def test_a_version_is_the_one_after_it_less_what_came_since() -> None:
    assert [sorted(edition.methods(TABLE)) for edition in (NEWEST, OLDER, OLDEST)] == [
        ["x.answer", "x.later"],
        ["x.answer"],
        ["x.answer"],
    ]
    assert OLDEST.without == NEWEST.without


def test_a_call_of_what_came_later_is_told_so_and_of_what_never_came_is_not() -> None:
    refusal = OLDER.refusal("x.later")
    assert refusal is not None
    assert refusal.errno == ENOMETHOD
    assert str(refusal) == "[ENOMETHOD] Method 'later' not found in 'x'"
    assert OLDEST.refusal("x.later") is not None
    assert [NEWEST.refusal(name) for name in ("x.later", "x.added", "nope", "")] == [None] * 4


async def test_an_adapted_method_is_called_and_described_as_before() -> None:
    method = OLDER.methods(TABLE)["x.answer"]
    assert await method.function(None, *method.bind([4])) == {"value": 8, "new": 1}
    assert (method.role, method.doc, method.parameters) == ("VM_READ", "Tells of a value.", ["value"])
    with pytest.raises(ValidationErrors):
        method.bind(["4"])


async def test_hidden_members_are_not_in_answers_and_events() -> None:
    edition = Edition("v1", hidden={"x.answer": ("new",), "x": ("a.b",)})
    method = edition.methods(TABLE)["x.answer"]
    assert await method.function(None, *method.bind([4])) == {"value": 4}
    event = Event("x", "changed", 1, {"a": {"b": 1, "c": 2}})
    seen = edition.event(event)
    assert seen is not None
    assert seen.fields == {"a": {"c": 2}}
    # However many subscribers there are.
    assert edition.event(event) is seen
    assert event.fields == {"a": {"b": 1, "c": 2}}


def test_events_of_other_collections_are_as_they_are_and_of_unknown_ones_are_not_told() -> None:
    event = Event("core.get_jobs", "changed", 1, {"new": 1})
    assert NEWEST.event(event) is event
    assert NEWEST.event(Event("added", "changed", 1, {})) is None
    removed = Event("x", "removed", 1)
    assert Edition("v1", hidden={"x": ("a",)}).event(removed) is removed


@pytest.mark.parametrize(
    ("paths", "value", "left"),
    [
        (("a",), {"a": 1, "b": 2}, {"b": 2}),
        (("a.b",), {"a": {"b": 1, "c": 2}}, {"a": {"c": 2}}),
        (("a.b",), [{"a": [{"b": 1}, {"c": 2}]}, {"a": None}], [{"a": [{}, {"c": 2}]}, {"a": None}]),
        (("*.b",), {"x": {"b": 1}, "y": {"c": 2}}, {"x": {}, "y": {"c": 2}}),
        (("a", "b"), {"a": 1, "b": 2}, {}),
        (("a.b.c",), {"a": 1}, {"a": 1}),
        (("a",), 7, 7),
        (("a",), None, None),
    ],
)
def test_members_are_taken_out_wherever_they_are(paths: tuple[str, ...], value: object, left: object) -> None:
    assert without_members(value, paths) == left
