"""Logging in: which methods are called with what, and what the refusals say."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.client.conftest import Serve
from tests.unit.client.server import Method, Peer, call_error
from vmstead.client import Client, ClientError, Credentials, LoginError
from vmstead.client.login import authenticate

KEY = "1-" + "a" * 64


def answering(*types: str) -> dict[str, Method]:
    """login_ex answers with these response types, one after the other."""
    left = list(types)

    def login_ex(peer: Peer, data: Any) -> dict[str, Any]:
        return {"response_type": left.pop(0), "urls": ["https://a", "https://b"]}

    return {"auth.login_ex": login_ex, "auth.login_ex_continue": login_ex}


def test_password(serve: Serve) -> None:
    server = serve(answering("SUCCESS"))
    with Client(server.uri) as client:
        client.login("root", "pw")
    assert server.calls("auth.login_ex") == [
        [{"mechanism": "PASSWORD_PLAIN", "username": "root", "password": "pw"}]
    ]


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("AUTH_ERR", "Invalid username or password"),
        ("OTP_REQUIRED", "one-time code"),
        ("EXPIRED", "expired"),
        ("DENIED", "may not use the API"),
        ("REDIRECT", "https://a, https://b"),
        ("SOMETHING_NEW", "Invalid username or password"),
    ],
)
def test_refusals(serve: Serve, answer: str, text: str) -> None:
    with Client(serve(answering(answer)).uri) as client, pytest.raises(LoginError, match=text) as caught:
        client.login("root", "hidden")
    assert caught.value.response_type == answer
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("answer", [None, True, {}, {"response_type": 5}])
def test_odd_answers_are_refusals(serve: Serve, answer: Any) -> None:
    server = serve({"auth.login_ex": lambda peer, data: answer, "auth.login": lambda peer, *data: False})
    with Client(server.uri) as client, pytest.raises(LoginError):
        client.login("root", "pw")


def test_second_factor(serve: Serve) -> None:
    server = serve(answering("OTP_REQUIRED", "SUCCESS", "OTP_REQUIRED", "OTP_REQUIRED"))
    with Client(server.uri) as client:
        client.login("root", "pw", "123456")
        with pytest.raises(LoginError, match="one-time code"):
            client.login("root", "pw", "000000")
    assert server.calls("auth.login_ex_continue")[0] == [{"mechanism": "OTP_TOKEN", "otp_token": "123456"}]


def test_servers_without_login_ex(serve: Serve) -> None:
    server = serve(
        {
            "auth.login": lambda peer, name, password, code: password == "right",
            "auth.login_with_token": lambda peer, token: token == "t",
            "auth.login_with_api_key": lambda peer, key: key == KEY,
        }
    )
    with Client(server.uri) as client:
        client.login("root", "right")
        client.login_with_token("t")
        client.login_with_api_key(KEY, "root")
        with pytest.raises(LoginError, match="Invalid username or password"):
            client.login("root", "wrong")
        with pytest.raises(LoginError, match="Invalid token"):
            client.login_with_token("u")
        with pytest.raises(LoginError, match="Invalid API key"):
            client.login_with_api_key("1-x", "root")
    assert server.calls("auth.login")[0] == ["root", "right", None]


def test_api_key_alone(serve: Serve, tmp_path: Path) -> None:
    server = serve({"auth.login_with_api_key": lambda peer, key: key == KEY})
    file = tmp_path / "key"
    file.write_text(KEY + "\n")
    with Client(server.uri) as client:
        client.login_with_api_key(KEY)
        client.login_with_api_key(str(file))
        with pytest.raises(LoginError, match="Invalid API key") as caught:
            client.login_with_api_key("1-hidden")
    assert "hidden" not in str(caught.value)
    assert server.methods_called().count("auth.login_ex") == 0


def test_api_key_of_a_user(serve: Serve) -> None:
    server = serve(answering("SUCCESS", "AUTH_ERR"))
    with Client(server.uri) as client:
        client.login_with_api_key(KEY, "root")
        with pytest.raises(LoginError, match="Invalid API key"):
            client.login_with_api_key("1-bad", "root")
    assert server.calls("auth.login_ex")[0] == [
        {"mechanism": "API_KEY_PLAIN", "username": "root", "api_key": KEY}
    ]


def test_token(serve: Serve) -> None:
    server = serve(answering("SUCCESS", "AUTH_ERR"))
    with Client(server.uri) as client:
        client.login_with_token("t")
        with pytest.raises(LoginError, match="Invalid token"):
            client.login_with_token("t")
    assert server.calls("auth.login_ex")[0] == [{"mechanism": "TOKEN_PLAIN", "token": "t"}]


def test_an_error_of_the_server_is_no_refusal(serve: Serve) -> None:
    def limited(peer: Peer, data: Any) -> None:
        raise call_error(16, "[EBUSY] Rate Limit Exceeded")

    with Client(serve({"auth.login_ex": limited}).uri) as client, pytest.raises(ClientError) as caught:
        client.login("root", "pw")
    assert not isinstance(caught.value, LoginError)


def test_whatever_was_given(serve: Serve) -> None:
    server = serve({**answering("SUCCESS", "SUCCESS"), "auth.login_with_api_key": lambda peer, key: True})
    with Client(server.uri) as client:
        authenticate(client, Credentials())
        assert len(server.requests) == 1
        authenticate(client, Credentials("root", "pw", KEY))
        authenticate(client, Credentials("root", None, KEY))
        authenticate(client, Credentials(api_key=KEY))
    mechanisms = [data["mechanism"] for (data,) in server.calls("auth.login_ex")]
    assert mechanisms == ["PASSWORD_PLAIN", "API_KEY_PLAIN"]
    assert server.calls("auth.login_with_api_key") == [[KEY]]


def test_credentials_are_not_shown() -> None:
    assert repr(Credentials("root", "secret", "1-secret")) == "Credentials(username='root')"
