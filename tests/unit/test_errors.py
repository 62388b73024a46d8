"""Errors that clients see: their numbers, names and texts."""

import errno

import pytest

from vmstead.errors import (
    ENOMETHOD,
    ENOTAUTHENTICATED,
    ApiError,
    CallError,
    NotAuthenticated,
    NotAuthorized,
    NotFound,
    Problem,
    ValidationErrors,
    errname,
    raise_if,
    unexpected,
)


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (errno.EINVAL, "EINVAL"),
        (errno.EAGAIN, "EAGAIN"),
        (errno.EBUSY, "EBUSY"),
        (errno.ENOENT, "ENOENT"),
        (ENOMETHOD, "ENOMETHOD"),
        (ENOTAUTHENTICATED, "ENOTAUTHENTICATED"),
        (0, "EUNKNOWN"),
        (-1, "EUNKNOWN"),
        (99999, "EUNKNOWN"),
    ],
)
def test_every_number_has_a_name(number: int, name: str) -> None:
    assert errname(number) == name


def test_the_added_numbers_are_the_contracts() -> None:
    assert (ENOMETHOD, ENOTAUTHENTICATED) == (201, 207)


@pytest.mark.parametrize(
    ("error", "number", "reason", "extra"),
    [
        (CallError("x"), 14, "[EFAULT] x", None),
        (CallError("x", 16), 16, "[EBUSY] x", None),
        (CallError("x", 5, []), 5, "[EIO] x", []),
        (CallError("x", 5, (1, "a")), 5, "[EIO] x", [1, "a"]),
        (CallError("x", 99999), 99999, "[EUNKNOWN] x", None),
        (NotAuthenticated(), 207, "[ENOTAUTHENTICATED] Not authenticated", None),
        (NotAuthorized(), 13, "[EACCES] Not authorized", None),
        (NotAuthorized("Session is expired"), 13, "[EACCES] Session is expired", None),
        (ValidationErrors([]), 22, "", []),
        (
            ValidationErrors(iter([Problem("a.b", "bad"), Problem("", "worse", 17)])),
            22,
            "[EINVAL] a.b: bad\n[EEXIST] : worse\n",
            [["a.b", "bad", 22], ["", "worse", 17]],
        ),
        (
            NotFound("VMDevice", 7),
            22,
            "[ENOENT] None: VMDevice 7 does not exist",
            [[None, "VMDevice 7 does not exist", 2]],
        ),
        (ApiError("x"), 22, "x", None),
    ],
)
def test_an_error_has_number_reason_and_extra(
    error: ApiError, number: int, reason: str, extra: object
) -> None:
    assert (error.errno, error.reason, error.extra) == (number, reason, extra)


def test_the_tree_is_what_handlers_rely_on() -> None:
    assert issubclass(NotFound, ValidationErrors)
    assert issubclass(NotAuthenticated, CallError)
    assert issubclass(NotAuthorized, CallError)
    assert not issubclass(ValidationErrors, CallError)
    assert not issubclass(ApiError, OSError | ValueError)


def test_problems_are_raised_all_at_once() -> None:
    problems = [Problem("a", "x"), Problem("b", "y")]
    with pytest.raises(ValidationErrors) as raised:
        raise_if(iter(problems))
    assert raised.value.problems == problems


def test_no_problems_are_no_error() -> None:
    raise_if([])
    raise_if(iter(()))


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (
            OSError(errno.EMFILE, "Too many open files", "/x"),
            "[EMFILE] vm.start failed: the server has as many",
        ),
        (
            OSError(errno.ENOSPC, "No space left on device", "/x"),
            "[ENOSPC] vm.start failed: /x: No space left",
        ),
        (OSError(errno.EROFS, "Read-only file system"), "[EROFS] vm.start failed: Read-only file system"),
        (MemoryError(), "[ENOMEM] vm.start failed: the server has no memory left"),
        (RuntimeError("can't start new thread"), "[EAGAIN] vm.start failed: the server can start no more"),
        (RuntimeError("a secret"), "[EFAULT] vm.start failed unexpectedly; the server's log tells more"),
        (OSError(errno.ENOENT, "No such file", "/secret"), "[EFAULT] vm.start failed unexpectedly; the"),
        (KeyError("secret"), "[EFAULT] vm.start failed unexpectedly; the server's log tells more"),
    ],
)
def test_what_the_host_is_short_of_is_told_and_nothing_else_of_what_nobody_has_thought_of(
    error: Exception, text: str
) -> None:
    assert str(unexpected("vm.start", error)).startswith(text)
