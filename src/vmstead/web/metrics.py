"""``GET /metrics``: figures for Prometheus, read when it asks and never otherwise."""

import asyncio
import errno
import ipaddress

from aiohttp import web
from yarl import URL

from vmstead import __version__, calls
from vmstead.ctx import Services
from vmstead.errors import ApiError, NotAuthenticated, NotAuthorized
from vmstead.kernel.jobs import JobState
from vmstead.kernel.readings import Reading
from vmstead.vm.entries import status
from vmstead.web.application import Application
from vmstead.web.caller import caller_of
from vmstead.web.exposition import Guest, Snapshot, exposed
from vmstead.web.peer import origin_of

#: What it takes to read what machines are there and what they use.
ROLES = ("REPORTING_READ", "VM_READ")
_HOW = (
    "Figures take a login with the roles REPORTING_READ and VM_READ (READONLY_ADMIN has both): send an API key as "
    "'Authorization: Bearer KEY', or ask on the unix socket. With the setting open_metrics everybody on this "
    "machine can read them.\n"
)


async def serve_metrics(application: Application, request: web.Request) -> web.Response:
    """Answer with all figures, to who may read them."""
    calls.begin()
    try:
        refusal = None if is_open(application, request) else await _refusal(application, request)
    finally:
        calls.end()
    if refusal is not None:
        return refusal
    reading = await application.services.measuring.now()
    snapshot = _snapshot(application, reading)
    text, content_type = await asyncio.to_thread(exposed, snapshot, request.headers.get("Accept", ""))
    # A page is not to take it for one, and nobody is to keep it.
    headers = {"Content-Type": content_type, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return web.Response(body=text, headers=headers)


async def _refusal(application: Application, request: web.Request) -> web.Response | None:
    """The answer to somebody who may not read figures; None for who may."""
    try:
        caller = await caller_of(application, request, "GET /metrics")
    except NotAuthenticated:
        return web.Response(status=401, headers={"WWW-Authenticate": 'Bearer realm="vmstead"'}, text=_HOW)
    except NotAuthorized:
        return web.Response(status=403, text=_HOW)
    except ApiError as error:
        return web.Response(status=429 if error.errno == errno.EBUSY else 403, text=f"{error}\n")
    except ValueError as error:
        return web.Response(status=400, text=f"Not understood: {error}\n")
    return None if caller.may_all(ROLES) else web.Response(status=403, text=_HOW)


def is_open(application: Application, request: web.Request) -> bool:
    """Whether nobody need log in: where that was asked for, from this machine, under a name that is this machine's.

    A page whose host's name was made to lead here, and a proxy for others, ask under another name.
    """
    if not application.services.config.open_metrics or not origin_of(request).is_local:
        return False
    return (
        "Forwarded" not in request.headers
        and "X-Forwarded-For" not in request.headers
        and _is_this_machine(request.headers.get("Host", ""))
    )


def _is_this_machine(host: str) -> bool:
    try:
        name = URL(f"http://{host}").host or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _snapshot(application: Application, reading: Reading) -> Snapshot:
    services = application.services
    connections = {"unix": 0, "tcp": 0}
    for session in application.sessions:
        connections["unix" if session.origin.is_unix else "tcp"] += 1
    waiting = {state: services.jobs.count(state) for state in (JobState.WAITING, JobState.RUNNING)}
    return Snapshot(
        version=__version__,
        methods=services.counts.methods,
        events=services.counts.events,
        jobs={state.lower(): number for state, number in waiting.items()},
        ended={state.lower(): number for state, number in services.jobs.ended.items()},
        connections=connections,
        opened={**services.counts.connections},
        is_connected=services.states.is_connected,
        guests=_guests(services, reading),
        pools=reading.pools,
    )


def _guests(services: Services, reading: Reading) -> list[Guest]:
    return [
        Guest(
            row["id"],
            row["name"],
            str(status(services.states.get(row["uuid"]))["state"]),
            reading.guests.get(row["uuid"]),
        )
        for row in services.vms.all()
    ]
