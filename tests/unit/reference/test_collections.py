"""What clients can subscribe to is described as what they are sent."""

from typing import get_origin

from vmstead.reference.collections import collections
from vmstead.rpc.registry import table
from vmstead.surface import EVENT_ROLES, NAMESPACES, SOURCES
from vmstead.system.alert import Alert


def test_an_event_carries_one_of_what_its_method_lists() -> None:
    fields = {each.name: each.fields for each in collections(table(NAMESPACES), EVENT_ROLES, SOURCES)}
    assert fields["alert.list"] is Alert
    assert [name for name, each in fields.items() if get_origin(each) is list] == []
