"""Legal holds: what nobody deletes, because an administrator says that it is kept.

A hold covers everything that a principal has, or one conversation of theirs. As long as it stands,
neither its owner nor a job deletes what it covers. Whoever places it is audited where it is done.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from secure_openai.errors import RequestError
from secure_openai.types import ConversationId, JsonObject, PrincipalId

KEPT = "A legal hold keeps this: it cannot be deleted until an administrator lifts the hold."

_REFERENCE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._/-]{0,62}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold.

    Attributes:
        principal: Whose.
        conversation: Which conversation, or `None` for everything.
        reference: Of the case, for people: a number or a name of the organisation's own.
        placed: When, aware UTC.
        by: Which administrator.
    """

    principal: PrincipalId
    conversation: ConversationId | None
    reference: str
    placed: datetime
    by: PrincipalId


class HoldStore(Protocol):
    """Keeps holds. Each method raises `StoreError` when it cannot."""

    async def place(self, hold: Hold) -> Hold:
        """Place a hold; what it covers is deleted by nobody who begins after this has returned.

        Where one stands already, that one is returned.
        """
        ...

    async def lift(self, principal: PrincipalId, conversation: ConversationId | None) -> bool:
        """Lift a hold; return whether there was one."""
        ...

    async def of(self, principal: PrincipalId) -> Sequence[Hold]:
        """Return what is held of a principal, everything first."""
        ...

    async def all(self, *, limit: int = 1000) -> Sequence[Hold]:
        """Return the holds of at most `limit` principals, by principal."""
        ...


def checked_reference(reference: str) -> str:
    """Return the reference of a case if it is one.

    Raises:
        RequestError: It is none.
    """
    if not _REFERENCE.fullmatch(reference):
        raise RequestError(
            "Write the reference of the case with up to 64 letters, digits, spaces, dots, dashes "
            "and slashes.",
            pointer="/reference",
        )
    return reference


def hold_document(hold: Hold) -> JsonObject:
    """Return a hold as stored."""
    return {
        "reference": hold.reference,
        "placed": hold.placed.isoformat(),
        "by": hold.by.key,
    }


def hold_of(principal: PrincipalId, conversation: str, document: JsonObject) -> Hold:
    """Return a stored hold; an empty `conversation` stands for everything."""
    return Hold(
        principal=principal,
        conversation=ConversationId(conversation) if conversation else None,
        reference=document["reference"],
        placed=datetime.fromisoformat(document["placed"]),
        by=PrincipalId.parse(document["by"]),
    )
