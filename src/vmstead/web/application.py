"""What the routes share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vmstead.ctx import Ctx, Services
from vmstead.rpc.registry import Method
from vmstead.rpc.session import Session
from vmstead.web.ratelimit import RateLimit

if TYPE_CHECKING:
    from vmstead.web.session import WebSession


@dataclass
class Application:
    """The server as its routes see it."""

    services: Services
    server_uid: int
    rate_limit: RateLimit
    sessions: "set[WebSession]" = field(default_factory=set)

    @property
    def methods(self) -> Mapping[str, Method]:
        """Everything that can be called, by name."""
        return self.services.methods

    def context(self, session: Session) -> Ctx:
        """The context of a call on that connection."""
        return Ctx(**vars(self.services), session=session)
