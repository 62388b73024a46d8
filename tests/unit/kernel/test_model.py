"""What clients may send, and what of it is never shown."""

from typing import Annotated, Literal

import pytest
from pydantic import ValidationError

from vmstead.kernel.model import (
    PLACEHOLDER,
    SECRET_KEYS,
    WHOLE,
    Field,
    Model,
    NonEmpty,
    OnlyFalse,
    Text,
    masked,
    masked_input,
    patch_of,
    sent,
)


class Size(Model):
    """Something inside something."""

    cores: int = Field(1, ge=1, description="Cores.")
    threads: int = Field(1, description="Threads.")


class Thing(Model):
    """Something to create."""

    name: NonEmpty = Field(description="Name.")
    memory: Annotated[int, Field(ge=20)] = Field(512, description="Memory.")
    note: Text | None = Field(None, description="Note.")
    kind: Literal["A", "B"] = Field("A", description="Kind.")
    size: Size = Field(Size(), description="Size.")


Patch = patch_of(Thing, "Patch", without=frozenset({"kind"}))


def problems(model: type[Model], value: object) -> dict[str, str]:
    with pytest.raises(ValidationError) as raised:
        model.model_validate(value)
    return {".".join(map(str, error["loc"])): error["msg"] for error in raised.value.errors()}


def test_all_problems_are_told_at_once_in_the_texts_that_clients_know() -> None:
    assert problems(Thing, {"memory": "512", "kind": "C", "size": {"cores": 0}, "more": 1}) == {
        "name": "Field required",
        "memory": "Input should be a valid integer",
        "kind": "Input should be 'A' or 'B'",
        "size.cores": "Input should be greater than or equal to 1",
        "more": "Extra inputs are not permitted",
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("memory", True),
        ("memory", 512.0),
        ("memory", "512"),
        ("name", 5),
        ("name", b"x"),
        ("name", ""),
        ("name", "x" * 1025),
        ("note", "x" * 1025),
        ("size", None),
    ],
)
def test_nothing_is_coerced_and_texts_have_their_lengths(field: str, value: object) -> None:
    assert list(problems(Thing, {"name": "a", field: value})) == [field]


def test_texts_up_to_the_limit_are_taken() -> None:
    thing = Thing.model_validate({"name": "x" * 1024, "note": ""})
    assert (thing.name, thing.note) == ("x" * 1024, "")


def test_a_model_does_not_change_later() -> None:
    thing = Thing(name="a")
    with pytest.raises(ValidationError, match="frozen"):
        thing.name = "b"  # type: ignore[misc]


def test_sent_is_what_the_client_sent_at_any_depth() -> None:
    thing = Thing.model_validate({"name": "a", "note": None, "size": {"cores": 1}})
    assert sent(thing) == {"name": "a", "note": None, "size": {"cores": 1}}


def test_a_patch_takes_any_of_the_fields_and_knows_which_were_sent() -> None:
    assert sent(Patch.model_validate({})) == {}
    assert sent(Patch.model_validate({"memory": 600, "note": None})) == {"memory": 600, "note": None}


def test_a_patch_keeps_types_limits_and_descriptions() -> None:
    assert problems(Patch, {"memory": 19, "name": "", "more": 1}) == {
        "memory": "Input should be greater than or equal to 20",
        "name": "String should have at least 1 character",
        "more": "Extra inputs are not permitted",
    }
    assert problems(Patch, {"memory": "512"}) == {"memory": "Input should be a valid integer"}
    assert {name: info.description for name, info in Patch.model_fields.items()} == {
        "name": "Name.",
        "memory": "Memory.",
        "note": "Note.",
        "size": "Size.",
    }


def test_a_patch_does_not_take_null_where_the_field_has_none() -> None:
    assert list(problems(Patch, {"name": None, "memory": None})) == ["name", "memory"]


def test_a_patch_does_not_take_what_cannot_be_changed() -> None:
    assert problems(Patch, {"kind": "B"}) == {"kind": "Extra inputs are not permitted"}


@pytest.mark.parametrize("key", sorted(SECRET_KEYS))
def test_secrets_are_masked_at_any_depth(key: str) -> None:
    value = {"a": [{key: "hidden", "b": {key: "hidden too"}}], key: "x", "name": "shown"}
    assert masked(value) == {
        "a": [{key: PLACEHOLDER, "b": {key: PLACEHOLDER}}],
        key: PLACEHOLDER,
        "name": "shown",
    }
    assert value[key] == "x", "what is masked is a copy"


def test_a_secret_in_a_wrapping_that_nobody_expects_is_masked_too() -> None:
    assert masked({"password": ["x"], "token": {"value": "x"}, "key": []}) == {
        "password": "********",
        "token": "********",
        "key": [],
    }


@pytest.mark.parametrize(
    "name", ["passwd", "Password", "user_pass", "pwd", "apiKey", "private-key", "tokens"]
)
def test_what_a_client_sent_is_masked_under_names_that_are_nearly_right(name: str) -> None:
    assert masked_input([{name: "hush"}]) == [{name: PLACEHOLDER}]
    assert masked([{name: "shown"}]) == [{name: "shown"}]


@pytest.mark.parametrize("name", ["passthrough", "name", "keyboard", "password_disabled"])
def test_other_names_are_none_of_secrets(name: str) -> None:
    assert masked_input({name: True, "compass": ""}) == {name: True, "compass": ""}
    if name != "password_disabled":
        assert masked_input({name: "shown"}) == {name: "shown"}


def test_the_text_of_an_error_has_no_values() -> None:
    """Where such an error is not foreseen, it is logged as it is."""

    class Login(Model):
        password: int

    with pytest.raises(ValidationError) as raised:
        Login.model_validate({"password": "hush"})
    assert "hush" not in str(raised.value)


@pytest.mark.parametrize(
    "value", [{"password": None}, {"password": ""}, {"key": 5}, "password", ["password", "x"], 5, None]
)
def test_what_is_no_secret_is_not_masked(value: object) -> None:
    assert masked(value) == value


def test_a_password_is_among_the_secrets() -> None:
    assert {"password", "token", "api_key"} <= SECRET_KEYS


@pytest.mark.parametrize("value", [True, 0, 0.0, None, "", "false"])
def test_what_can_only_be_off_takes_nothing_else(value: object) -> None:
    class Options(Model):
        keys: OnlyFalse = False

    assert Options.model_validate({"keys": False}).keys is False
    with pytest.raises(ValidationError, match="Input should be False"):
        Options.model_validate({"keys": value})


@pytest.mark.parametrize("value", [512.0, True, "512", 513])
def test_literals_that_are_integers_take_nothing_that_equals_them(value: object) -> None:
    class Options(Model):
        size: Annotated[Literal[1, 512], WHOLE] | None = None

    assert Options.model_validate({"size": 512}).size == 512
    with pytest.raises(ValidationError):
        Options.model_validate({"size": value})
