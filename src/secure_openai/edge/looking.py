"""Looks at other people's figures leave a record: who looked, at whose, and when."""

from __future__ import annotations

from starlette.requests import Request

from secure_openai.edge.access import principal_of
from secure_openai.edge.recording import record
from secure_openai.types import JsonObject, PrincipalId

LOOKS = (
    *("principal.viewed", "principals.viewed", "usage.viewed", "quotas.viewed", "holds.viewed"),
    *("requests.viewed", "audit.searched", "feedback.shown"),
)
"""What looks are called in the audit."""


def viewed(
    request: Request, action: str, *, of: PrincipalId | None = None, facts: JsonObject | None = None
) -> None:
    """Record a look at one principal's figures or, without `of`, at a list of everybody's.

    Raises:
        AuditUnavailable: It cannot be recorded, so nothing is shown.
    """
    record(
        request,
        action,
        principal_of(request),
        reason="administrator",
        facts=facts,
        of=of,
        of_everybody=of is None,
    )
