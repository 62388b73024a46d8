"""What happens to accounts, told to whoever subscribed to their lists."""

from collections.abc import Mapping

from vmstead.ctx import Services
from vmstead.kernel.bus import Change, Event
from vmstead.rpc.sessions import COLLECTION as SESSIONS

USERS, GROUPS, PRIVILEGES, KEYS = "user.query", "group.query", "privilege.query", "api_key.query"
#: The role that subscribing takes.
ROLES: dict[str, str | None] = {
    USERS: "ACCOUNT_READ",
    GROUPS: "ACCOUNT_READ",
    PRIVILEGES: "PRIVILEGE_READ",
    KEYS: "API_KEY_READ",
    SESSIONS: "AUTH_SESSIONS_READ",
}


def told(
    services: Services, collection: str, change: Change, id: int, entry: Mapping[str, object] | None
) -> None:
    """Something was added or changed (``entry``: as it is now), or is gone."""
    services.bus.publish(Event(collection, change, id, entry))
