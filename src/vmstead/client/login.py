"""Ways of logging in. Every mechanism is here, so this is where another one goes.

`auth.login_ex` is the method for all mechanisms. Older servers lack it and have one method per mechanism,
answering just true or false; each function falls back to that.
"""

from typing import NamedTuple, Protocol

from vmstead.client import apikey
from vmstead.client.ejson import Json
from vmstead.client.errors import ClientError, LoginError

_NO_SUCH_METHOD = "Method does not exist"


class Calls(Protocol):
    """What logging in needs of a client."""

    def call(self, method: str, *params: Json, timeout: float | None = None) -> Json: ...


class Credentials(NamedTuple):
    """What somebody gave to log in with; all None where the server knows its peers, as on a unix socket.

    Attributes:
        username: a user name; needs a password or an API key with it.
        password: that user's password. It goes before an API key.
        api_key: an API key, or the absolute path of a file with one.
    """

    username: str | None = None
    password: str | None = None
    api_key: str | None = None

    def __repr__(self) -> str:
        # Representations end up in logs and tracebacks.
        return f"Credentials(username={self.username!r})"


def authenticate(client: Calls, credentials: Credentials) -> None:
    """Log in with what was given; nothing was given: do nothing.

    Raises:
        LoginError: refused.
        ClientError: the login could not be tried.
    """
    if credentials.username and credentials.password:
        with_password(client, credentials.username, credentials.password)
    elif credentials.api_key:
        with_api_key(client, credentials.api_key, credentials.username)


def with_password(client: Calls, username: str, password: str, otp_token: str | None = None) -> None:
    """Log in with a password; errors as for `Client.login`."""
    refused = "Invalid username or password"
    answer = _login_ex(client, {"mechanism": "PASSWORD_PLAIN", "username": username, "password": password})
    if answer is None:
        _require(client.call("auth.login", username, password, otp_token), refused)
        return
    if otp_token is not None and _response_type(answer) == "OTP_REQUIRED":
        answer = client.call("auth.login_ex_continue", {"mechanism": "OTP_TOKEN", "otp_token": otp_token})
    _check(answer, refused)


def with_api_key(client: Calls, key: str, username: str | None = None) -> None:
    """Log in with an API key or the path of its file; errors as for `Client.login_with_api_key`.

    The key itself goes over the connection. A mechanism that only proves to have it (SCRAM) would be tried
    here, before this one, when `auth.mechanism_choices` lists it.
    """
    refused = "Invalid API key"
    secret = apikey.load(key)
    answer = None
    if username:
        answer = _login_ex(client, {"mechanism": "API_KEY_PLAIN", "username": username, "api_key": secret})
    if answer is None:
        _require(client.call("auth.login_with_api_key", secret), refused)
    else:
        _check(answer, refused)


def with_token(client: Calls, token: str) -> None:
    """Log in with a token; errors as for `Client.login_with_token`."""
    refused = "Invalid token"
    answer = _login_ex(client, {"mechanism": "TOKEN_PLAIN", "token": token})
    if answer is None:
        _require(client.call("auth.login_with_token", token), refused)
    else:
        _check(answer, refused)


def _login_ex(client: Calls, data: dict[str, Json]) -> Json:
    """The server's answer, or None when it does not have the method."""
    try:
        return client.call("auth.login_ex", data)
    except ClientError as error:
        if error.error == _NO_SUCH_METHOD:
            return None
        raise


def _require(accepted: Json, refused: str) -> None:
    if accepted is not True:
        raise LoginError(refused)


def _response_type(answer: Json) -> str | None:
    kind = answer.get("response_type") if isinstance(answer, dict) else None
    return kind if isinstance(kind, str) else None


def _check(answer: Json, refused: str) -> None:
    kind = _response_type(answer)
    match kind:
        case "SUCCESS":
            return
        case "OTP_REQUIRED":
            raise LoginError("This account needs a one-time code as well (two-factor authentication)", kind)
        case "EXPIRED":
            raise LoginError("The credentials have expired", kind)
        case "DENIED":
            raise LoginError("This account may not use the API", kind)
        case "REDIRECT":
            urls = ", ".join(str(url) for url in answer.get("urls") or ())
            raise LoginError(f"Log in at the active server instead: {urls}", kind)
        case _:
            raise LoginError(refused, kind)
