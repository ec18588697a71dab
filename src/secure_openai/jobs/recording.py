"""Append what a job did to the audit: nobody asked at that moment, so nobody is named as asking."""

from __future__ import annotations

from secure_openai.store.audit import AuditEvent, AuditStore
from secure_openai.types import Clock, JsonObject, PrincipalId, utc_now


def record(
    audit: AuditStore,
    action: str,
    *,
    reason: str,
    of: PrincipalId | None = None,
    decision: str = "allowed",
    deployment: str | None = None,
    facts: JsonObject | None = None,
    clock: Clock = utc_now,
) -> None:
    """Queue an audit record of what a job did.

    Args:
        audit: Where.
        action: What was done.
        reason: Why.
        of: Whose data it concerned.
        decision: `allowed` or `refused`.
        deployment: Which deployment it concerned.
        facts: Further facts; never a text, a name or an address.
        clock: Tells the time.

    Raises:
        AuditUnavailable: It cannot be written.
    """
    audit.append(
        AuditEvent(
            action=action,
            at=clock(),
            principal=None,
            decision=decision,
            reason=reason,
            deployment=deployment,
            facts=facts,
            subject=None if of is None else of.key,
        )
    )
