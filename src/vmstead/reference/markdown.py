"""The API as Markdown: a page for each namespace."""

import json
import shlex
from collections.abc import Mapping
from typing import Any

_HEAD = "<!-- Written by `vmstead reference docs/api`; change the code instead. -->\n"


def pages(document: Mapping[str, Any]) -> dict[str, str]:
    """The pages of an OpenRPC document by the name of their file, with ``README.md`` as the table of contents."""
    spaces: dict[str, list[Mapping[str, Any]]] = {}
    for method in document["methods"]:
        spaces.setdefault(method["tags"][0]["name"], []).append(method)
    schemas = document["components"]["schemas"]
    found = {f"{space}.md": _page(space, methods, schemas) for space, methods in spaces.items()}
    found["types.md"] = _types(schemas)
    found["events.md"] = _events(document["x-events"], schemas)
    found["README.md"] = _contents(document, spaces)
    return found


def _contents(document: Mapping[str, Any], spaces: Mapping[str, list[Mapping[str, Any]]]) -> str:
    lines = [
        _HEAD,
        "# API reference",
        "",
        document["info"]["description"],
        "",
        "The same as OpenRPC, with JSON Schema, is in [openrpc.json](openrpc.json), and on a running server at"
        " `/api/docs/openrpc.json`.",
    ]
    lines += ["", "What can be subscribed to is in [events.md](events.md)."]
    for space, methods in spaces.items():
        lines += ["", f"## [{space}]({space}.md)", "", "| method | |", "| --- | --- |"]
        lines += [
            f"| [`{method['name']}`]({space}.md#{_anchor(method['name'])}) | {_cell(method['summary'])} |"
            for method in methods
        ]
    return "\n".join(lines) + "\n"


def _page(space: str, methods: list[Mapping[str, Any]], schemas: Mapping[str, Any]) -> str:
    parts = [_HEAD, f"# {space}\n"]
    parts += [_method(method, schemas) for method in methods]
    return "\n".join(parts)


def _method(method: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    kind = " *(job)*" if method["x-job"] else ""
    role = method["x-role"] or "any user"
    lines = [f"## {method['name']}{kind}", "", method["summary"], ""]
    if method["description"]:
        lines += [method["description"], ""]
    lines += [f"Role: {role}. Answers with: {_kind(method['result']['schema'])}.", ""]
    if method["params"]:
        lines += ["| parameter | type | default | meaning |", "| --- | --- | --- | --- |"]
        for param in method["params"]:
            lines += _rows(param["name"], param["schema"], schemas, required=param["required"])
        lines.append("")
    arguments = [shlex.quote(json.dumps(param["value"])) for param in method["examples"][0]["params"]]
    option = "-j " if method["x-job"] else ""
    lines += ["```console", f"$ midclt call {option}{' '.join([method['name'], *arguments])}", "```", ""]
    return "\n".join(lines)


def _rows(name: str, schema: Mapping[str, Any], schemas: Mapping[str, Any], *, required: bool) -> list[str]:
    """A parameter and, one level below, the fields of what it is."""
    rows = [_row(f"`{name}`", schema, required=required)]
    inner = schemas.get(_reference(schema) or "", schema)
    for field, each in inner.get("properties", {}).items():
        rows.append(_row(f"`{name}.{field}`", each, required=field in inner.get("required", ())))
    return rows


def _row(name: str, schema: Mapping[str, Any], *, required: bool) -> str:
    default = "required" if required else f"`{json.dumps(schema.get('default'))}`"
    return f"| {name} | {_kind(schema)} | {default} | {_cell(schema.get('description', ''))} |"


def _kind(schema: Mapping[str, Any]) -> str:
    """A schema in a few words."""
    reference = _reference(schema)
    if reference is not None:
        return f"[{reference}](types.md#{_anchor(reference)})"
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " or ".join(_kind(each) for each in schema[key])
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return ", ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return str(schema.get("type", "anything")) + _limits(schema)


def _limits(schema: Mapping[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is None and high is None:
        return ""
    return f" ({'' if low is None else low}…{'' if high is None else high})"


def _events(events: list[Mapping[str, Any]], schemas: Mapping[str, Any]) -> str:
    parts = [
        _HEAD,
        "# Events\n\n"
        "`core.subscribe` takes the name of a collection; for those with arguments a colon and a JSON object may\n"
        'come after it, such as `reporting.realtime:{"interval": 5}`. Events are notifications of the method\n'
        "`collection_update`; `msg` in their parameters is `added`, `changed` or `removed`.\n",
    ]
    for event in events:
        role = event["x-role"] or "any user"
        lines = [f"## {event['name']}", "", event["description"], ""]
        lines += [f"Role: {role}. `fields` is: {_kind(event['fields'])}.", ""]
        if event["arguments"] is not None:
            lines += ["| argument | type | default | meaning |", "| --- | --- | --- | --- |"]
            inner = schemas.get(_reference(event["arguments"]) or "", event["arguments"])
            for name, each in inner["properties"].items():
                lines.append(_row(f"`{name}`", each, required=name in inner.get("required", ())))
            lines.append("")
        parts.append("\n".join(lines))
    return "\n".join(parts)


def _types(schemas: Mapping[str, Any]) -> str:
    parts = [_HEAD, "# Types\n"]
    for name, schema in schemas.items():
        lines = [f"## {name}", "", schema.get("description", ""), ""]
        if schema.get("properties"):
            lines += ["| field | type | default | meaning |", "| --- | --- | --- | --- |"]
            required = schema.get("required", ())
            lines += [
                _row(f"`{field}`", each, required=field in required)
                for field, each in schema["properties"].items()
            ]
            lines.append("")
        parts.append("\n".join(lines))
    return "\n".join(parts)


def _reference(schema: Mapping[str, Any]) -> str | None:
    reference = schema.get("$ref")
    return str(reference).rpartition("/")[2] if reference else None


def _anchor(heading: str) -> str:
    """As Markdown viewers make it of a heading."""
    return "".join(each for each in heading.lower().replace(" ", "-") if each.isalnum() or each in "-_")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
