"""The API as an OpenRPC document (https://spec.open-rpc.org), with JSON Schema for everything that is sent."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import models_json_schema

from vmstead.query.schema import definitions as query_definitions
from vmstead.reference.collections import Collection, result_type
from vmstead.reference.examples import example
from vmstead.rpc.registry import Method

_COMPONENTS = "#/components/schemas/{model}"


def describe(
    methods: Mapping[str, Method], version: str, events: Sequence[Collection] = ()
) -> dict[str, Any]:
    """The OpenRPC document of these methods, in the order of their names. Collections are in ``x-events``."""
    schemas = _Schemas(methods, events)
    return {
        "openrpc": "1.3.2",
        "info": {
            "title": "Vmstead",
            "version": version,
            "description": "The TrueNAS 25.10 VM API: JSON-RPC 2.0 over WebSocket at /api/current.",
        },
        "methods": [_method(methods[name], schemas) for name in sorted(methods)],
        "x-events": [schemas.event(each) for each in events],
        "components": {"schemas": schemas.definitions},
    }


class _Schemas:
    """JSON Schema of every parameter and result; what is used by several stands in ``definitions``."""

    def __init__(self, methods: Mapping[str, Method], events: Sequence[Collection]) -> None:
        own = {name: method for name, method in methods.items() if not method.is_query}
        parameters, shared = models_json_schema(
            [(method.model, "validation") for method in own.values()], ref_template=_COMPONENTS
        )
        types = {name: result_type(method) for name, method in methods.items()}
        types |= {f"event {each.name}": each.fields for each in events}
        types |= {f"arguments {each.name}": each.arguments for each in events if each.arguments is not None}
        results, more = TypeAdapter.json_schemas(
            [(name, "serialization", TypeAdapter[Any](kind)) for name, kind in types.items()],
            ref_template=_COMPONENTS,
        )
        definitions = {
            **shared.get("$defs", {}),
            **more.get("$defs", {}),
            **query_definitions(_COMPONENTS),
        }
        self._parameters: dict[str, dict[str, Any]] = {}
        for name, method in own.items():
            reference = parameters[(method.model, "validation")]["$ref"].rpartition("/")[2]
            self._parameters[name] = definitions.pop(reference)
        self._results = {name: results[(name, "serialization")] for name in types}
        self.definitions: dict[str, Any] = dict(sorted(definitions.items()))

    def parameters(self, method: Method) -> list[dict[str, Any]]:
        """OpenRPC's content descriptors."""
        if method.is_query:
            return [
                {"name": name, "required": False, "schema": {"$ref": _COMPONENTS.format(model=model)}}
                for name, model in (("filters", "QueryFilters"), ("options", "QueryOptions"))
            ]
        schema = self._parameters[method.name]
        return [
            {
                "name": name,
                "required": name in schema.get("required", ()),
                "schema": schema["properties"][name],
            }
            for name in method.parameters
        ]

    def result(self, method: Method) -> dict[str, Any]:
        """The schema of the result."""
        one = self._results[method.name]
        if not method.is_query:
            return one
        return {
            "anyOf": [{"type": "array", "items": one}, one, {"type": "integer"}],
            "description": "A list; with get one object; with count a number. With select, only those fields.",
        }

    def event(self, collection: Collection) -> dict[str, Any]:
        """A collection with the schema of its events, and of the arguments that may stand after a colon."""
        has_arguments = collection.arguments is not None
        return {
            "name": collection.name,
            "description": collection.description,
            "fields": self._results[f"event {collection.name}"],
            "arguments": self._results[f"arguments {collection.name}"] if has_arguments else None,
            "x-role": collection.role,
        }


def _method(method: Method, schemas: _Schemas) -> dict[str, Any]:
    summary, _, details = method.doc.partition("\n\n")
    arguments = example(method)
    return {
        "name": method.name,
        "tags": [{"name": method.name.rpartition(".")[0]}],
        "summary": " ".join(summary.split()),
        "description": details,
        "paramStructure": "by-position",
        "params": schemas.parameters(method),
        "result": {"name": "result", "schema": schemas.result(method)},
        "examples": [
            {
                "name": "call",
                "params": [
                    {"name": name, "value": value}
                    for name, value in zip(method.parameters, arguments, strict=False)
                ],
            }
        ],
        "x-role": "everybody" if method.is_public else method.role,
        "x-job": method.is_job,
    }
