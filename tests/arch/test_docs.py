"""The documents say what is so."""

import re

import pytest

from tests.arch.source import ROOT
from vmstead.config import OPTIONS


def test_the_readme_lists_every_setting() -> None:
    readme = (ROOT / "README.md").read_text()
    for name, item in OPTIONS.items():
        option = f"--{name.replace('_', '-')} {item.metadata['metavar']}".strip()
        row = next((line for line in readme.splitlines() if line.startswith(f"| `{option}` ")), None)
        assert row is not None, option
        assert f"`VMSTEAD_{name.upper()}`" in row
        assert item.metadata["help"] in row


def test_every_difference_from_truenas_names_a_test_that_is_there() -> None:
    rows = re.findall(
        r"^\| .* \| `(tests/[^`]+)` \|$", (ROOT / "docs/contract-notes.md").read_text(), re.MULTILINE
    )
    assert len(rows) > 20
    assert [path for path in rows if not (ROOT / path).exists()] == []


def test_links_between_documents_lead_somewhere() -> None:
    documents = [
        *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "SECURITY")),
        *(ROOT / "docs").rglob("*.md"),
    ]
    for document in documents:
        for link in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
            if not link.startswith("http"):
                assert (document.parent / link).exists(), f"{document.name}: {link}"


def test_decisions_are_numbered_without_gaps_and_have_all_parts() -> None:
    pages = sorted((ROOT / "docs/adr").glob("*.md"))
    for number, page in enumerate(pages, start=1):
        assert page.name.startswith(f"{number:04}-")
        text = page.read_text()
        assert text.startswith(f"# {number}. ")
        assert "**Decision.**" in text
        assert "**Consequences.**" in text
        assert len(text.splitlines()) < 60


@pytest.mark.parametrize("page", ["docs/hardening.md", "docs/threat-model.md"])
def test_every_test_that_the_pages_about_hardening_name_is_there(page: str) -> None:
    named = re.findall(r"`(tests/[^`:]+)::(\w+)`", (ROOT / page).read_text())
    assert len(named) > 30
    missing = [
        f"{file}::{function}"
        for file, function in named
        if f"def {function}(" not in (ROOT / file).read_text()
    ]
    assert missing == []
