"""Usage and estimated cost, as JSON and as CSV."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from secure_openai.edge.access import ADMIN, SecuredRoute, principal_of, requires
from secure_openai.edge.authentication import assembly_of
from secure_openai.edge.desk.csv_file import csv_file
from secure_openai.edge.desk.figures import By, Figures, figures, line_json
from secure_openai.edge.desk.ranges import range_of
from secure_openai.edge.looking import viewed
from secure_openai.edge.recording import record
from secure_openai.errors import RequestError
from secure_openai.store.tallies import tally
from secure_openai.types import JsonObject, utc_now

router = APIRouter(route_class=SecuredRoute, prefix="/api/admin", tags=["usage"])

COLUMNS = ("requests", "prompt_tokens", "completion_tokens", "cost", "currency", "unpriced_tokens")

COUNTED_AT_ONCE = 20_000
"""Records of the audit that are counted while somebody waits; the job counts the rest."""


@router.get("/usage")
@requires(ADMIN)
async def get_usage(request: Request) -> Response:
    """Return what was used and about what it cost, by `principal`, `application` … or `day`."""
    report = await shown(request)
    prices = assembly_of(request).policy.prices
    return JSONResponse(
        {
            "from": report.days.first.isoformat(),
            "to": report.days.last.isoformat(),
            "by": report.by.value,
            "whole": report.whole,
            "prices": {"read": prices.read, "source": prices.source},
            "items": [
                {**line_json(line, report.currency), **_named(report, line.key)}
                for line in report.lines
            ],
            "total": line_json(report.total, report.currency),
        }
    )


@router.get("/usage.csv")
@requires(ADMIN)
async def download_usage(request: Request) -> Response:
    """Return the same as a file for a spreadsheet."""
    report = await shown(request)
    first, last = report.days.first.isoformat(), report.days.last.isoformat()
    named = report.by is By.PRINCIPAL
    rows = []
    for line in report.lines:
        shown_line = line_json(line, report.currency)
        name = _named(report, line.key).get("name") if named else None
        rows.append(
            [line.key, *([name] if named else []), *(shown_line[column] for column in COLUMNS)]
        )
    head = [report.by.value, *(["name"] if named else []), *COLUMNS]
    return csv_file(f"usage-by-{report.by.value}-{first}-{last}.csv", head, rows)


@router.post("/usage/roll-up")
@requires(ADMIN)
async def roll_up(request: Request) -> Response:
    """Bring the totals up to date now; a job does every hour."""
    return JSONResponse(await rolled_up(request))


async def rolled_up(request: Request) -> JsonObject:
    """Bring the totals up to date, and return how much there was to add.

    Raises:
        AuditUnavailable: It cannot be recorded, so it is not done.
        StoreError: It cannot be done.
    """
    assembly, now = assembly_of(request), utc_now()
    assembly.audit.ensure_writable()
    await assembly.audit.flush()
    # Whoever counts at the same time counts nothing twice: totals only grow, records count once.
    counts: JsonObject = {
        "totals": await assembly.usage.roll_up(now=now),
        "records": await tally(assembly.audit, assembly.tallies, now=now, most=COUNTED_AT_ONCE),
    }
    record(request, "usage.rolled_up", principal_of(request), reason="administrator", facts=counts)
    return counts


async def shown(request: Request) -> Figures:
    """Return the figures that a request asks for, once the look is recorded.

    Raises:
        RequestError: It does not say which.
        AuditUnavailable: It cannot be recorded, so nothing is shown.
    """
    days, by = range_of(request), by_of(request)
    facts: JsonObject = {"from": days.labels[0], "to": days.labels[-1], "by": by.value}
    if by is By.PRINCIPAL:
        viewed(request, "usage.viewed", facts=facts)
    else:
        # Of nobody in particular.
        record(request, "usage.viewed", principal_of(request), reason="administrator", facts=facts)
    return await figures(assembly_of(request), days, by)


def by_of(request: Request) -> By:
    """Return what to add up by.

    Raises:
        RequestError: It is none of what there is.
    """
    text = request.query_params.get("by") or By.PRINCIPAL.value
    if text not in set(By):
        raise RequestError(f"Write by as one of {', '.join(By)}.")
    return By(text)


def _named(report: Figures, key: str) -> JsonObject:
    if report.by is not By.PRINCIPAL:
        return {}
    sighting = report.names.get(key)
    return {"name": sighting.name if sighting else None}
