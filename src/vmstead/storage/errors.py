"""What the volumes and files ports raise, as the API's errors."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from vmstead.errors import EDATASETISLOCKED, CallError, Problem, ValidationErrors
from vmstead.ports.volumes import VolumeError, VolumeErrorKind

_ERRNOS = {
    VolumeErrorKind.NOT_FOUND: errno.ENOENT,
    VolumeErrorKind.EXISTS: errno.EEXIST,
    VolumeErrorKind.NO_SPACE: errno.ENOSPC,
    VolumeErrorKind.IN_USE: errno.EBUSY,
    VolumeErrorKind.OUTSIDE: errno.EACCES,
    VolumeErrorKind.BAD_NAME: errno.EINVAL,
    VolumeErrorKind.LOCKED: EDATASETISLOCKED,
    VolumeErrorKind.UNAVAILABLE: errno.ENXIO,
}


@contextmanager
def storage_errors(attribute: str | None = None) -> Iterator[None]:
    """Turn a ``VolumeError`` into an error about that field, or about the call as a whole."""
    try:
        yield
    except VolumeError as error:
        number = _ERRNOS.get(error.kind, errno.EFAULT if attribute is None else errno.EINVAL)
        if attribute is None:
            raise CallError(str(error), number) from None
        raise ValidationErrors([Problem(attribute, str(error), number)]) from None
