"""Errors: from what a server sends to what a caller catches."""

import errno
from typing import Any

import pytest

from vmstead.client import (
    CallTimeout,
    ClientError,
    ConnectError,
    ConnectionLostError,
    JobAbortedError,
    LoginError,
    ValidationErrors,
    errors,
)

TRACE = {"class": "CallError", "frames": [], "formatted": "Traceback ...", "repr": "CallError()"}


def answered(code: int, **data: Any) -> ClientError:
    return errors.error_from_answer({"code": code, "message": "m", "data": data})


def test_call_error() -> None:
    error = answered(-32001, error=16, errname="EBUSY", reason="[EBUSY] Taken", trace=TRACE, extra=[1])
    assert type(error) is ClientError
    assert (str(error), error.error, error.errno) == ("[EBUSY] Taken", "[EBUSY] Taken", 16)
    assert (error.trace, error.extra) == (TRACE, [1])


def test_validation_errors() -> None:
    extra = [["vm_create.name", "Field required", 22], [None, "VM 9 does not exist", 2], ["", "Odd", 4242]]
    error = answered(-32602, error=22, reason="r", trace=TRACE, extra=extra)
    assert isinstance(error, ValidationErrors)
    assert str(error).splitlines() == [
        "[EINVAL] vm_create.name: Field required",
        "[ENOENT] ALL: VM 9 does not exist",
        "[EUNKNOWN] ALL: Odd",
    ]
    assert error.errors[0] == ("vm_create.name", "Field required", 22)
    assert (error.errno, error.trace, error.extra) == (errno.EINVAL, None, None)


@pytest.mark.parametrize("extra", [None, [], "x", [["too", "short"]], [5]])
def test_validation_errors_without_usable_faults(extra: Any) -> None:
    error = answered(-32602, error=22, reason="[EINVAL] something", trace=None, extra=extra)
    assert str(error) == "[EINVAL] something"
    assert isinstance(error, ValidationErrors)
    assert error.errors == []


@pytest.mark.parametrize(
    ("error", "text"),
    [
        ({"code": -32601, "message": "Method does not exist"}, "Method does not exist"),
        ({"code": -32000}, "JSON-RPC error -32000"),
        ({"code": -32001, "message": "m", "data": {}}, "m"),
        ({"code": -32001, "message": "m", "data": {"error": "x", "trace": 5}}, "m"),
        ("boom", "The server answered with an error of an unknown form: 'boom'"),
    ],
)
def test_poor_answers(error: Any, text: str) -> None:
    result = errors.error_from_answer(error)
    assert (str(result), result.errno, result.trace) == (text, None, None)


def test_failed_job_with_a_call_error() -> None:
    info = {"repr": "CallError('x')", "type": "CallError", "errno": 14, "extra": None}
    error = errors.error_from_job(
        {"id": 1, "state": "FAILED", "error": "[EFAULT] x", "exception": "Trace", "exc_info": info}
    )
    assert (str(error), error.errno) == ("[EFAULT] x", 14)
    assert error.trace is not None
    assert (error.trace["formatted"], error.trace["class"]) == ("Trace", "CallError")


def test_failed_job_with_validation_errors() -> None:
    info = {"repr": "", "type": "VALIDATION", "errno": None, "extra": [["id", "Bad", 22]]}
    error = errors.error_from_job({"id": 1, "state": "FAILED", "error": "e", "exc_info": info})
    assert isinstance(error, ValidationErrors)
    assert str(error) == "[EINVAL] id: Bad"


def test_jobs_that_tell_little() -> None:
    assert str(errors.error_from_job({"id": 3, "state": "FAILED"})) == "Job 3 failed"
    aborted = errors.error_from_job({"id": 3, "state": "ABORTED", "exc_info": None})
    assert isinstance(aborted, JobAbortedError)
    assert (str(aborted), aborted.errno) == ("Job 3 was aborted", errno.ECANCELED)


def test_every_error_is_a_client_error() -> None:
    made = [
        CallTimeout(),
        ConnectError("x", errno.ENOENT),
        ConnectionLostError("x", 1000),
        LoginError("x", "AUTH_ERR"),
    ]
    assert all(isinstance(error, ClientError) for error in made)
    numbers = [errno.ETIMEDOUT, errno.ENOENT, errno.ECONNABORTED, errno.EACCES]
    assert [error.errno for error in made] == numbers
    assert str(made[0]) == "Call timeout"
