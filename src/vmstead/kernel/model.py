"""What a client may send: strict, closed, unchangeable models.

Validation and its texts are pydantic's, because TrueNAS's are too and clients show them.
"""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
    create_model,
)
from pydantic_core import PydanticCustomError

#: What stands in for a secret that is not shown. Sending it back means "leave the secret as it is".
PLACEHOLDER = "********"

#: Any text; nothing the API takes is longer.
Text = Annotated[str, StringConstraints(max_length=1024)]
#: Any text but the empty one.
NonEmpty = Annotated[str, StringConstraints(min_length=1, max_length=1024)]


#: Keys whose values are secrets wherever they stand in what clients send or get.
SECRET_KEYS = frozenset(
    {
        *("api_key", "key", "new_password", "old_password", "otp_token", "passphrase", "password", "rfc_str"),
        *("secret", "token"),
    }
)


class Model(BaseModel):
    """Base of everything that clients send: no coercion, no unknown keys, no later change."""

    # Built at first use: a server start would otherwise build the models of every method it never hears.
    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, defer_build=True, hide_input_in_errors=True
    )


def _without_the_key_alone(schema: dict[str, Any]) -> None:
    """Say it so that clients do not take the schema itself for a date: they take any object with that key alone."""
    schema["patternProperties"] = {r"^\$date$": schema.pop("properties")["$date"]}


class Date(Model):
    """A moment, as answers show it."""

    model_config = ConfigDict(json_schema_extra=_without_the_key_alone)

    milliseconds: int = Field(alias="$date", description="Since the epoch, in milliseconds.")


#: A moment that clients send. What comes over the wire as ``{"$date": …}`` is a ``datetime`` when it is checked.
Moment = Annotated[
    datetime,
    WithJsonSchema(
        {
            "type": "object",
            "patternProperties": {r"^\$date$": {"type": "number"}},
            "additionalProperties": False,
            "minProperties": 1,
            "description": 'A moment, as {"$date": milliseconds since the epoch}.',
        }
    ),
]


def _whole(value: object, check: ValidatorFunctionWrapHandler) -> object:
    # A text is among no literals that are integers, and so the refusal names those.
    checked: object = check(str(value) if isinstance(value, float | bool) else value)
    return checked


#: For literals that are integers: 512.0 and True equal some, and are none.
WHOLE = WrapValidator(_whole)


def _is_false(value: object) -> object:
    if value is not False:
        raise PydanticCustomError("literal_error", "Input should be False")
    return value


#: What can only be turned off. (A literal alone would take 0 too, which equals it.)
OnlyFalse = Annotated[Literal[False], BeforeValidator(_is_false)]

T = TypeVar("T")

#: What people call secrets.
_LIKE_A_SECRET = re.compile(r"passw|passphrase|(^|_|-)pass$|pwd|secret|token|api.?key|private.?key")


def patch_of(model: type[Model], name: str, *, without: frozenset[str] = frozenset()) -> type[Model]:
    """A model with the same fields, all of them optional: what an update takes.

    What the client left out is told from ``model_fields_set``; defaults play no role. ``without`` names fields
    that cannot be changed.
    """
    fields = {
        key: (info.rebuild_annotation(), Field(default=None, description=info.description))
        for key, info in model.model_fields.items()
        if key not in without
    }
    # pydantic reads the tuples as (annotation, default); its own stub knows only of literal keywords.
    return create_model(name, __base__=Model, **fields)  # type: ignore[call-overload, no-any-return]


def sent(model: Model) -> dict[str, object]:
    """The fields that the client sent, as plain values."""
    return model.model_dump(exclude_unset=True)


def masked(value: T) -> T:
    """A copy in which secrets that are set, at any depth, are replaced by the placeholder."""
    return _masked(value, SECRET_KEYS.__contains__)


def masked_input(value: T) -> T:
    """As ``masked``, for what a client has sent: also under names that are nearly those of secrets.

    What is misspelt is refused, and yet a password that others must not read in a record of the call.
    """
    return _masked(value, lambda name: name in SECRET_KEYS or _LIKE_A_SECRET.search(name.lower()) is not None)


def _masked(value: T, is_secret: Callable[[str], bool]) -> T:
    copy: Any = value
    if isinstance(value, dict):
        copy = {
            key: PLACEHOLDER
            if is_secret(key) and item and isinstance(item, str | list | dict)
            else _masked(item, is_secret)
            for key, item in value.items()
        }
    elif isinstance(value, list):
        copy = [_masked(item, is_secret) for item in value]
    result: T = copy
    return result


__all__ = [
    "PLACEHOLDER",
    "SECRET_KEYS",
    "WHOLE",
    "Date",
    "Field",
    "Literal",
    "Model",
    "Moment",
    "NonEmpty",
    "OnlyFalse",
    "Text",
    "masked",
    "masked_input",
    "patch_of",
    "sent",
]
