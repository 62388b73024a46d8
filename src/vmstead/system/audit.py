"""``audit.*``: who did what."""

import asyncio
import contextlib
import csv
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec
from pydantic import ConfigDict

from vmstead.ctx import Ctx, Services
from vmstead.errors import CallError, Problem, ValidationErrors
from vmstead.kernel.model import Field, Model, NonEmpty, patch_of, sent
from vmstead.kernel.pipes import send_file
from vmstead.query import Query
from vmstead.query.apply import Result
from vmstead.rpc.registry import Namespace, parse_query
from vmstead.system.audit_filters import chosen

audit = Namespace("audit")

#: Where the settings are remembered.
_SETTINGS = "audit"
#: Entries that one query answers with at most, and one report has.
_MOST, _MOST_REPORTED = 10_000, 1_000_000
#: Reports that are kept.
_REPORTS = 10
_DAY = 86_400
_Service = Literal["MIDDLEWARE", "SMB", "SUDO", "SYSTEM"]


class AuditQuery(Model):
    """What to look for."""

    model_config = ConfigDict(populate_by_name=True)

    services: list[_Service] = Field(
        ["MIDDLEWARE", "SUDO"], description="Whose entries; there are only those of MIDDLEWARE."
    )
    query_filters: list[Any] = Field([], alias="query-filters", description="As in other queries.")
    query_options: dict[str, Any] = Field(
        {}, alias="query-options", description="As in other queries; 10000 entries at most."
    )
    remote_controller: bool = Field(False, description="Has no effect: there is one.")


class AuditShape(Model):
    """An entry of the audit trail."""

    audit_id: str = Field(description="A uuid.")
    message_timestamp: int = Field(description="When, in seconds since the epoch.")
    timestamp: Any = Field(description="The same as a date.")
    address: str = Field(description="Where it came from; 127.0.0.1 also for the unix socket.")
    username: str = Field(description="Who it was, or said to be.")
    session: str | None = Field(description="On which connection, as in auth.sessions.")
    service: str = Field(description="Always MIDDLEWARE.")
    service_data: dict[str, Any] = Field(description="The origin in full, and how it had logged in.")
    event: Literal["METHOD_CALL", "AUTHENTICATION", "LOGOUT"] = Field(description="What kind of entry it is.")
    event_data: dict[str, Any] = Field(
        description="What was done, without secrets; error: what went wrong; call_id: as in the log."
    )
    success: bool = Field(description="Whether it was done.")


@audit.method(role="SYSTEM_AUDIT_READ", returns=list[AuditShape] | AuditShape | int)
async def query(ctx: Ctx, data: AuditQuery = AuditQuery()) -> object:
    """Entries of the audit trail: changing calls, logins, logins that failed, and logouts; the oldest first."""
    return await _select(ctx, data, _MOST)


async def _select(ctx: Ctx, data: AuditQuery, most: int) -> Result:
    wanted = _parsed(data)
    if "MIDDLEWARE" not in data.services:
        return wanted.apply([])
    what, is_exact = chosen(wanted, most)
    if wanted.options.count and not wanted.options.get and is_exact:
        return await ctx.trail.count(what)
    return await ctx.trail.select(what, lambda entries: _limited(wanted.apply(entries), most))


def _parsed(data: AuditQuery) -> Query:
    try:
        return parse_query(data.query_filters, data.query_options)
    except ValidationErrors as error:
        raise ValidationErrors(
            Problem(f"data.query-{problem.attribute}", problem.message) for problem in error.problems
        ) from None


def _limited(found: Result, most: int) -> Result:
    return found[:most] if isinstance(found, list) else found


class AuditSettings(Model):
    """How long entries are kept."""

    retention: int = Field(30, ge=1, le=3650, description="Days that entries are kept.")
    reservation: int = Field(0, ge=0, le=100, description="Kept and read back; has no effect here.")
    quota: int = Field(0, ge=0, le=100, description="Kept; the setting audit_entries limits the trail.")
    quota_fill_warning: int = Field(75, ge=5, le=80, description="Kept.")
    quota_fill_critical: int = Field(95, ge=50, le=95, description="Kept.")


class AuditConfig(AuditSettings):
    """How long entries are kept, and what room they take."""

    id: int = Field(description="Always 1.")
    remote_logging_enabled: bool = Field(description="Always false.")
    space: dict[str, int] = Field(description="Bytes: those of the trail, and those free where it lies.")
    enabled_services: dict[str, list[str]] = Field(description="What is recorded.")


AuditUpdate = patch_of(AuditSettings, "AuditUpdate")


def settings_of(services: Services) -> AuditSettings:
    """The settings that are in force."""
    stored = services.memory.get(_SETTINGS)
    return AuditSettings() if stored is None else AuditSettings.model_validate_json(stored)


def kept_for(services: Services) -> float:
    """Seconds that entries are kept."""
    return settings_of(services).retention * _DAY


