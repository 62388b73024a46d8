"""Projection: plain, nested and renamed fields, and rows that stay as they were."""

from collections.abc import Mapping
from copy import deepcopy
from types import MappingProxyType

import pytest

from vmstead.query import QueryRuntimeError, filter_list

ROW: dict[str, object] = {
    "id": 1,
    "name": "web01",
    "a.b": 2,
    "none": None,
    "status": {"state": "RUNNING", "pid": 7, "deep": {"er": 1, "est": 2}},
    "tags": ["x"],
}


def select(*entries: object, row: Mapping[str, object] = ROW) -> object:
    return filter_list([row], [], {"select": list(entries), "get": True})


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        (["id"], {"id": 1}),
        (["name", "id"], {"name": "web01", "id": 1}),
        (["nope"], {}),
        (["id", "nope", "status.nope", "nope.x"], {"id": 1}),
        (["none"], {"none": None}),
        (["a\\.b"], {"a.b": 2}),
        (["status.state"], {"status": {"state": "RUNNING"}}),
        (["status.state", "status.pid"], {"status": {"state": "RUNNING", "pid": 7}}),
        (["status.deep.er", "status.deep.est"], {"status": {"deep": {"er": 1, "est": 2}}}),
        (["status"], {"status": ROW["status"]}),
        (["tags"], {"tags": ["x"]}),
        # a scalar has nothing below it and stands for itself
        (["name.x"], {"name": "web01"}),
        (["none.x"], {"none": None}),
        (["status.pid.x"], {"status": {"pid": 7}}),
        # an alias is one flat key
        ([["id", "key"]], {"key": 1}),
        ([["status.state", "state"]], {"state": "RUNNING"}),
        ([["status.state", "a.b"]], {"a.b": "RUNNING"}),
        ([["nope", "key"]], {}),
        ([("id", "key")], {"key": 1}),
        # of two entries for one place the later wins
        ([["name", "id"], "id"], {"id": 1}),
        (["id", ["name", "id"]], {"id": "web01"}),
        (["status", "status.state"], {"status": ROW["status"]}),
        (["status.state", "status"], {"status": ROW["status"]}),
        ([["id", "status"], "status.state"], {"status": {"state": "RUNNING"}}),
        ([["status.deep", "status"], "status.pid"], {"status": {"er": 1, "est": 2, "pid": 7}}),
    ],
)
def test_select(entries, expected):
    before = deepcopy(ROW)
    assert select(*entries) == expected
    assert before == ROW


@pytest.mark.parametrize(
    ("entry", "whole"),
    [("tags.0", "tags"), ("tags.*", "tags"), ("s.tags.0.x", "s.tags"), (["tags.0", "t"], "tags")],
)
def test_nothing_is_selected_inside_a_list(entry, whole):
    source = entry if isinstance(entry, str) else entry[0]
    with pytest.raises(QueryRuntimeError) as raised:
        select(entry, row={"tags": ["x"], "s": {"tags": [{"x": 1}]}})
    assert str(raised.value) == f"{source}: cannot select inside a list; select {whole} itself"


def test_a_selected_row_is_a_new_dict():
    result = select("id", "name", "a\\.b", "none", "status", "tags")
    assert result == ROW
    assert result is not ROW


def test_without_select_a_dict_comes_back_as_it_is():
    assert select() is ROW


def test_any_mapping_can_be_a_row():
    row = MappingProxyType({"id": 1, "status": MappingProxyType({"state": "x", "pid": 1})})
    assert filter_list([row], [["status.state", "=", "x"]]) == [{"id": 1, "status": row["status"]}]
    assert isinstance(select(row=row), dict)
    assert select("status.state", row=row) == {"status": {"state": "x"}}
    assert select("status", "status.state", row=row) == {"status": {"state": "x", "pid": 1}}
