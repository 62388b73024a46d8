"""The published schemas are exact: what fits them is taken, and what does not is refused with its field's name."""

import functools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.property.fuzzing import EXAMPLES
from tests.property.schemas import ANYTHING, Schemas, changed
from vmstead import __version__
from vmstead.errors import ValidationErrors
from vmstead.reference import describe
from vmstead.rpc import protocol
from vmstead.rpc.protocol import Rejected
from vmstead.rpc.registry import Method, table
from vmstead.surface import NAMESPACES

METHODS = table(NAMESPACES)
#: All queries take the same.
NAMES = [name for name, method in METHODS.items() if not method.is_query or name == "vm.query"]
SCHEMAS = Schemas(describe(METHODS, __version__))


@functools.cache
def calls(method: Method) -> st.SearchStrategy[list[Any]]:
    """Parameters that fit the schema: all that are required, and some of the others."""
    params = SCHEMAS.methods[method.name]["params"]
    required = sum(param["required"] for param in params)
    values = [SCHEMAS.named(param["name"], param["schema"]) for param in params]
    return st.integers(required, len(params)).flatmap(lambda count: st.tuples(*values[:count]).map(list))


def fits(method: Method, params: list[Any]) -> bool:
    described = SCHEMAS.methods[method.name]["params"]
    return sum(param["required"] for param in described) <= len(params) <= len(described) and all(
        SCHEMAS.fits(param["schema"], value) for param, value in zip(described, params, strict=False)
    )


def refusal(method: Method, params: list[Any]) -> ValidationErrors | None:
    """How a method refuses parameters as they come over the wire."""
    try:
        call = protocol.decode(json.dumps({"jsonrpc": "2.0", "method": method.name, "params": params}))
        method.bind(call.params)
    except ValidationErrors as error:
        return error
    except Rejected:
        # A wrapper object with something wrong in it: the frame itself is refused.
        return ValidationErrors([])
    return None


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=max(25, EXAMPLES // 1000), deadline=None)
@given(data=st.data())
def test_what_fits_is_taken(name: str, data: st.DataObject) -> None:
    method = METHODS[name]
    params = data.draw(calls(method))
    assert fits(method, params), "the generator is wrong"
    error = refusal(method, params)
    # What no schema can say is a rule in code, and its text says so.
    rules = [] if error is None else [str(each) for each in error.problems]
    assert [text for text in rules if "Value error, " not in text] == []


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=max(25, EXAMPLES // 1000), deadline=None)
@given(data=st.data())
def test_what_does_not_fit_is_refused(name: str, data: st.DataObject) -> None:
    method = METHODS[name]
    params = data.draw(changed(calls(method)) | st.lists(ANYTHING, max_size=4))
    if not isinstance(params, list) or fits(method, params):
        return
    error = refusal(method, params)
    assert error is not None
    for problem in error.problems:
        first = (problem.attribute or "").partition(".")[0]
        assert first in (*method.parameters, ""), problem
        assert problem.message
