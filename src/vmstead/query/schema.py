"""Filters and options as JSON Schema, for the reference. What a schema cannot say, the parser says."""

from typing import Any

from vmstead.query.operators import OPERATORS
from vmstead.query.options import MAX_LIMIT

_NAMES = sorted({*OPERATORS, *(f"C{name}" for name in OPERATORS if name != "~")})

#: What a query is to do with the rows.
OPTIONS: dict[str, Any] = {
    "type": "object",
    "description": "What to do with the rows that are found.",
    "properties": {
        "get": {
            "type": "boolean",
            "default": False,
            "description": "One object; an error when there is none.",
        },
        "count": {"type": "boolean", "default": False, "description": "Only how many there are."},
        "select": {
            "type": "array",
            "items": {
                "anyOf": [
                    {"type": "string"},
                    {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2},
                ]
            },
            "default": [],
            "description": "Fields to answer with, as names or [name, other name]; [] for all.",
        },
        "order_by": {
            "type": "array",
            "items": {"type": "string"},
            "default": [],
            "description": "Fields to sort by, the most important last; -field for descending.",
        },
        "limit": {
            "type": "integer",
            "minimum": 0,
            "maximum": MAX_LIMIT,
            "default": 0,
            "description": "At most so many; 0 for all.",
        },
        "offset": {
            "type": "integer",
            "default": 0,
            "description": "Leave so many out at the beginning; below 0 counts from the end.",
        },
        "extra": {"type": "object", "default": {}, "description": "Depends on the method."},
        "force_sql_filters": {"type": "boolean", "default": False, "description": "Has no effect."},
    },
    "additionalProperties": False,
    "default": {},
}

_CONDITION: dict[str, Any] = {
    "type": "array",
    "prefixItems": [{"type": "string"}, {"enum": _NAMES}, {}],
    "minItems": 3,
    "maxItems": 3,
    "description": "[field, operator, value]; dots lead into members of the field.",
}


def definitions(template: str) -> dict[str, dict[str, Any]]:
    """The schemas by their names. ``template`` makes a reference of ``{model}``."""

    def to(name: str) -> dict[str, str]:
        return {"$ref": template.format(model=name)}

    either = {"anyOf": [to("QueryCondition"), to("QueryOr")]}
    group = {"type": "array", "items": either, "minItems": 1}
    return {
        "QueryCondition": _CONDITION,
        "QueryFilters": {
            "anyOf": [
                {"type": "array", "items": {"anyOf": [to("QueryCondition"), to("QueryOr"), group]}},
                to("QueryOr"),
            ],
            "description": 'Conditions that all must hold: [field, operator, value], or ["OR", [condition, …]].',
            "default": [],
        },
        "QueryOptions": OPTIONS,
        "QueryOr": {
            "type": "array",
            "prefixItems": [
                {"const": "OR"},
                {
                    "type": "array",
                    "items": {"anyOf": [to("QueryCondition"), to("QueryOr"), group]},
                    "minItems": 1,
                },
            ],
            "minItems": 2,
            "maxItems": 2,
            "description": "One of the branches must hold; a list of conditions is one branch. At most three deep.",
        },
    }


#: Filters for those who cannot follow references.
FILTERS: dict[str, Any] = {
    "type": "array",
    "items": {},
    "default": [],
    "description": 'Conditions that all must hold: [field, operator, value], or ["OR", [condition, …]].',
}
