"""The desk's pages: each shows what its JSON neighbour answers, and records the same look."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from secure_openai.edge.access import ADMIN, SecuredRoute, requires
from secure_openai.edge.authentication import assembly_of
from secure_openai.edge.custody import principal_named
from secure_openai.edge.desk.audit import searched
from secure_openai.edge.desk.chart import chart
from secure_openai.edge.desk.figures import By, Figures, figures, names_of
from secure_openai.edge.desk.principals import handle_of, portrayed
from secure_openai.edge.desk.quotas import near_limits
from secure_openai.edge.desk.ranges import last_days, range_of
from secure_openai.edge.desk.refusals import refused_in
from secure_openai.edge.desk.usage import shown
from secure_openai.edge.desk.words import Words
from secure_openai.edge.feedback import shown_of_day
from secure_openai.edge.language import language_of
from secure_openai.edge.looking import LOOKS, viewed
from secure_openai.edge.presentation import page
from secure_openai.errors import NotFound, SecureOpenAIError
from secure_openai.model.management.interface import ManagedDeployment, Progress, Quota
from secure_openai.model.management.served import ServedDeployments
from secure_openai.policy.explanation import explain
from secure_openai.policy.prices import PREFERRED
from secure_openai.types import CircuitState, utc_now

router = APIRouter(route_class=SecuredRoute, prefix="/admin", include_in_schema=False)

DONE = frozenset(
    {
        "erasure_asked", "export_asked", "hold_lifted", "hold_placed", "rolled_up",
        "session_ended", "sessions_ended", "verification_begun",
    }
)  # fmt: skip
"""What a form may have done before it led to a page, which then says so."""

QUESTIONS = {
    "all": {},
    "refused": {"decision": "refused"},
    "looks": {"action": ",".join(LOOKS)},
    "acts": {
        "action": ",".join(
            (
                *("hold.placed", "hold.lifted", "session.revoked", "export.asked"),
                *("erasure.asked", "deployment.create.asked", "deployment.delete.asked"),
            )
        )
    },
}
"""What an administrator asks the audit most, and how."""

TOP = 5
"""How many a summary names."""


@dataclass(frozen=True, slots=True)
class Account:
    """What the management interface says of one account.

    Attributes:
        name: Its key.
        deployments: What is deployed.
        quota: What is left.
        problem: Why nothing could be read, where that is so.
    """

    name: str
    deployments: list[ManagedDeployment]
    quota: list[Quota]
    problem: str = ""


@router.get("")
@requires(ADMIN)
async def overview(request: Request) -> Response:
    """Show the desk at a glance: sums only, nobody's in particular."""
    assembly = assembly_of(request)
    week = last_days(7)
    report = await figures(assembly, week, By.DEPLOYMENT)
    refused = await refused_in(assembly, week)
    health = assembly.model.health()
    return desk_page(
        request,
        "overview",
        report=report,
        tokens=_tokens_chart(report),
        refused=refused,
        top=TOP,
        away=[one for one in health if one.state is not CircuitState.CLOSED],
        members=len(health),
        verification=await assembly.verifications.latest(),
        holds=len(await assembly.holds.all()),
    )


@router.get("/usage")
@requires(ADMIN)
async def usage(request: Request) -> Response:
    """Show what was used and about what it cost."""
    report = await shown(request)
    assembly = assembly_of(request)
    return desk_page(
        request,
        "usage",
        report=report,
        days=report.days,
        tokens=_tokens_chart(report),
        costs=chart([(line.key, (float(line.cost or 0),)) for line in report.daily]),
        prices=assembly.policy.prices,
        priced=[(one, assembly.policy.prices.of(one)) for one in assembly.model.deployments],
        dimensions=[one.value for one in By],
    )


@router.get("/principals")
@requires(ADMIN)
async def principals(request: Request) -> Response:
    """Show who was seen."""
    viewed(request, "principals.viewed")
    search = request.query_params.get("search", "")
    found = await assembly_of(request).sightings.list(
        search=search, continuation=request.query_params.get("continuation")
    )
    return desk_page(request, "principals", found=found, search=search)


@router.get("/principals/{tid}/{oid}")
@requires(ADMIN)
async def principal(request: Request, tid: str, oid: str) -> Response:
    """Show one principal."""
    portrait = await portrayed(request, principal_named(request, tid, oid))
    return desk_page(
        request,
        "principal",
        portrait=portrait,
        sessions=[(handle_of(one), one) for one in portrait.sessions],
        tokens=chart(
            [(one.key, (one.prompt_tokens, one.completion_tokens)) for one in portrait.by_day]
        ),
    )


@router.get("/quotas")
@requires(ADMIN)
async def quotas(request: Request) -> Response:
    """Show the limits in force, and who is near one."""
    near = await near_limits(request)
    sentences = explain(assembly_of(request).policy.document)
    return desk_page(
        request,
        "quotas",
        near=near,
        sentences=[one for one in sentences if one.key in {"limits", "override"}],
        source=assembly_of(request).policy.document.source,
    )


