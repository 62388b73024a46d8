"""What can go wrong in a client.

    ClientError                 base of all; raised itself for an error that the server answered
     +-- ValidationErrors       the server found fault with parameters; `errors` lists every one
     +-- CallTimeout            no answer, or no event, in the time given (errno ETIMEDOUT)
     +-- ConnectError           no connection could be made
     |    +-- CertificateError  the server's TLS certificate is not trusted
     +-- ConnectionLostError    an open connection ended (errno ECONNABORTED)
     +-- JobAbortedError        the job was aborted before it had a result (errno ECANCELED)
     +-- LoginError             the server answered, and refused the credentials

The attributes `error`, `errno`, `trace` and `extra` are those of the official client's exceptions, so that
code written for it finds what it looks for. No text ever contains a credential.
"""

import errno
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from vmstead.client.ejson import Json

#: A method was called before logging in; not a POSIX number.
ENOTAUTHENTICATED = 207

_INVALID_PARAMS = -32602


class ClientError(Exception):
    """A call failed; the base of every error of this package.

    Attributes:
        error: the text, as the server worded it where it comes from the server.
        errno: POSIX number, or a TrueNAS number above 200, or None where the server gave none.
        trace: the server's traceback (`class`, `formatted`, `repr`, sometimes `frames`), or None.
        extra: whatever the server attached, or None.
    """

    def __init__(
        self,
        error: str,
        errno: int | None = None,
        trace: Mapping[str, Json] | None = None,
        extra: Json = None,
    ) -> None:
        super().__init__(error)
        self.error = error
        self.errno = errno
        self.trace = trace
        self.extra = extra


class Fault(NamedTuple):
    """One fault: which attribute (a dotted path; None for all of them), what, which errno."""

    attribute: str | None
    message: str
    errno: int


class ValidationErrors(ClientError):
    """The server refused parameters.

    Its text has one line per fault, `[ERRNAME] attribute: message`, with `ALL` where a fault concerns no
    single attribute. The server's traceback and raw list are not kept.

    Attributes:
        errors: every fault, in the server's order.
    """

    def __init__(self, errors: Iterable[Fault], fallback: str = "Invalid params") -> None:
        self.errors = list(errors)
        lines = (
            f"[{errno.errorcode.get(fault.errno, 'EUNKNOWN')}] {fault.attribute or 'ALL'}: {fault.message}"
            for fault in self.errors
        )
        super().__init__("\n".join(lines) or fallback, errno.EINVAL)


class CallTimeout(ClientError):
    """Nothing came in time. The server may still carry the call out; a late answer is ignored."""

    def __init__(self, error: str = "Call timeout") -> None:
        super().__init__(error, errno.ETIMEDOUT)


class ConnectError(ClientError):
    """No connection: wrong address, nothing listening (ENOENT, ECONNREFUSED), or the upgrade was refused."""


class CertificateError(ConnectError):
    """The server's TLS certificate is not trusted, or made out to another name."""


class ConnectionLostError(ClientError):
    """An open connection ended while it was still needed; what was asked may or may not have happened.

    Attributes:
        code: the WebSocket close code, or None when the connection ended without a closing handshake.
    """

    def __init__(self, error: str, code: int | None = None) -> None:
        super().__init__(error, errno.ECONNABORTED)
        self.code = code


class JobAbortedError(ClientError):
    """The job ended without a result because somebody aborted it."""

    def __init__(self, error: str) -> None:
        super().__init__(error, errno.ECANCELED)


class LoginError(ClientError):
    """Refused credentials.

    Attributes:
        response_type: what `auth.login_ex` answered (`AUTH_ERR`, `OTP_REQUIRED`, `EXPIRED`, ...), or None.
    """

    def __init__(self, error: str, response_type: str | None = None) -> None:
        super().__init__(error, errno.EACCES)
        self.response_type = response_type


def faults(extra: Json) -> list[Fault]:
    """The faults in a server's list of `[attribute, message, errno]`; other shapes are left out."""
    found = []
    for item in extra if isinstance(extra, list) else []:
        match item:
            case [str() | None as attribute, message, int() as number]:
                found.append(Fault(attribute, str(message), number))
            case _:
                pass
    return found


def error_from_answer(error: Json) -> ClientError:
    """The exception for the `error` member of a JSON-RPC answer.

    Args:
        error: `{"code", "message", "data"?}`; members that are missing or odd make the result poorer, never
            fail.
    """
    if not isinstance(error, dict):
        return ClientError(f"The server answered with an error of an unknown form: {error!r}")
    message = str(error.get("message") or f"JSON-RPC error {error.get('code')}")
    data = error.get("data")
    if not isinstance(data, dict):
        return ClientError(message)
    reason = str(data.get("reason") or message)
    if error.get("code") == _INVALID_PARAMS:
        return ValidationErrors(faults(data.get("extra")), reason)
    number = data.get("error")
    trace = data.get("trace")
    return ClientError(
        reason,
        number if isinstance(number, int) else None,
        trace if isinstance(trace, dict) else None,
        data.get("extra"),
    )


def error_from_job(fields: Mapping[str, Json]) -> ClientError:
    """The exception for a job that ended FAILED or ABORTED.

    Args:
        fields: the job as `core.get_jobs` and its events describe it.
    """
    info = fields.get("exc_info")
    text = fields.get("error")
    if fields.get("state") == "ABORTED":
        return JobAbortedError(str(text or f"Job {fields.get('id')} was aborted"))
    text = str(text or f"Job {fields.get('id')} failed")
    if not isinstance(info, dict):
        return ClientError(text)
    if info.get("type") == "VALIDATION":
        return ValidationErrors(faults(info.get("extra")), text)
    formatted = fields.get("exception")
    kind, shown = info.get("type"), info.get("repr")
    trace = {"class": kind, "frames": [], "formatted": formatted, "repr": shown} if formatted else None
    number = info.get("errno")
    return ClientError(text, number if isinstance(number, int) else None, trace, info.get("extra"))
