"""The errors a client can see.

    ApiError
     ├── CallError              the call was understood and cannot be done now (JSON-RPC code -32001)
     │    ├── NotAuthenticated  nobody is logged in on this connection
     │    └── NotAuthorized     somebody is, without the right to this
     └── ValidationErrors       the call itself is wrong: one problem or several (JSON-RPC code -32602)
          └── NotFound          an id that does not exist

Everything below the API has errors of its own (``EngineError``, ``VolumeError``, ``CommandError``); they
become one of these where a use case knows what they mean to its caller. The wire form is TrueNAS's: a
number from ``errno``, its name, and a text that starts with the name in brackets.
"""

import errno as errnos
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from vmstead import calls

#: Error numbers that TrueNAS adds to those of POSIX.
ENOMETHOD = 201
EDATASETISLOCKED = 205
ENOTAUTHENTICATED = 207

_ADDED_NAMES = {
    ENOMETHOD: "ENOMETHOD",
    EDATASETISLOCKED: "EDATASETISLOCKED",
    ENOTAUTHENTICATED: "ENOTAUTHENTICATED",
}


def errname(number: int) -> str:
    """The symbolic name of an error number, ``EUNKNOWN`` where it has none."""
    return _ADDED_NAMES.get(number) or errnos.errorcode.get(number, "EUNKNOWN")


class Problem(NamedTuple):
    """One thing that is wrong with a call.

    Attributes:
        attribute: dotted path that starts with the parameter's name (``vm_create.memory``); None when the
            problem is not with a field (an unknown id).
        message: what is wrong with the value, and the way out.
        errno: nearly always EINVAL; EEXIST, ENOENT and others where clients test for them.
    """

    attribute: str | None
    message: str
    errno: int = errnos.EINVAL

    def __str__(self) -> str:
        return f"[{errname(self.errno)}] {self.attribute}: {self.message}"


class ApiError(Exception):
    """Base of every error that is meant for the client: its text is safe to show."""

    #: What goes into the error object's ``error`` and, as a name, ``errname``.
    errno: int = errnos.EINVAL
    #: What goes into ``extra``; None or a list.
    extra: list[object] | None = None

    @property
    def reason(self) -> str:
        """The text of the error object's ``reason``."""
        return str(self)


class CallError(ApiError):
    """The call cannot be done: wrong state, nothing free, a program failed.

    Args:
        message: names the thing, its state and the way out; without the error name in brackets.
        errno: EFAULT unless a better one says more. EBUSY and EAGAIN only where trying again helps,
            because clients do so.
    """

    def __init__(
        self, message: str, errno: int = errnos.EFAULT, extra: Iterable[object] | None = None
    ) -> None:
        super().__init__(message)
        self.errno = errno
        self.extra = None if extra is None else list(extra)

    def __str__(self) -> str:
        return f"[{errname(self.errno)}] {self.args[0]}"


class NotAuthenticated(CallError):
    """Nobody is logged in. Clients log in again when they read the error's name."""

    def __init__(self) -> None:
        super().__init__("Not authenticated", ENOTAUTHENTICATED)


class NotAuthorized(CallError):
    """Somebody is logged in who may not do this."""

    def __init__(self, message: str = "Not authorized") -> None:
        super().__init__(message, errnos.EACCES)


class ValidationErrors(ApiError):
    """The call's arguments are wrong; all problems are told at once."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "".join(f"{problem}\n" for problem in self.problems)

    @property
    def extra(self) -> list[object]:  # type: ignore[override]
        """The problems as the wire's triples of attribute, message and error number."""
        return [list(problem) for problem in self.problems]


class NotFound(ValidationErrors):
    """No object with that id. Clients look for ENOENT and for "does not exist".

    Args:
        noun: what kind of object, as TrueNAS names it (``VM``, ``VMDevice``, ``Job``).
        key: the id that was asked for.
    """

    def __init__(self, noun: str, key: object) -> None:
        super().__init__([Problem(None, f"{noun} {key} does not exist", errnos.ENOENT)])

    def __str__(self) -> str:
        return str(self.problems[0])


def raise_if(problems: Iterable[Problem]) -> None:
    """Raise ``ValidationErrors`` when there are any."""
    found = list(problems)
    if found:
        raise ValidationErrors(found)


@contextmanager
def host_errors(what: str) -> Iterator[None]:
    """Turn what the operating system complains of into an error that begins with ``what`` (cannot be done)."""
    try:
        yield
    except OSError as error:
        raise CallError(f"{what}: {error.strerror or error}", errnos.EIO) from error


#: What is said where the host is short of something, or does not let anything be written.
_SHORTAGES = {
    errnos.EMFILE: "the server has as many files and connections open as it may; try again when somebody has "
    "disconnected, or raise its limit (LimitNOFILE in its service, ulimit -n elsewhere)",
    errnos.ENFILE: "the host has as many files open as it may (sysctl fs.file-max)",
    errnos.ENOMEM: "the server has no memory left for this; ask for less at a time, or raise its limit",
    errnos.EAGAIN: "the server can start no more threads; raise its limit (TasksMax in its service)",
}
#: Of these the operating system's own words say enough.
_PLAIN = {errnos.ENOSPC, errnos.EDQUOT, errnos.EROFS, errnos.EIO, errnos.ESTALE, errnos.EFBIG}


def shortage(what: str, error: BaseException) -> CallError | None:
    """What a client is told of an error that no use case knows, where the host is to blame; else None.

    Args:
        what: what failed, such as the name of a method.
    """
    number = error.errno if isinstance(error, OSError) else None
    if isinstance(error, MemoryError):
        number = errnos.ENOMEM
    elif isinstance(error, RuntimeError) and "start new thread" in str(error):
        number = errnos.EAGAIN
    if number in _PLAIN:
        assert isinstance(error, OSError)
        where = f"{error.filename}: " if error.filename else ""
        return CallError(f"{what} failed: {where}{error.strerror}", number or errnos.EIO)
    text = _SHORTAGES.get(number or 0)
    return CallError(f"{what} failed: {text}", number or 0) if text else None


def unexpected(what: str, error: BaseException) -> CallError:
    """What a client is told of an error that nobody has thought of. Its own text may be for nobody to read."""
    known = shortage(what, error)
    return known or CallError(f"{what} failed unexpectedly; {calls.where_to_look()}")