@router.get("/refusals")
@requires(ADMIN)
async def refusals(request: Request) -> Response:
    """Show what was refused, by reason and day."""
    days = range_of(request)
    found = await refused_in(assembly_of(request), days)
    return desk_page(
        request,
        "refusals",
        found=found,
        days=days,
        bars_of=chart([(label, (count,)) for label, count in found.by_day]),
    )


@router.get("/feedback")
@requires(ADMIN)
async def feedback(request: Request) -> Response:
    """Show what people said of answers on a day, never the answers."""
    day, found = await shown_of_day(request)
    keys = list(dict.fromkeys(one.owner.key for one in found.items))
    shown_day = date.fromisoformat(day)
    return desk_page(
        request,
        "feedback",
        day=shown_day,
        before=shown_day - timedelta(days=1),
        after=shown_day + timedelta(days=1) if shown_day < utc_now().date() else None,
        found=found,
        names=await names_of(assembly_of(request), keys),
    )


@router.get("/audit")
@requires(ADMIN)
async def audit(request: Request) -> Response:
    """Search the audit, and show how its verification stands."""
    search = await searched(request)
    assembly = assembly_of(request)
    concerned = {
        key
        for one in search.answer.items
        for key in (one.event.principal and one.event.principal.key, one.event.subject)
        if key and "/" in key
    }
    return desk_page(
        request,
        "audit",
        search=search,
        days=search.days,
        names=await names_of(assembly, sorted(concerned)),
        verification=await assembly.verifications.latest(),
        asked=dict(request.query_params),
        questions=QUESTIONS,
        facts_of=_facts,
    )


@router.get("/custody")
@requires(ADMIN)
async def custody(request: Request) -> Response:
    """Show what is kept how long, and what is held."""
    viewed(request, "holds.viewed")
    assembly = assembly_of(request)
    holds = await assembly.holds.all()
    named = [key for one in holds for key in (one.principal.key, one.by.key)]
    names = await names_of(assembly, list(dict.fromkeys(named)))
    return desk_page(
        request,
        "custody",
        holds=holds,
        names=names,
        source=assembly.policy.document.source,
        sentences=[
            one
            for one in explain(assembly.policy.document)
            if one.key in {"conversations_kept", "conversations_days", "export_days"}
        ],
    )


@router.get("/pool")
@requires(ADMIN)
async def pool(request: Request) -> Response:
    """Show how the pool does, and what is deployed."""
    assembly = assembly_of(request)
    management = assembly.deployments.management
    managed = not isinstance(management, ServedDeployments)
    # Asked before what it changes is listed: an end that is told is seen in the list, too.
    progress = await _progress(request)
    accounts = [await _account(request, name) for name in management.accounts] if managed else []
    return desk_page(
        request,
        "pool",
        health=assembly.model.health(),
        served=[(one, assembly.policy.prices.of(one)) for one in assembly.model.deployments],
        managed=managed,
        accounts=accounts,
        progress=progress,
        skus=[("", language_of(request)("desk.pool.chosen")), *((one, one) for one in PREFERRED)],
    )


@router.get("/policy")
@requires(ADMIN)
async def policy(request: Request) -> Response:
    """Show what the policy file says."""
    document = assembly_of(request).policy.document
    return desk_page(request, "policy", source=document.source, sentences=explain(document))


def desk_page(request: Request, name: str, **values: object) -> Response:
    """Return one of the desk's pages."""
    done = request.query_params.get("done", "")
    given: dict[str, Any] = {
        "w": Words(language_of(request), assembly_of(request).policy.prices.currency),
        "desk": name,
        "done": done if done in DONE else "",
        **values,
    }
    return page(request, f"desk/{name}.html", **given)


async def _progress(request: Request) -> Progress | None:
    """Return how the operation stands that the address names, if it is one."""
    operation = request.query_params.get("operation")
    if not operation:
        return None
    try:
        return await assembly_of(request).deployments.management.ask(operation)
    except NotFound:
        return None


async def _account(request: Request, name: str) -> Account:
    management = assembly_of(request).deployments.management
    try:
        deployments = list(await management.deployments(name))
        quota = list(await management.quota(name))
    except SecureOpenAIError as error:
        t = language_of(request)
        said = t.of_detail(error.detail) or t.of_problem(error.problem, error.title)
        return Account(name, [], [], said)
    return Account(name, deployments, quota)


def _tokens_chart(report: Figures) -> object:
    return chart([(one.key, (one.prompt_tokens, one.completion_tokens)) for one in report.daily])


def _facts(facts: dict[str, object] | None) -> list[tuple[str, str]]:
    """Return the facts of a record as pairs of plain texts."""
    return [(name, str(value)) for name, value in sorted((facts or {}).items())]
