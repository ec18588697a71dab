"""The statements that are proven of an estate, one family a module."""

from __future__ import annotations

from typing import Final

from secure_openai.posture.statements import (
    keeping,
    keys,
    names,
    networks,
    reach,
    roles,
    sign_in,
)
from secure_openai.posture.statements.statement import (
    Doubt,
    Finding,
    Note,
    Outcome,
    Seen,
    Severity,
    Statement,
)
from secure_openai.posture.statements.whole import whole

_FAMILIES: Final = (
    *sorted((*reach.STATEMENTS, *networks.STATEMENTS), key=lambda one: one.id),
    *names.STATEMENTS,
    *keys.STATEMENTS,
    *roles.STATEMENTS,
    *sign_in.STATEMENTS,
    *keeping.STATEMENTS,
)
STATEMENTS: Final = (
    *_FAMILIES,
    whole(lambda: frozenset(kind for one in _FAMILIES for kind in one.covers)),
)
"""Every statement, in the order in which a report shows them."""

__all__ = ["STATEMENTS", "Doubt", "Finding", "Note", "Outcome", "Seen", "Severity", "Statement"]
