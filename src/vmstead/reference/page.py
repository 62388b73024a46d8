"""The API as one page for a browser, without anything that has to be loaded."""

import html as escape
import json
from collections.abc import Mapping
from typing import Any

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1c2430; }
h2 { border-top: 1px solid #d5dae1; padding-top: 1rem; font-size: 1.1rem; }
h2 small { font-weight: normal; color: #5b6675; }
code, pre { font-family: ui-monospace, monospace; font-size: 0.9em; }
pre { background: #f3f5f8; padding: 0.75rem; border-radius: 6px; overflow-x: auto; white-space: pre-wrap; }
summary { cursor: pointer; }
nav { columns: 3 14rem; } nav a { display: block; text-decoration: none; }
@media (prefers-color-scheme: dark) {
  body { background: #12161c; color: #e3e8ef; } pre { background: #1c222b; } a { color: #8ab4f8; }
  h2 { border-color: #333c48; } h2 small { color: #9aa5b4; }
}
"""


def html(document: Mapping[str, Any]) -> str:
    """A page with every method of an OpenRPC document."""
    names = [method["name"] for method in document["methods"]]
    links = "".join(f'<a href="#{_safe(name)}">{_safe(name)}</a>' for name in names)
    methods = "".join(_method(method) for method in document["methods"])
    schemas = _code(document["components"]["schemas"])
    title = f"{document['info']['title']} {document['info']['version']} API"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_safe(title)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>{_safe(title)}</h1><p>{_safe(document['info']['description'])} "
        'For programs: <a href="/api/docs/openrpc.json">openrpc.json</a>.</p>'
        f"<nav>{links}</nav>{methods}<h2>Types</h2><details><summary>JSON Schema</summary>{schemas}</details>"
        "</body></html>\n"
    )


def _method(method: Mapping[str, Any]) -> str:
    name = _safe(method["name"])
    notes = [method["x-role"] or "any user"] + (["job"] if method["x-job"] else [])
    arguments = [param["value"] for param in method["examples"][0]["params"]]
    request = {"jsonrpc": "2.0", "id": 1, "method": method["name"], "params": arguments}
    schema = {
        "params": {param["name"]: param["schema"] for param in method["params"]},
        "result": method["result"]["schema"],
    }
    return (
        f'<h2 id="{name}"><code>{name}</code> <small>{_safe(", ".join(notes))}</small></h2>'
        f"<p>{_safe(method['summary'])}</p>"
        + "".join(f"<p>{_safe(part)}</p>" for part in method["description"].split("\n\n") if part)
        + f"{_code(request)}<details><summary>Parameters and result</summary>{_code(schema)}</details>"
    )


def _code(value: object) -> str:
    return f"<pre>{_safe(json.dumps(value, indent=2, ensure_ascii=False))}</pre>"


def _safe(text: str) -> str:
    return escape.escape(text)
