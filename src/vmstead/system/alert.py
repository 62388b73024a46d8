"""``alert.*``: what needs somebody's attention, for as long as it is so.

It is looked for when somebody asks, and once a minute; what comes and goes is published as ``alert.list``.
"""

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import structlog

from vmstead.ctx import Ctx, Services
from vmstead.errors import CallError, host_errors
from vmstead.kernel.bus import Event
from vmstead.kernel.clock import Timer, date
from vmstead.kernel.model import Field, Model, NonEmpty
from vmstead.rpc.registry import Namespace
from vmstead.store.alerts import Note
from vmstead.system.alert_sources import Finding, happened, look

log = structlog.get_logger()
alert = Namespace("alert")

COLLECTION = "alert.list"
#: The role that subscribing takes.
ROLES: dict[str, str | None] = {COLLECTION: "ALERT_LIST_READ"}
#: Seconds between two looks.
_INTERVAL = 60
#: Seconds that a reader waits for the engine after a start of the server.
_PATIENCE = 10
#: Ids are made from kind and subject, so that an alert keeps its own.
_SPACE = uuid.UUID("0b7ea2a1-51c5-4c0e-8f0a-3a6f5a1f2c11")

Key = tuple[str, str]


class Alert(Model):
    """Something that is so and should not be."""

    uuid: str = Field(description="What it is known by.")
    id: str = Field(description="The same.")
    source: str = Field(description="Empty: all come from this server.")
    klass: str = Field(description="Its kind.")
    args: None = Field(description="Not told: the text says all.")
    node: str = Field(description="The host's name.")
    key: str = Field(description="What it is about.")
    datetime: dict[str, int] = Field(description="Since when it is so.")
    last_occurrence: dict[str, int] = Field(description="When it was last found to be so.")
    dismissed: bool = Field(description="Somebody has said that no more telling is needed.")
    mail: None = Field(description="Nobody is sent mail.")
    text: str = Field(description="What is the matter, and the way out.")
    level: str = Field(description="NOTICE, WARNING, ERROR or CRITICAL.")
    formatted: str = Field(description="The same as text.")
    one_shot: bool = Field(
        description="It tells of something that happened rather than of something that is."
    )


def id_of(key: Key) -> str:
    """What an alert is known by."""
    return str(uuid.uuid5(_SPACE, ":".join(key)))


def merged(
    notes: Mapping[Key, Note], findings: Mapping[Key, Finding], now: float
) -> tuple[dict[Key, Note], list[Key], list[Key]]:
    """The notes that follow from those there were and what was found, with the keys that came and went."""
    after = {}
    for key in findings:
        old = notes.get(key)
        # What happened did so at its time; what is so is so now.
        last = old.last if old is not None and old.event is not None else now
        after[key] = replace(old, last=last) if old is not None else Note(now, now)
    return after, [key for key in after if key not in notes], [key for key in notes if key not in after]


async def refresh(services: Services) -> list[dict[str, Any]]:
    """Look, tell what came and went, and return what is so, the oldest first."""
    found = await look(services)
    with host_errors("the host's name cannot be read"):
        node = (await services.host.machine()).hostname
    # No waiting from here on: what is noted meanwhile must not be lost.
    before = services.alerts.all()
    findings = {(each.kind, each.subject): each for each in (*found, *happened(services, before))}
    notes, came, went = merged(before, findings, services.clock.now())
    rows = {key: _row(findings[key], note, node) for key, note in notes.items()}
    keeping = services.alerts.keep(notes)
    for key in came:
        services.bus.publish(Event(COLLECTION, "added", id_of(key), rows[key]))
        if findings[key].level != "NOTICE":
            log.warning("something needs attention", kind=key[0], about=key[1], text=findings[key].text)
    for key in went:
        services.bus.publish(Event(COLLECTION, "removed", id_of(key)))
    try:
        await keeping
    except CallError as error:
        # What is told of may be just that.
        log.warning("alerts could not be stored", reason=str(error))
    return sorted(rows.values(), key=lambda row: (row["datetime"]["$date"], row["klass"], row["key"]))


def _row(finding: Finding, note: Note, node: str) -> dict[str, Any]:
    id = id_of((finding.kind, finding.subject))
    return {
        "uuid": id,
        "id": id,
        "source": "",
        "klass": finding.kind,
        "args": None,
        "node": node,
        "key": finding.subject,
        "datetime": date(note.first),
        "last_occurrence": date(note.last),
        "dismissed": note.dismissed,
        "mail": None,
        "text": finding.text,
        "level": finding.level,
        "formatted": finding.text,
        "one_shot": note.event is not None,
    }


@alert.method(role="ALERT_LIST_READ", returns=list[Alert])
async def list_(ctx: Ctx) -> list[dict[str, Any]]:
    """What needs attention now, the oldest first, with what was dismissed and is still so."""
    await ctx.states.settled(_PATIENCE)
    return await refresh(ctx)


@alert.method(role="ALERT_LIST_WRITE", audit="Dismiss alert {uuid}")
async def dismiss(ctx: Ctx, uuid: NonEmpty) -> None:
    """Say that no more telling is needed, until it is over and comes again. Nothing happens when it is over."""
    await _set_dismissed(ctx, uuid, dismissed=True)


@alert.method(role="ALERT_LIST_WRITE", audit="Restore alert {uuid}")
async def restore(ctx: Ctx, uuid: NonEmpty) -> None:
    """Take a dismissal back. Nothing happens when the alert is over."""
    await _set_dismissed(ctx, uuid, dismissed=False)


async def _set_dismissed(ctx: Ctx, id: str, *, dismissed: bool) -> None:
    for key in ctx.alerts.all():
        if id_of(key) == id:
            await ctx.alerts.dismiss(*key, dismissed=dismissed)
            for row in await refresh(ctx):
                if row["id"] == id:
                    ctx.bus.publish(Event(COLLECTION, "changed", id, row))


class Watch:
    """Looks from time to time, so that somebody is told who does not ask."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._timer: Timer | None = None
        self._is_over = False

    def start(self) -> None:
        """Look after a while, and again and again."""
        if not self._is_over:
            self._timer = self._services.clock.call_later(_INTERVAL, self._due)

    def stop(self) -> None:
        """Look no more."""
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()

    def _due(self) -> None:
        self._services.tasks.start(self._look(), name="looking for alerts")

    async def _look(self) -> None:
        try:
            await refresh(self._services)
        finally:
            self.start()
