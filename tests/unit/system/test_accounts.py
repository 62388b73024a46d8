"""API keys and where they may come from."""

from pathlib import Path

import pytest

from tests.harness import server
from vmstead.errors import CallError
from vmstead.rpc.caller import Origin
from vmstead.system.accounts import by_api_key
from vmstead.system.secrets import new_api_key


@pytest.mark.parametrize(
    ("origin", "is_accepted"),
    [
        (Origin(address="127.0.0.1"), True),
        (Origin(address="::1"), True),
        (Origin(address="::ffff:127.0.0.1"), True),
        (Origin(pid=1, uid=1000, gid=1000), True),
        (Origin(address="192.0.2.7", is_tls=True), True),
        (Origin(address="192.0.2.7"), False),
        (Origin(address="fe80::1%eth0"), False),
    ],
)
async def test_keys_are_refused_where_they_can_be_read_and_stay_valid(
    tmp_path: Path, origin: Origin, is_accepted: bool
) -> None:
    async with server(tmp_path) as host:
        services = host.server.services
        accounts = services.accounts
        owner = await accounts.write(accounts.add("alice", None, ["FULL_ADMIN"], "", 0))
        key, verifier = new_api_key()
        number = await accounts.write(accounts.add_key("k", owner, verifier, 0))
        if is_accepted:
            caller = await by_api_key(services, f"{number}-{key}", origin)
            assert caller is not None
            assert caller.username == "alice"
        else:
            with pytest.raises(CallError, match="only over TLS") as refusal:
                await by_api_key(services, f"{number}-{key}", origin)
            assert key not in str(refusal.value)
            # Somebody without the key learns nothing from the refusal.
            assert await by_api_key(services, f"{number}-{key[::-1]}", origin) is None
        assert await by_api_key(services, f"{number}-{key}", Origin(address="127.0.0.1")) is not None
