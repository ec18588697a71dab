"""Search the audit, and verify it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from secure_openai.edge.access import ADMIN, SecuredRoute, principal_of, requires
from secure_openai.edge.authentication import assembly_of
from secure_openai.edge.bodies import limit_of
from secure_openai.edge.desk.identification import identified
from secure_openai.edge.desk.ranges import DayRange, range_of
from secure_openai.edge.looking import viewed
from secure_openai.edge.problems import request_id_of
from secure_openai.errors import RequestError
from secure_openai.store.audit import AuditAnswer, AuditQuestion, AuditRecord
from secure_openai.store.chain import event_document
from secure_openai.types import JsonObject
from secure_openai.verifications import Verification

router = APIRouter(route_class=SecuredRoute, prefix="/api/admin", tags=["audit"])

_WORD = re.compile(r"[A-Za-z0-9_.-]{1,64}")

MOST_ACTIONS = 16


@dataclass(frozen=True, slots=True)
class Search:
    """What was searched, and what was found.

    Attributes:
        days: The days.
        question: What was asked.
        answer: What was found.
    """

    days: DayRange
    question: AuditQuestion
    answer: AuditAnswer


@router.get("/audit")
@requires(ADMIN)
async def search_audit(request: Request) -> Response:
    """Return records by time, principal, subject, action, decision and reason, latest first."""
    found = (await searched(request)).answer
    return JSONResponse(
        {
            "items": [record_json(one) for one in found.items],
            "continuation": found.continuation,
            "reached": found.reached.isoformat() if found.reached else None,
        }
    )


@router.get("/audit/verification")
@requires(ADMIN)
async def get_verification(request: Request) -> Response:
    """Return how the verification under way stands, or how the last one ended."""
    latest = await assembly_of(request).verifications.latest()
    return JSONResponse({"verification": verification_json(latest) if latest else None})


@router.post("/audit/verification")
@requires(ADMIN)
async def begin_verification(request: Request) -> Response:
    """Begin to verify the audit; where that is under way already, return how it stands."""
    begun = await verified(request)
    return JSONResponse({"verification": verification_json(begun)}, status_code=202)


async def verified(request: Request) -> Verification:
    """Begin to verify the audit, or return what is under way."""
    return await assembly_of(request).verifications.begin(
        principal_of(request), request_id=request_id_of(request)
    )


async def searched(request: Request) -> Search:
    """Search, once that is recorded.

    Raises:
        RequestError: What is asked for is no question.
        AuditUnavailable: It cannot be recorded, so nothing is shown.
    """
    query = request.query_params
    days = range_of(request)
    principal, subject = [
        await identified(request, text) if (text := query.get(name)) else None
        for name in ("principal", "subject")
    ]
    question = AuditQuestion(
        since=days.since,
        until=days.until,
        principal=principal,
        subjects=(subject.key,) if subject else (),
        actions=_words(query.get("action"), "action"),
        decision=_word(query.get("decision"), "decision"),
        reason=_word(query.get("reason"), "reason"),
    )
    limit = limit_of(request, default=50, largest=200)
    told = {
        "action": ",".join(question.actions),
        "decision": question.decision,
        "reason": question.reason,
    }
    asked = {"from": days.labels[0], "to": days.labels[-1]} | {
        name: value for name, value in told.items() if value
    }
    # Whoever acted is looked at, and so is whom it concerns.
    for of in dict.fromkeys(one for one in (principal, subject) if one) or (None,):
        viewed(request, "audit.searched", of=of, facts=asked)
    assembly = assembly_of(request)
    await assembly.audit.flush()
    answer = await assembly.audit.search(
        question, limit=limit, continuation=query.get("continuation")
    )
    return Search(days, question, answer)


def record_json(one: AuditRecord) -> JsonObject:
    """Return a record as the API shows it."""
    return {"sequence": one.sequence, "hash": one.hash, **event_document(one.event)}


def verification_json(one: Verification) -> JsonObject:
    """Return a verification as the API shows it."""
    return {
        "outcome": one.outcome.value,
        "at": one.at.isoformat(),
        "by": one.by.key if one.by else None,
        "here": one.here,
        **one.facts,
    }


def _words(text: str | None, name: str) -> tuple[str, ...]:
    """Return the words of a list, separated by commas."""
    words = [one.strip() for one in (text or "").split(",")]
    found = tuple(dict.fromkeys(word for one in words if (word := _word(one, name))))
    if len(found) > MOST_ACTIONS:
        raise RequestError(f"Write at most {MOST_ACTIONS} of {name}, separated by commas.")
    return found


def _word(text: str | None, name: str) -> str | None:
    if not text:
        return None
    if not _WORD.fullmatch(text):
        raise RequestError(f"Write {name} in letters, digits, dots, hyphens and underscores.")
    return text