@audit.method(role="SYSTEM_AUDIT_READ", returns=AuditConfig)
async def config(ctx: Ctx) -> dict[str, object]:
    """How long entries of the audit trail are kept, and what room they take."""
    used, free = await asyncio.to_thread(_space, ctx.config.state)
    space = {"used": used, "used_by_dataset": used, "used_by_reservation": 0, "used_by_snapshots": 0}
    return {
        "id": 1,
        **settings_of(ctx).model_dump(),
        "remote_logging_enabled": False,
        "space": {**space, "available": free},
        "enabled_services": {"MIDDLEWARE": [], "SMB": [], "SUDO": []},
    }


def _space(state: Path) -> tuple[int, int]:
    files = [file.stat().st_size for file in state.glob("audit.db*")]
    about = os.statvfs(state)
    return sum(files), about.f_bavail * about.f_frsize


@audit.method(role="SYSTEM_AUDIT_WRITE", returns=AuditConfig, audit="Update audit configuration")
async def update(ctx: Ctx, data: AuditUpdate) -> dict[str, object]:  # type: ignore[valid-type]
    """Change how long entries are kept."""
    changed = {**settings_of(ctx).model_dump(), **sent(data)}
    await ctx.memory.set(_SETTINGS, msgspec.json.encode(changed).decode())
    return await config(ctx)


class AuditExport(AuditQuery):
    """What to write into a report."""

    export_format: Literal["CSV", "JSON"] = Field("JSON", description="How.")


@audit.method(role="SYSTEM_AUDIT_READ", job=True, audit="Export audit data")
async def export(ctx: Ctx, data: AuditExport = AuditExport()) -> str:
    """Write entries of the audit trail into a report; the result is its path on the host.

    ``core.download`` of ``audit.download_report`` fetches it. The last ten reports are kept.
    """
    found = await _select(ctx, data, _MOST_REPORTED)
    rows = found if isinstance(found, list) else [found] if isinstance(found, dict) else []
    name = f"{ctx.job.id if ctx.job else 0}-{int(ctx.clock.now())}.{data.export_format.lower()}"
    # One after the other: each removes the oldest reports, among which the part of another would be.
    async with ctx.locks.edit("audit reports", "a report of the audit trail is being written"):
        return str(await asyncio.to_thread(_write, _folder(ctx), name, rows))


class ReportName(Model):
    """Which report."""

    report_name: NonEmpty = Field(description="The last part of the path that audit.export answered with.")


@audit.method(role="SYSTEM_AUDIT_READ", job=True, pipe="output")
async def download_report(ctx: Ctx, data: ReportName) -> None:
    """A report that ``audit.export`` has written. Fails with ENOENT when there is none of that name."""
    folder = _folder(ctx)
    # Compared with what is there rather than opened by a name that somebody sent.
    names = await asyncio.to_thread(_reports, folder)
    if data.report_name not in names:
        raise CallError(f"There is no report {data.report_name}", 2)
    report = folder / data.report_name
    await send_file(asyncio.to_thread(report.open, "rb"), ctx.pipe)


def _folder(ctx: Ctx) -> Path:
    return ctx.config.state / "audit-reports"


def _reports(folder: Path) -> list[str]:
    """The names of the reports, the oldest first."""
    if not folder.is_dir():
        return []
    times = {}
    for file in folder.iterdir():
        # An export that goes on meanwhile removes the oldest ones.
        with contextlib.suppress(FileNotFoundError):
            times[file.name] = file.stat().st_mtime_ns
    return sorted(times, key=times.__getitem__)


def _write(folder: Path, name: str, rows: list[dict[str, Any]]) -> Path:
    folder.mkdir(mode=0o700, exist_ok=True)
    part = folder / f".{name}"
    part.touch(mode=0o600)
    with part.open("wb") as file:
        file.writelines(_csv(rows) if name.endswith("csv") else _json(rows))
    part.rename(folder / name)
    for old in _reports(folder)[:-_REPORTS]:
        (folder / old).unlink()
    return folder / name


def _json(rows: list[dict[str, Any]]) -> Iterator[bytes]:
    yield msgspec.json.format(msgspec.json.encode(rows), indent=1)


def _csv(rows: list[dict[str, Any]]) -> Iterator[bytes]:
    names = [*AuditShape.model_fields]
    line = io.StringIO()
    writer = csv.writer(line)
    for row in [names, *([row.get(name, "") for name in names] for row in rows)]:
        writer.writerow([_cell(each) for each in row])
        yield line.getvalue().encode()
        line.seek(0)
        line.truncate()


def _cell(value: object) -> object:
    if isinstance(value, str):
        # A name that somebody tried to log in with must not become a formula.
        return f"'{value}" if value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
    return value if isinstance(value, int) else msgspec.json.encode(value).decode()
