"""Methods as ``core.get_methods`` tells of them: JSON Schema in the form that TrueNAS's clients read.

There are no references in it, every object lists its members in order (``_attrs_order_``), every member has its
name and whether it is required, and the schema of a list's items is in a list of its own.
"""

import functools
import json
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from vmstead.query.schema import FILTERS, OPTIONS
from vmstead.reference.collections import Collection, result_type
from vmstead.reference.examples import example
from vmstead.rpc.registry import Method

Schema = dict[str, Any]


@functools.cache
def meta(method: Method) -> Schema:
    """All that is told of a method. Made once for each."""
    summary, _, _ = method.doc.partition("\n\n")
    row = _schema(result_type(method), "serialization")
    return {
        "description": method.doc,
        "cli_description": " ".join(summary.split()).rstrip("."),
        "examples": {"websocket": [_call(method)]},
        "item_method": method.parameters[:1] == ["id"],
        "no_auth_required": method.is_public,
        "no_authz_required": method.role is None,
        "filterable": method.is_query,
        "filterable_schema": row if method.is_query else None,
        "pass_application": False,
        "require_websocket": False,
        "job": method.is_job,
        "downloadable": method.pipe == "output",
        "uploadable": method.pipe == "input",
        "check_pipes": method.pipe is not None and method.needs_pipe,
        "roles": [] if method.role is None else [method.role],
        "accepts": _accepts(method),
        "returns": [{**(_of_query(row) if method.is_query else row), "_name_": "result", "_required_": True}],
    }


def event_meta(collection: Collection) -> Schema:
    """All that is told of a collection."""
    return {
        "description": collection.description,
        "private": False,
        "roles": [] if collection.role is None else [collection.role],
        "accepts": [] if collection.arguments is None else [_schema(collection.arguments, "validation")],
        "fields": _schema(collection.fields, "serialization"),
    }


def _call(method: Method) -> str:
    request = {"jsonrpc": "2.0", "id": 1, "method": method.name, "params": example(method)}
    return json.dumps(request)


def _accepts(method: Method) -> list[Schema]:
    if method.is_query:
        found = {"filters": FILTERS, "options": OPTIONS}
        required: list[str] = []
    else:
        schema = method.model.model_json_schema()
        found = {name: _inlined(each, schema.get("$defs", {})) for name, each in schema["properties"].items()}
        required = schema.get("required", [])
    return [
        {**_attributed(each), "title": name, "_name_": name, "_required_": name in required}
        for name, each in found.items()
    ]


def _schema(kind: Any, mode: Any) -> Schema:  # noqa: ANN401 - any type at all
    schema = TypeAdapter[Any](kind).json_schema(mode=mode)
    found: Schema = _attributed(_inlined(schema, schema.get("$defs", {})))
    return found


def _of_query(row: Schema) -> Schema:
    return {"anyOf": [{"type": "array", "items": [row]}, row, {"type": "integer"}]}


def _inlined(value: Any, definitions: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any part of a schema
    """With what is referred to in the place of the reference."""
    if isinstance(value, list):
        return [_inlined(each, definitions) for each in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        rest = {key: each for key, each in value.items() if key != "$ref"}
        value = {**definitions[value["$ref"].rpartition("/")[2]], **rest}
    # A union's choice by one member is told by the members themselves too.
    left_out = ("$defs", "discriminator")
    return {key: _inlined(each, definitions) for key, each in value.items() if key not in left_out}


def _attributed(value: Any) -> Any:  # noqa: ANN401 - any part of a schema
    if isinstance(value, list):
        return [_attributed(each) for each in value]
    if not isinstance(value, dict):
        return value
    found = {key: _attributed(each) for key, each in value.items()}
    properties = found.get("properties")
    if found.get("type") == "object" and isinstance(properties, dict):
        required = found.get("required", [])
        found["_attrs_order_"] = list(properties)
        found["properties"] = {
            name: {**each, "title": name, "_name_": name, "_required_": name in required}
            for name, each in properties.items()
        }
    if found.get("type") == "array" and isinstance(found.get("items"), dict):
        found["items"] = [found["items"]]
    return found
