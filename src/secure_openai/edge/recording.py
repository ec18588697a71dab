"""Append what happened at the edge to the audit."""

from __future__ import annotations

from starlette.requests import Request

from secure_openai.edge.authentication import assembly_of
from secure_openai.edge.problems import request_id_of
from secure_openai.store.audit import EVERYBODY, AuditEvent
from secure_openai.types import JsonObject, Principal, PrincipalId, utc_now


def record(
    request: Request,
    action: str,
    principal: Principal | None,
    *,
    decision: str = "allowed",
    reason: str,
    facts: JsonObject | None = None,
    of: PrincipalId | None = None,
    of_everybody: bool = False,
) -> None:
    """Queue an audit record of this request.

    Args:
        request: Which.
        action: What was done.
        principal: Who did it.
        decision: `allowed` or `refused`.
        reason: Why.
        facts: Further facts; never a text, a name or an address.
        of: Whom it concerns.
        of_everybody: Whether it shows everybody in a list.

    Raises:
        AuditUnavailable: It cannot be written.
    """
    assembly_of(request).audit.append(
        AuditEvent(
            action=action,
            at=utc_now(),
            principal=None if principal is None else principal.id,
            decision=decision,
            reason=reason,
            request_id=request_id_of(request),
            facts=facts,
            subject=EVERYBODY if of_everybody else None if of is None else of.key,
        )
    )
