"""XML from values."""

from xml.etree.ElementTree import fromstring

import pytest

from vmstead.kernel.xml import el, to_bytes


def test_values_that_are_none_leave_no_trace() -> None:
    element = el("disk", None, el("source", file=None), None, type="file", device=None)
    assert to_bytes(element) == b'<disk type="file">\n  <source />\n</disk>'


def test_a_text_and_children_stand_in_order() -> None:
    assert to_bytes(el("a", el("b", "text"), el("c", ""))) == b"<a>\n  <b>text</b>\n  <c />\n</a>"


def test_yes_and_no_are_libvirts() -> None:
    assert to_bytes(el("a", on=True, off=False, one=1, zero=0)) == b'<a on="yes" off="no" one="1" zero="0" />'


def test_a_trailing_underscore_makes_a_keyword_an_attribute() -> None:
    assert el("a", class_="x", type_="y").attrib == {"class": "x", "type": "y"}


@pytest.mark.parametrize(
    "text", ["<&>\"'", "]]>", "a\tb\nc", "\u00fc \U0001f600", "<!-- -->", "&amp;", "\u2028", "%s {0}"]
)
def test_no_value_can_become_markup(text: str) -> None:
    document = fromstring(to_bytes(el("a", el("b", text), value=text)))
    assert document.find("b") is not None
    assert document.findtext("b") == text
    assert document.get("value") == text
    assert len(list(document.iter())) == 2


@pytest.mark.parametrize("text", ["\0", "\x1b", "\x0b", "\ud800", "\ufffe", "\uffff"])
def test_what_xml_cannot_hold_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        el("a", f"x{text}y")
    with pytest.raises(ValueError, match="control character"):
        el("a", value=f"x{text}y")
