"""Building XML from values, never from text."""

import re
from xml.etree.ElementTree import Element, SubElement, indent, tostring

__all__ = ["Element", "SubElement", "el", "to_bytes"]

#: What XML 1.0 cannot hold at all, not even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def el(tag: str, *children: "Element | str | None", **attributes: object) -> Element:
    """An element. Children and attributes that are None are left out; a str child is the text.

    Attribute names that are Python keywords are written with a trailing underscore (``class_``); ``True`` and
    ``False`` become libvirt's ``yes`` and ``no``.

    Raises:
        ValueError: a value has a character that XML cannot hold.
    """
    element = Element(tag)
    for name, value in attributes.items():
        if value is not None:
            element.set(name.rstrip("_"), _text(value))
    for child in children:
        if isinstance(child, str):
            element.text = _text(child)
        elif child is not None:
            element.append(child)
    return element


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value)
    if _FORBIDDEN.search(text):
        raise ValueError(f"{text!r} has a control character, which no XML document can hold")
    return text


def to_bytes(element: Element) -> bytes:
    """The document, indented for the people who read it in logs and with ``virsh dumpxml``."""
    indent(element)
    document: bytes = tostring(element, encoding="utf-8")
    return document
