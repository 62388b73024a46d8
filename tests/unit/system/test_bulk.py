"""What ``core.bulk`` says that it is doing: the client's text, which can do no more than name parameters."""

import pytest

from vmstead.kernel.model import PLACEHOLDER
from vmstead.system.bulk import described


@pytest.mark.parametrize(
    ("template", "params", "text"),
    [
        ("plain", [], "plain"),
        ("Starting {0}", [7], "Starting 7"),
        ("{0[name]} of {1}", [{"name": "web"}, "b"], "web of b"),
        ("{0[list][1]}", [{"list": ["x", "y"]}], "y"),
        ("{{0}}", [7], "{0}"),
        ("{0} {1} {2}", [1, 2], "1 2 ?"),
        ("{0[nothing]} {0[1]}", [{"name": 1}], "? ?"),
        ("{0[password]}", [{"password": "hunter2"}], PLACEHOLDER),
        # A format would be an instruction: to take gigabytes, or to look into objects.
        ("{0:>9999999999}", ["a"], "?"),
        ("{0!r}", ["a"], "?"),
        ("{0.__class__}", ["a"], "?"),
        ("{0[__class__]}", ["a"], "?"),
        ("{name}{}", ["a"], "??"),
        ("{0[9999999999999999999999]}", [["a"]], "?"),
        ("{²}", ["a", "b", "c"], "?"),
        # What is no template is shown as it is.
        ("{0", ["a"], "{0"),
        ("}", ["a"], "}"),
    ],
)
def test_templates(template: str, params: list[object], text: str) -> None:
    assert described(template, params) == text
