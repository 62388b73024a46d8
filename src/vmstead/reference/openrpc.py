"""The API as an OpenRPC document (https://spec.open-rpc.org), with JSON Schema for everything that is sent."""

import inspect
from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import models_json_schema

from vmstead.reference.examples import example
from vmstead.rpc.registry import Method

_COMPONENTS = "#/components/schemas/{model}"
#: What a query takes; the query language checks it by itself.
_FILTERS = {
    "type": "array",
    "items": {"type": "array"},
    "description": 'Conditions that all must hold: [field, operator, value], or ["OR", [condition, …]].',
    "default": [],
}
_OPTIONS = {
    "type": "object",
    "description": "What to do with the rows that are found.",
    "properties": {
        "get": {"type": "boolean", "default": False, "description": "One object; ENOENT when there is none."},
        "count": {"type": "boolean", "default": False, "description": "Only how many there are."},
        "select": {"type": "array", "default": [], "description": "Fields to answer with; [] for all."},
        "order_by": {
            "type": "array",
            "default": [],
            "description": "Fields to sort by; -field for descending.",
        },
        "limit": {"type": "integer", "default": 0, "description": "At most so many; 0 for all."},
        "offset": {"type": "integer", "default": 0, "description": "Leave so many out at the beginning."},
        "extra": {"type": "object", "default": {}, "description": "Has no effect here."},
    },
    "default": {},
}


def describe(methods: Mapping[str, Method], version: str) -> dict[str, Any]:
    """The OpenRPC document of these methods, in the order of their names."""
    schemas = _Schemas(methods)
    return {
        "openrpc": "1.3.2",
        "info": {
            "title": "Vmstead",
            "version": version,
            "description": "The TrueNAS 25.10 VM API: JSON-RPC 2.0 over WebSocket at /api/current.",
        },
        "methods": [_method(methods[name], schemas) for name in sorted(methods)],
        "components": {"schemas": schemas.definitions},
    }


class _Schemas:
    """JSON Schema of every parameter and result; what is used by several stands in ``definitions``."""

    def __init__(self, methods: Mapping[str, Method]) -> None:
        own = {name: method for name, method in methods.items() if not method.is_query}
        parameters, shared = models_json_schema(
            [(method.model, "validation") for method in own.values()], ref_template=_COMPONENTS
        )
        results, more = TypeAdapter.json_schemas(
            [
                (name, "serialization", TypeAdapter[Any](_result_type(method)))
                for name, method in methods.items()
            ],
            ref_template=_COMPONENTS,
        )
        definitions = {**shared.get("$defs", {}), **more.get("$defs", {})}
        self._parameters: dict[str, dict[str, Any]] = {}
        for name, method in own.items():
            reference = parameters[(method.model, "validation")]["$ref"].rpartition("/")[2]
            self._parameters[name] = definitions.pop(reference)
        self._results = {name: results[(name, "serialization")] for name in methods}
        self.definitions: dict[str, Any] = dict(sorted(definitions.items()))

    def parameters(self, method: Method) -> list[dict[str, Any]]:
        """OpenRPC's content descriptors."""
        if method.is_query:
            return [
                {"name": "filters", "required": False, "schema": _FILTERS},
                {"name": "options", "required": False, "schema": _OPTIONS},
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
            "oneOf": [{"type": "array", "items": one}, one, {"type": "integer"}],
            "description": "A list; with get one object; with count a number.",
        }


def _result_type(method: Method) -> Any:  # noqa: ANN401 - any type at all
    if method.returns is not None:
        return method.returns
    if method.is_query:
        return dict[str, Any]
    annotation = inspect.signature(method.function, eval_str=True).return_annotation
    return Any if annotation is object else annotation


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
