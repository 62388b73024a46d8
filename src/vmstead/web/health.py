"""``GET /healthz``: for scripts and load balancers, without a login."""

import msgspec
from aiohttp import web

from vmstead.store.db import DatabaseError
from vmstead.web.application import Application
from vmstead.web.peer import origin_of


def serve_health(application: Application, request: web.Request) -> web.Response:
    """200 when calls are answered, what is stored can be read, and guests can be handled; 503 when not.

    Why not is told on this machine only: it names folders and programs.
    """
    status, reason = _state(application)
    body = {"status": status}
    if reason is not None and origin_of(request).is_local:
        body["reason"] = reason
    return web.Response(
        status=200 if reason is None else 503,
        body=msgspec.json.encode(body) + b"\n",
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def _state(application: Application) -> tuple[str, str | None]:
    services = application.services
    try:
        services.vms.id_of_name("")
    except DatabaseError as error:
        return "database not readable", str(error)
    reason = services.states.disconnected_reason
    return ("ok", None) if reason is None else ("engine not connected", reason)
