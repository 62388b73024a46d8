"""Every golden VM becomes its document, byte by byte.

``VMSTEAD_REGENERATE=1 pytest tests/golden`` writes the documents anew; the review is reading the difference.
"""

import os
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from lxml import etree
from pydantic import BaseModel

from tests.golden.documents import CASES, FOLDER, IDS, Case
from vmstead.devices import TYPES
from vmstead.vm import rules
from vmstead.vm.model import VmCreate

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


def _differs(model: type[BaseModel], sent: dict[str, Any]) -> set[str]:
    """The fields that are sent with another value than their default."""
    return {name for name, value in sent.items() if value != model.model_fields[name].default}


#: Fields that are the server's business: no domain document has them.
_OF_THE_SERVER = {
    "VM": {"autostart", "shutdown_timeout", "suspend_on_snapshot"},
    "DISK": {"create_zvol", "zvol_name", "zvol_volsize"},
    "RAW": {"exists", "size"},
    "DISPLAY": {"web", "web_port", "wait"},
}


def test_no_declared_field_goes_untested() -> None:
    """Every field of a VM and of every device type makes a difference to some golden document."""
    used: dict[str, set[str]] = {}
    for case in CASES:
        used.setdefault("VM", set()).update(_differs(VmCreate, case.content["vm"]))
        for item in case.content.get("devices", []):
            attributes = item["attributes"]
            kind = TYPES[attributes["dtype"]]
            used.setdefault(attributes["dtype"], set()).update(_differs(kind, attributes))
    models: dict[str, type[BaseModel]] = {"VM": VmCreate, **TYPES}
    missing = {
        name: sorted(model.model_fields.keys() - used[name] - _OF_THE_SERVER.get(name, set()) - {"dtype"})
        for name, model in models.items()
    }
    assert {name: fields for name, fields in missing.items() if fields} == {}


def test_every_value_of_every_choice_is_in_some_document() -> None:
    """What can only be one of a few values is shown with each of them."""
    seen: dict[tuple[str, str], set[object]] = {}
    for case in CASES:
        for item in case.content.get("devices", []):
            attributes = item["attributes"]
            model = TYPES[attributes["dtype"]].model_validate(attributes)
            for field, value in model.model_dump(exclude={"usb"}).items():
                seen.setdefault((attributes["dtype"], field), set()).add(value)
        for field, value in case.values.items():
            seen.setdefault(("VM", field), set()).add(value)
    models: dict[str, type[BaseModel]] = {"VM": VmCreate, **TYPES}
    missing = {
        (name, field): choices - seen.get((name, field), set())
        for name, model in models.items()
        for field, info in model.model_fields.items()
        # Sizes of screens all go the same way.
        if (choices := _choices(info.annotation)) and field not in {"dtype", "resolution"}
    }
    assert {each: values for each, values in missing.items() if values} == {}


def _choices(annotation: object) -> set[object]:
    """The values of a Literal, also of one that may be null."""
    if get_origin(annotation) is Literal:
        return set(get_args(annotation))
    found = [_choices(each) for each in get_args(annotation)]
    return set().union(*found)
