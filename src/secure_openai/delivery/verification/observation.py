"""What was looked at, and what was seen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from secure_openai.types import JsonObject


class Check(StrEnum):
    """What is looked at; the value is its name in reports and in the evidence."""

    CLOSED = "closed"
    NAME = "name"
    TLS = "tls"
    OWN = "own credential"
    STRANGER = "another's credential"
    KEY = "key"
    DOOR = "door"
    READY = "ready"
    CHAT = "chat"
    ASSUMPTION = "assumption"


class Outcome(StrEnum):
    """What was seen."""

    HOLDS = "holds"
    FINDING = "finding"
    UNSEEN = "could not be seen"
    LEFT = "left to people"


@dataclass(frozen=True, slots=True)
class Observation:
    """One thing that was looked at.

    Attributes:
        check: What is looked at.
        subject: Of what: a host, a route, an assumption.
        outcome: What was seen.
        says: In words, one sentence without its full stop.
        facts: The same as values: never a token, a prompt or an answer.
    """

    check: Check
    subject: str
    outcome: Outcome
    says: str
    facts: JsonObject = field(default_factory=dict)


def any_of(found: Iterable[Observation], outcome: Outcome) -> bool:
    """Return whether something ended so."""
    return any(one.outcome is outcome for one in found)
