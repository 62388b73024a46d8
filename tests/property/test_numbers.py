"""Lists of processors mean to a VM's rules and pinning what they mean to libvirt."""

from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import fromstring

import libvirt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vmstead.vm.rules import numbers

NUMBER = st.integers(0, 12)
PART = st.one_of(
    NUMBER.map(str),
    NUMBER.map(lambda number: f"^{number}"),
    st.tuples(NUMBER, NUMBER).map(lambda pair: f"{min(pair)}-{max(pair)}"),
)


@pytest.fixture(scope="module")
def connection() -> Iterator[Any]:
    """libvirt's driver without guests: it reads definitions as all of them do."""
    opened = libvirt.open("test:///default")
    yield opened
    opened.close()


def of_libvirt(connection: Any, text: str) -> list[int] | None:
    """The processors that libvirt reads; None where it refuses."""
    document = (
        f'<domain type="test"><name>numbers</name><memory>32768</memory><vcpu cpuset="{text}">1</vcpu>'
        "<os><type>hvm</type></os></domain>"
    )
    try:
        domain = connection.defineXML(document)
    except libvirt.libvirtError:
        return None
    written = fromstring(domain.XMLDesc()).find("vcpu")
    domain.undefine()
    assert written is not None
    # What libvirt writes has no exceptions, and is in order.
    return sorted(numbers(written.attrib["cpuset"]))


@settings(max_examples=300, deadline=None)
@given(parts=st.lists(PART, min_size=1, max_size=6))
def test_lists_mean_what_libvirt_says(connection: Any, parts: list[str]) -> None:
    text = ",".join(parts)
    try:
        ours: list[int] | None = sorted(numbers(text))
    except ValueError:
        ours = None
    assert ours == of_libvirt(connection, text), text
