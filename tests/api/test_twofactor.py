"""The second factor, one-time passwords, and what users change of their own secrets."""

from pathlib import Path
from typing import Any

import pyotp
import pytest

from tests.api.test_auth import account, api_key
from tests.harness import Api, Host, server

PASSWORD = {"mechanism": "PASSWORD_PLAIN", "username": "alice", "password": "open sesame"}


async def factor(host: Host, username: str = "alice", **options: int) -> pyotp.TOTP:
    """Give an account a second factor; what its app shows from then on."""
    made = await host.api.call("user.renew_2fa_secret", username, options)
    config = made["twofactor_config"]
    assert config["secret_configured"] is True
    app = pyotp.parse_uri(config["provisioning_uri"])
    assert isinstance(app, pyotp.TOTP)
    assert (app.interval, app.digits) == (config["interval"], config["otp_digits"])
    return app


def shown(host: Host, app: pyotp.TOTP, intervals: int = 0) -> str:
    return app.at(int(host.clock.now()) + intervals * app.interval)


def code(text: str) -> dict[str, Any]:
    return {"mechanism": "OTP_TOKEN", "otp_token": text}


async def logged_in(api: Api) -> str:
    return str((await api.call("auth.me"))["pw_name"])


async def test_a_password_is_not_enough_where_there_is_a_second_factor(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await account(host)
        app = await factor(host)
        answer = await api.call("auth.login_ex", PASSWORD)
        assert answer == {"response_type": "OTP_REQUIRED", "username": "alice"}
        assert (await api.failure("auth.me")).errno == 207
        answer = await api.call("auth.login_ex_continue", code(shown(host, app)))
        assert answer["response_type"] == "SUCCESS"
        assert answer["authenticator"] == "LEVEL_1"
        me = answer["user_info"]
        assert "2FA" in me["account_attributes"]
        # The secret is not told again.
        assert me["two_factor_config"] == {
            "provisioning_uri": None,
            "secret_configured": True,
            "interval": 30,
            "otp_digits": 6,
        }
        [session] = await host.api.call("auth.sessions", [["internal", "=", False]])
        assert session["credentials"] == "LOGIN_TWOFACTOR"


@pytest.mark.parametrize(("digits", "interval"), [(6, 5), (8, 120)])
async def test_whatever_is_accepted_can_be_logged_in_with(tmp_path: Path, digits: int, interval: int) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await account(host)
        app = await factor(host, otp_digits=digits, interval=interval)
        await api.call("auth.login_ex", PASSWORD)
        answer = await api.call("auth.login_ex_continue", code(shown(host, app)))
        assert answer["response_type"] == "SUCCESS"
        # Nothing is changed by what is refused.
        failure = await host.api.failure("user.renew_2fa_secret", "alice", {"interval": 121})
        assert failure.attributes == ["twofactor_options.interval"]
        [alice] = await host.api.call("user.query", [["username", "=", "alice"]])
        assert alice["twofactor_auth_configured"] is True


async def test_the_code_can_be_sent_by_login_ex_too_and_with_the_older_login(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await account(host)
        app = await factor(host, otp_digits=8, interval=60)
        await api.call("auth.login_ex", PASSWORD)
        options = {"login_options": {"user_info": False}}
        answer = await api.call("auth.login_ex", {**code(shown(host, app)), **options})
        assert (answer["response_type"], answer["user_info"]) == ("SUCCESS", None)
        async with host.connect(over_tcp=True) as other:
            assert await other.call("auth.login", "alice", "open sesame") is False
            assert await other.call("auth.login", "alice", "open sesame", "00000000") is False
            host.clock.advance(60)
            assert await other.call("auth.login", "alice", "open sesame", shown(host, app)) is True


async def test_a_code_works_once(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await account(host)
        app = await factor(host)
        used = shown(host, app)
        for expected in (True, False):
            async with host.connect(over_tcp=True) as api:
                assert await api.call("auth.login", "alice", "open sesame", used) is expected
        # Nor does the one before it, which was never used: somebody may have looked on.
        async with host.connect(over_tcp=True) as api:
            assert await api.call("auth.login", "alice", "open sesame", shown(host, app, -1)) is False
            host.clock.advance(30)
            assert await api.call("auth.login", "alice", "open sesame", shown(host, app)) is True


async def test_codes_next_to_the_current_one_are_good_within_the_window(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await account(host)
        app = await factor(host)
        assert await host.api.call("auth.twofactor.config") == {
            "id": 1,
            "enabled": True,
            "services": {"ssh": False},
            "window": 1,
        }
        assert await api.call("auth.login", "alice", "open sesame", shown(host, app, -2)) is False
        assert await api.call("auth.login", "alice", "open sesame", shown(host, app, -1)) is True
        changed = await host.api.call("auth.twofactor.update", {"window": 0, "services": {"ssh": True}})
        assert (changed["window"], changed["services"], changed["enabled"]) == (0, {"ssh": True}, True)
        host.clock.advance(300)
        assert await api.call("auth.login", "alice", "open sesame", shown(host, app, -1)) is False
        assert await api.call("auth.login", "alice", "open sesame", shown(host, app)) is True
        failure = await host.api.failure("auth.twofactor.update", {"window": -1})
        assert failure.attributes == ["auth_twofactor_update.window"]


async def test_three_more_codes_can_be_tried(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await account(host)
        app = await factor(host)
        await api.call("auth.login_ex", PASSWORD)
        for _ in range(3):
            again = await api.call("auth.login_ex_continue", code("000000"))
            assert again == {"response_type": "OTP_REQUIRED", "username": "alice"}
        assert await api.call("auth.login_ex_continue", code("000000")) == {"response_type": "AUTH_ERR"}
        failure = await api.failure("auth.login_ex_continue", code(shown(host, app)))
        assert (failure.errno, failure.reason) == (
            22,
            "[EINVAL] OTP_TOKEN: no authentication in progress",
        )


async def test_a_code_belongs_to_the_connection_of_its_password_and_not_for_long(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await account(host)
        app = await factor(host)
        await api.call("auth.login_ex", PASSWORD)
        async with host.connect(over_tcp=True) as other:
            failure = await other.failure("auth.login_ex_continue", code(shown(host, app)))
            assert failure.errno == 22
        host.clock.advance(301)
        assert (await api.failure("auth.login_ex_continue", code(shown(host, app)))).errno == 22
        await api.call("auth.login_ex", PASSWORD)
        # Another attempt gives up the one before.
        await api.call("auth.login_ex", {"mechanism": "TOKEN_PLAIN", "token": "nonsense"})
        assert (await api.failure("auth.login_ex_continue", code(shown(host, app)))).errno == 22
        failure = await api.failure("auth.login_ex_continue", {"mechanism": "PASSWORD_PLAIN"})
        assert "login_data.mechanism" in failure.attributes


async def test_between_password_and_code_an_account_can_be_locked(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await account(host, "root2")
        owner = await account(host)
        app = await factor(host)
        await api.call("auth.login_ex", PASSWORD)
        await host.api.call("user.update", owner, {"locked": True})
        answer = await api.call("auth.login_ex_continue", code(shown(host, app)))
        assert answer == {"response_type": "AUTH_ERR"}


async def test_keys_and_local_users_are_asked_for_no_code(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        key = await api_key(host, await account(host))
        await factor(host)
        assert await api.call("auth.login_with_api_key", key) is True


async def test_it_can_be_taken_away_and_switched_off_for_all(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await account(host)
        await account(host, "bob")
        for name in ("alice", "bob"):
            await factor(host, name)
        await host.api.call("user.unset_2fa_secret", "alice")
        for name, expected in (("alice", True), ("bob", False)):
            async with host.connect(over_tcp=True) as api:
                assert await api.call("auth.login", name, "open sesame") is expected
        await host.api.call("auth.twofactor.update", {"enabled": False})
        async with host.connect(over_tcp=True) as api:
            assert await api.call("auth.login", "bob", "open sesame") is True
        users = await host.api.call("user.query", [["builtin", "=", False]], {"order_by": ["username"]})
        assert [user["twofactor_auth_configured"] for user in users] == [False, True]


async def test_who_has_never_used_a_second_factor_can_go_without_it_again(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await account(host, "alice", "open sesame", "VM_READ")
        async with host.connect(over_tcp=True) as first:
            await first.call("auth.login", "alice", "open sesame")
            await first.call("user.renew_2fa_secret", "alice")
            await first.call("user.unset_2fa_secret", "alice")
            made = await first.call("user.renew_2fa_secret", "alice")
            app = pyotp.parse_uri(made["twofactor_config"]["provisioning_uri"])
            assert isinstance(app, pyotp.TOTP)
            async with host.connect(over_tcp=True) as api:
                assert await api.call("auth.login", "alice", "open sesame", shown(host, app)) is True
            # Another secret does not change that it was used.
            for _ in range(2):
                refused = await first.failure("user.unset_2fa_secret", "alice")
                assert "takes the role ACCOUNT_WRITE" in refused.reason
                await first.call("user.renew_2fa_secret", "alice")


async def test_the_secret_is_sealed_and_told_once(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        owner = await account(host)
        secret = (await factor(host)).secret
        told = str(await host.api.call("user.get_instance", owner)) + str(await host.api.call("user.query"))
        assert secret not in told
        assert secret not in str(await host.api.call("audit.query"))
        stored = b"".join(file.read_bytes() for file in (tmp_path / "state").glob("*.db*"))
        assert secret.encode() not in stored


async def test_without_the_key_of_the_seal_nobody_comes_in_by_password_alone(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await account(host)
        app = await factor(host)
    (tmp_path / "state/secret.key").unlink()
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        assert await api.call("auth.login", "alice", "open sesame", shown(host, app)) is False


async def test_users_renew_their_own_and_others_need_the_right(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await account(host, "alice", "open sesame", "VM_READ")
        await account(host, "boss")
        await account(host, "clerk", "open sesame", "ACCOUNT_WRITE", "VM_READ")
        await api.call("auth.login", "alice", "open sesame")
        made = await api.call("user.renew_2fa_secret", "alice", {})
        assert made["username"] == "alice"
        assert made["twofactor_config"]["provisioning_uri"].startswith("otpauth://totp/Vmstead:alice")
        failure = await api.failure("user.renew_2fa_secret", "boss", {})
        assert failure.errno == 13
        assert "ACCOUNT_WRITE" in failure.reason
        assert (await api.failure("user.renew_2fa_secret", "nobody-there", {})).errno == 13
        async with host.connect(over_tcp=True) as clerk:
            await clerk.call("auth.login", "clerk", "open sesame")
            await clerk.call("user.renew_2fa_secret", "alice", {"otp_digits": 7})
            await clerk.call("user.unset_2fa_secret", "alice")
            for method in ("user.renew_2fa_secret", "user.unset_2fa_secret"):
                failure = await clerk.failure(method, "boss")
                assert "has roles that you do not have" in failure.reason
            missing = await clerk.failure("user.unset_2fa_secret", "carl")
            assert missing.attributes == [None]
        bad = await host.api.failure("user.renew_2fa_secret", "alice", {"otp_digits": 5, "interval": 1})
        assert bad.attributes == ["twofactor_options.otp_digits", "twofactor_options.interval"]


# --- one-time passwords -----------------------------------------------------------------------------


async def test_a_one_time_password_lets_in_once_to_set_a_new_one(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await account(host, "alice", None, "VM_READ")
        earlier = await host.api.call("auth.generate_onetime_password", {"username": "alice"})
        once = await host.api.call("auth.generate_onetime_password", {"username": "alice"})
        assert len(once) == len(earlier) == 2 + 27
        for wrong in (earlier, once[:-1] + "!", "9" + once[1:], once.partition("_")[2]):
            assert await api.call("auth.login", "alice", wrong) is False
        answer = await api.call("auth.login_ex", {**PASSWORD, "password": once})
        attributes = answer["user_info"]["account_attributes"]
        assert {"OTPW", "PASSWORD_CHANGE_REQUIRED"} <= {*attributes}
        [session] = await host.api.call("auth.sessions", [["internal", "=", False]])
        assert session["credentials"] == "LOGIN_ONETIME_PASSWORD"
        await api.call("user.set_password", {"username": "alice", "new_password": "a new one"})
        assert await logged_in(api) == "alice"
        async with host.connect(over_tcp=True) as other:
            assert await other.call("auth.login", "alice", once) is False
            assert await other.call("auth.login", "alice", "a new one") is True


async def test_a_one_time_password_is_good_for_a_day_for_one_user(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await account(host)
        await account(host, "bob")
        once = await host.api.call("auth.generate_onetime_password", {"username": "alice"})
        assert await api.call("auth.login", "bob", once) is False
        host.clock.advance(24 * 3600)
        assert await api.call("auth.login", "alice", once) is False
        once = await host.api.call("auth.generate_onetime_password", {"username": "alice"})
        await host.api.call("user.set_password", {"username": "alice", "new_password": "x"})
        assert await api.call("auth.login", "alice", once) is False
        stored = b"".join(file.read_bytes() for file in (tmp_path / "state").glob("*.db*"))
        assert once.partition("_")[2].encode() not in stored
        missing = await host.api.failure("auth.generate_onetime_password", {"username": "carl"})
        assert missing.attributes == [None]
        assert (await host.api.failure("auth.generate_onetime_password", "alice")).attributes == [
            "generate_single_use_password"
        ]


async def test_a_one_time_password_does_not_replace_the_second_factor(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await account(host)
        app = await factor(host)
        once = await host.api.call("auth.generate_onetime_password", {"username": "alice"})
        answer = await api.call("auth.login_ex", {**PASSWORD, "password": once})
        assert answer["response_type"] == "OTP_REQUIRED"
        answer = await api.call("auth.login_ex_continue", code(shown(host, app)))
        assert "OTPW" in answer["user_info"]["account_attributes"]
        # Who gets one for an account could come in as it, so it takes what the account has.
        await account(host, "clerk", "open sesame", "ACCOUNT_WRITE")
        async with host.connect(over_tcp=True) as clerk:
            await clerk.call("auth.login", "clerk", "open sesame")
            failure = await clerk.failure("auth.generate_onetime_password", {"username": "alice"})
            assert failure.errno == 13


# --- passwords ----------------------------------------------------------------------------------------


async def test_ones_own_password_takes_the_old_one_and_others_the_right(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await account(host, "alice", "open sesame", "VM_READ")
        await account(host, "boss")
        await account(host, "clerk", "open sesame", "ACCOUNT_WRITE", "VM_READ")
        await api.call("auth.login", "alice", "open sesame")
        data = {"username": "alice", "new_password": "new"}
        for old in (None, "wrong"):
            failure = await api.failure("user.set_password", {**data, "old_password": old})
            assert failure.attributes == ["set_password_data.old_password"]
        assert await api.call("user.set_password", {**data, "old_password": "open sesame"}) is None
        failure = await api.failure("user.set_password", {**data, "username": "boss"})
        assert failure.errno == 13
        empty = await api.failure("user.set_password", {**data, "new_password": ""})
        assert empty.attributes == ["set_password_data.new_password"]
        async with host.connect(over_tcp=True) as clerk:
            await clerk.call("auth.login", "clerk", "open sesame")
            await clerk.call("user.set_password", {**data, "new_password": "newer"})
            assert (await clerk.failure("user.set_password", {**data, "username": "boss"})).errno == 13
        async with host.connect(over_tcp=True) as other:
            assert await other.call("auth.login", "alice", "new") is False
            assert await other.call("auth.login", "alice", "newer") is True


async def test_a_new_password_ends_the_logins_with_the_old_one(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        key = await api_key(host, await account(host))
        async with (
            host.connect(over_tcp=True) as own,
            host.connect(over_tcp=True) as other,
            host.connect(over_tcp=True) as handed_on,
            host.connect(over_tcp=True) as program,
        ):
            for api in (own, other):
                await api.call("auth.login", "alice", "open sesame")
            await handed_on.call("auth.login_with_token", await other.call("auth.generate_token"))
            await program.call("auth.login_with_api_key", key)
            await own.call("user.set_password", {"username": "alice", "new_password": "new"})
            assert await logged_in(own) == "alice"
            assert await logged_in(program) == "alice"
            assert await other.closed() == 1008
            assert await handed_on.closed() == 1008
