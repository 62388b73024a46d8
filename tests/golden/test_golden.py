"""Every golden VM becomes its document, byte by byte.

``VMSTEAD_REGENERATE=1 pytest tests/golden`` writes the documents anew; the review is reading the difference.
"""

import os
from pathlib import Path

import pytest
from lxml import etree

from tests.golden.documents import CASES, FOLDER, IDS, Case
from vmstead.devices import TYPES
from vmstead.vm import rules

_SCHEMA = Path("/usr/share/libvirt/schemas/domain.rng")


@pytest.fixture(scope="module")
def schema() -> etree.RelaxNG:
    if not _SCHEMA.exists():
        pytest.skip("libvirt's schemas are not installed (package libvirt-daemon or libvirt0)")
    return etree.RelaxNG(etree.parse(_SCHEMA))


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_the_document_is_the_golden_one(case: Case) -> None:
    document = case.document()
    if os.environ.get("VMSTEAD_REGENERATE") == "1":
        case.file.write_bytes(document)
    assert document.decode() == case.file.read_text()


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_libvirts_schema_allows_it(case: Case, schema: etree.RelaxNG) -> None:
    document = etree.fromstring(case.document())
    assert schema.validate(document), schema.error_log


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_a_client_could_have_made_it(case: Case) -> None:
    assert list(rules.problems("vm_create", case.values, name_taken=False)) == []
    for each in case.placed:
        others = [other for other in case.placed if other.id != each.id]
        assert list(each.device.check(others, None)) == []


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_nothing_in_it_stands_twice_where_it_may_not(case: Case) -> None:
    document = etree.fromstring(case.document())
    for path in ("//disk/target/@dev", "//boot/@order", "//channel/target/@name"):
        values = document.xpath(path)
        assert isinstance(values, list)
        assert len(values) == len(set(values)), path


def test_everything_has_every_device_type() -> None:
    (case,) = {case.name: case for case in CASES if case.name == "everything"}.values()
    used = {item["attributes"]["dtype"] for item in case.content["devices"]}
    assert used == set(TYPES)


def test_no_document_is_left_over() -> None:
    assert sorted(FOLDER.glob("*.xml")) == sorted(case.file for case in CASES)
