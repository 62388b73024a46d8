"""The engine's errors as the API's."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from vmstead.errors import CallError
from vmstead.ports.engine import EngineError, EngineErrorKind

_ERRNOS = {
    EngineErrorKind.UNREACHABLE: errno.EHOSTUNREACH,
    EngineErrorKind.REFUSED: errno.EINVAL,
}


@contextmanager
def engine_errors(what: str, *, ignore_unreachable: bool = False) -> Iterator[None]:
    """Turn an ``EngineError`` into a ``CallError`` that begins with ``what`` could not be done."""
    try:
        yield
    except EngineError as error:
        if ignore_unreachable and error.kind is EngineErrorKind.UNREACHABLE:
            return
        raise CallError(f"{what}: {error}", _ERRNOS.get(error.kind, errno.EFAULT)) from error
