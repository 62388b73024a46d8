"""The reference is whole, true to the code, and up to date where it is kept as files."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from vmstead.cli.main import main
from vmstead.reference import describe, html, pages
from vmstead.reference.examples import example
from vmstead.rpc.registry import Method, table
from vmstead.surface import NAMESPACES

METHODS = table(NAMESPACES)
ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_the_example_of_every_method_can_be_called(method: Method) -> None:
    method.bind(example(method))


def test_every_method_says_what_it_is_for_and_what_it_takes_and_gives() -> None:
    document = describe(METHODS, "1")
    assert [method["name"] for method in document["methods"]] == sorted(METHODS)
    for described in document["methods"]:
        assert described["summary"].endswith((".", ".)")), described["name"]
        names = [param["name"] for param in described["params"]]
        assert names == METHODS[described["name"]].parameters


def test_every_field_that_clients_send_is_explained() -> None:
    schemas = describe(METHODS, "1")["components"]["schemas"]
    silent = [
        f"{name}.{field}"
        for name, schema in schemas.items()
        for field, each in schema.get("properties", {}).items()
        # A reference may leave it to what it refers to.
        if not {"description", "const", "$ref"} & set(each)
    ]
    assert silent == []


def test_every_reference_leads_somewhere() -> None:
    document = describe(METHODS, "1")
    text = json.dumps(document)
    there = document["components"]["schemas"]
    named = {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert named <= set(there)
    files = pages(document)
    for name, page in files.items():
        for link in page.split("](")[1:]:
            target, _, anchor = link.partition(")")[0].partition("#")
            assert target in ("", "openrpc.json", *files), (name, link)
            headings = [line.removeprefix("## ") for line in files.get(target, "").splitlines()]
            plain = {heading.partition(" ")[0].lower().replace(".", "") for heading in headings}
            assert not anchor or anchor in plain | {"".join(h.split()).lower() for h in headings}, (
                name,
                link,
            )


def test_texts_cannot_break_the_page() -> None:
    document = describe(METHODS, "1")
    document["methods"][0]["summary"] = "<script>alert(1)</script>"
    assert "<script" not in html(document)


def test_the_files_in_docs_are_what_the_code_says(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["reference", str(tmp_path)])
    assert result.exit_code == 0, result.output
    kept = ROOT / "docs/api"
    written = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert {path.name: path.read_text() for path in kept.iterdir()} == written, (
        "write them anew with: .venv/bin/vmstead reference docs/api"
    )
