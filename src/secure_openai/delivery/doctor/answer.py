"""Questions to Azure before anything is built, and what comes of each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from secure_openai.delivery.doctor.resource_manager import ResourceManager


class Check(StrEnum):
    """What is looked at; the value is its name in reports and in JSON."""

    TENANT = "tenant"
    SUBSCRIPTION = "subscription"
    PROVIDER = "provider"
    FEATURE = "feature"
    ROLE = "role"
    DIRECTORY = "directory"
    MODEL = "model"
    QUOTA = "quota"
    NAME = "name"
    DELETED = "deleted"
    NETWORK = "network"
    POLICY = "policy"


class Outcome(StrEnum):
    """What came of a question."""

    FINE = "fine"
    LOOK = "look at this"
    FINDING = "finding"
    UNASKED = "could not be asked"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one question.

    Attributes:
        check: What was looked at.
        subject: Of what: a name, a region, a role.
        outcome: How it is.
        says: Why, in one sentence without its full stop.
        mend: The command, or the line of variables, that mends it.
    """

    check: Check
    subject: str
    outcome: Outcome
    says: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """One question, asked by itself: what it cannot learn, another still may.

    Attributes:
        check: What is looked at.
        subject: Of what.
        ask: Asks; returns what came of it.
    """

    check: Check
    subject: str
    ask: Callable[[ResourceManager], Awaitable[Sequence[Answer]]]

    def answers(self, outcome: Outcome, says: str, mend: str = "") -> tuple[Answer, ...]:
        """Return the one answer to it."""
        return (Answer(self.check, self.subject, outcome, says, mend),)
