"""What others did about a principal, and they about others, as they are told it.

The audit's records say who it was, to those who search the audit. Whom they are about learns the
role: a name shown to everybody would put people under pressure who did their work. Whoever acts on
others learns that they did: a file that they take away says nothing of anybody else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

from secure_openai.store.audit import (
    EVERYBODY,
    AuditAnswer,
    AuditEvent,
    AuditQuestion,
    AuditStore,
)
from secure_openai.store.chain import event_document
from secure_openai.store.requests import DataRequest, request_document
from secure_openai.types import JsonObject, PrincipalId

AT_ONCE = 200

SOMEBODY = "somebody"
"""What stands for whoever else an act was about."""


async def looks_at(
    audit: AuditStore, person: PrincipalId, *, limit: int, continuation: str | None = None
) -> AuditAnswer:
    """Return what others did about a principal or a list that showed everybody, the latest first.

    Raises:
        AuditUnavailable: What is queued cannot be written.
        RequestError: The continuation is none.
        StoreError: They cannot be read.
    """
    await audit.flush()
    question = AuditQuestion(subjects=(person.key, EVERYBODY))
    answer = await audit.search(question, limit=limit, continuation=continuation)
    others = [one for one in answer.items if one.event.principal != person]
    return replace(answer, items=others)


async def every_look(audit: AuditStore, person: PrincipalId) -> AsyncIterator[AuditEvent]:
    """Yield all that `looks_at` would return.

    Raises:
        AuditUnavailable: What is queued cannot be written.
        StoreError: They cannot be read.
    """
    continuation = None
    while True:
        answer = await looks_at(audit, person, limit=AT_ONCE, continuation=continuation)
        for record in answer.items:
            yield record.event
        continuation = answer.continuation
        if continuation is None:
            return


def look_document(event: AuditEvent) -> JsonObject:
    """Return what was done about a person as they are told it: by which role, not by whom."""
    return {
        "at": event.at.isoformat(),
        "action": event.action,
        "by": "job" if event.principal is None else "administrator",
        "everybody": event.subject == EVERYBODY,
    }


def act_document(event: AuditEvent) -> JsonObject:
    """Return what a person did as they are told it: that it was about somebody, not about whom."""
    told = event_document(event)
    own = event.principal and event.principal.key
    if event.subject in {None, EVERYBODY, own}:
        return told
    # Facts are of the other one, too: which request, which conversation.
    told.pop("facts", None)
    return {**told, "subject": SOMEBODY}


def own_request_document(request: DataRequest) -> JsonObject:
    """Return a request as its person is told it: whether they asked, or an administrator."""
    by = "self" if request.by == request.principal else "administrator"
    return {"id": request.id, **request_document(request), "by": by}
