"""What the routes share."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from vmstead.ctx import Ctx, Services
from vmstead.rpc.editions import Edition
from vmstead.rpc.registry import Method
from vmstead.rpc.session import Session
from vmstead.web.ratelimit import RateLimit

if TYPE_CHECKING:
    from vmstead.web.session import WebSession


@dataclass(frozen=True)
class Api:
    """A version of the API, with its methods by name."""

    edition: Edition
    methods: Mapping[str, Method]


@dataclass
class Application:
    """The server as its routes see it.

    ``editions`` are the versions of the API; ``legacy`` is the one that ``/websocket`` speaks of.
    """

    services: Services
    server_uid: int
    rate_limit: RateLimit
    editions: tuple[Edition, ...]
    legacy: Edition
    sessions: "set[WebSession]" = field(default_factory=set)

    @property
    def methods(self) -> Mapping[str, Method]:
        """Everything that can be called, by name."""
        return self.services.methods

    @cached_property
    def apis(self) -> Mapping[str, Api]:
        """Every version that is served, by name."""
        return {edition.name: Api(edition, edition.methods(self.methods)) for edition in self.editions}

    def context(self, session: Session, methods: Mapping[str, Method] | None = None) -> Ctx:
        """The context of a call on that connection, which can call these methods in turn; all, if not said."""
        services = {**vars(self.services), "methods": self.methods if methods is None else methods}
        return Ctx(**services, session=session)
