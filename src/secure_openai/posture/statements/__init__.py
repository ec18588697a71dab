"""The statements that are proven of an estate, one family a module."""

from __future__ import annotations

from typing import Final

from secure_openai.posture.statements import (
    entra,
    federation,
    keeping,
    keys,
    machines,
    names,
    networks,
    reach,
    roles,
    seeing,
    sign_in,
    stored,
    whole,
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

_ORDER: Final = ("REACH", "NAMES", "KEYS", "ROLES", "SIGNIN", "KEEP", "SEE")
_FAMILIES: Final = tuple(
    sorted(
        (
            *reach.STATEMENTS,
            *networks.STATEMENTS,
            *machines.STATEMENTS,
            *names.STATEMENTS,
            *keys.STATEMENTS,
            *stored.STATEMENTS,
            *roles.STATEMENTS,
            *federation.STATEMENTS,
            *sign_in.STATEMENTS,
            *entra.STATEMENTS,
            *keeping.STATEMENTS,
            *seeing.STATEMENTS,
        ),
        key=lambda one: (_ORDER.index(one.id.partition("-")[0]), one.id),
    )
)
COVERED: Final = frozenset(kind for one in _FAMILIES for kind in one.covers)
"""The types that some statement looks at."""

STATEMENTS: Final = (*_FAMILIES, whole.whole(COVERED))
"""Every statement, in the order in which a report shows them."""

__all__ = [
    "COVERED",
    "STATEMENTS",
    "Doubt",
    "Finding",
    "Note",
    "Outcome",
    "Seen",
    "Severity",
    "Statement",
]
