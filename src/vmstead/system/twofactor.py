"""The second factor: codes that an app makes of a shared secret (RFC 6238), each good for one login."""

import hmac
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from vmstead.ctx import Ctx, Services
from vmstead.kernel.model import Field, Model, patch_of, sent
from vmstead.rpc.registry import Namespace
from vmstead.store.accounts import Account
from vmstead.store.factors import SecondFactor

if TYPE_CHECKING:
    from pyotp import TOTP

log = structlog.get_logger()
twofactor = Namespace("auth.twofactor")

#: Where the settings are remembered.
_SETTINGS = "auth.twofactor"
#: What an account's second factor is like where its user does not say.
DIGITS, INTERVAL = 6, 30


class TwoFactorServices(Model):
    """What else asks for codes on TrueNAS."""

    ssh: bool = Field(False, description="Kept and read back; has no effect here.")


class TwoFactorSettings(Model):
    """Settings of the second factor."""

    enabled: bool = Field(True, description="Ask those for a code who have a second factor.")
    services: TwoFactorServices = Field(TwoFactorServices(), description="What else asks for codes.")
    window: int = Field(1, ge=0, le=20, description="Codes before and after the current one that are good.")


class TwoFactorShape(TwoFactorSettings):
    """Settings of the second factor, as they are read."""

    id: int = Field(description="Always 1.")


TwoFactorUpdate = patch_of(TwoFactorSettings, "TwoFactorUpdate")


def settings_of(services: Services) -> TwoFactorSettings:
    """The settings that are in force."""
    stored = services.memory.get(_SETTINGS)
    return TwoFactorSettings() if stored is None else TwoFactorSettings.model_validate_json(stored)


@twofactor.method(role="SYSTEM_SECURITY_READ", returns=TwoFactorShape)
async def config(ctx: Ctx) -> dict[str, object]:
    """Settings of the second factor."""
    return {"id": 1, **settings_of(ctx).model_dump()}


@twofactor.method(
    role="SYSTEM_SECURITY_WRITE",
    returns=TwoFactorShape,
    audit="Update two-factor authentication service configuration",
)
async def update(ctx: Ctx, auth_twofactor_update: TwoFactorUpdate) -> dict[str, object]:  # type: ignore[valid-type]
    """Change settings of the second factor. Accounts get one with ``user.renew_2fa_secret``."""
    changed = {**settings_of(ctx).model_dump(), **sent(auth_twofactor_update)}
    await ctx.memory.set(_SETTINGS, msgspec.json.encode(changed).decode())
    return await config(ctx)


def is_asked(services: Services, account: Account) -> bool:
    """Whether a login with the account's password takes a code too."""
    return account.has_second_factor and settings_of(services).enabled


async def accepts(services: Services, account: Account, code: str) -> bool:
    """Whether this is a code of the account's second factor; it is used up then."""
    try:
        factor = services.factors.of(account.id)
    except ValueError as error:
        log.error("a second factor cannot be checked", user=account.username, reason=str(error))  # noqa: TRY400
        return False
    if factor is None:
        return False
    number = _interval_of(factor, code, services.clock.now(), settings_of(services).window)
    return number is not None and await services.factors.write(services.factors.use(account.id, number))


def _interval_of(factor: SecondFactor, code: str, now: float, window: int) -> int | None:
    """The number of the interval that a code belongs to; None for a wrong code."""
    given = code.replace(" ", "").encode()
    made = _totp(factor.secret, factor.digits, factor.interval)
    current = int(now // factor.interval)
    good = [
        number
        for number in range(max(0, current - window), current + window + 1)
        if hmac.compare_digest(made.generate_otp(number).encode(), given)
    ]
    return min((number for number in good if number > factor.used), default=None)


def described(
    factor: SecondFactor | None, uri: str | None = None
) -> dict[str, Any]:  # the shape of user entries
    """A second factor as clients see it. The ``uri`` has the secret in it."""
    return {
        "provisioning_uri": uri,
        "secret_configured": factor is not None,
        "interval": factor.interval if factor else INTERVAL,
        "otp_digits": factor.digits if factor else DIGITS,
    }


def new_secret() -> str:
    """A random secret, in Base32."""
    import pyotp

    return pyotp.random_base32()


def provisioning_uri(secret: str, digits: int, interval: int, username: str, hostname: str) -> str:
    """What an app reads, mostly as a QR code, to make codes."""
    name = f"{username}@{hostname}"
    return _totp(secret, digits, interval).provisioning_uri(name=name, issuer_name="Vmstead")


def _totp(secret: str, digits: int, interval: int) -> "TOTP":
    # Imported on first use: most servers never meet a second factor.
    import pyotp

    return pyotp.TOTP(secret, digits=digits, interval=interval)
