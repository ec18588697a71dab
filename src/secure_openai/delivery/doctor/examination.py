"""Everything asked, each question by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain
from typing import Final

from secure_openai.delivery.doctor import (
    delegation,
    models,
    names,
    networks,
    policies,
    registrations,
    roles,
)
from secure_openai.delivery.doctor.account import account_of
from secure_openai.delivery.doctor.answer import Answer, Check, Outcome, Question
from secure_openai.delivery.doctor.needs import Needs
from secure_openai.delivery.doctor.resource_manager import ResourceManager
from secure_openai.errors import RoleMissing, SecureOpenAIError

Progress = Callable[[int, int], None]
"""Told how many questions of how many are answered."""

ODD_SHAPES: Final = (AttributeError, IndexError, KeyError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What came of all questions.

    Attributes:
        source: The configuration.
        subscription: Which one was asked about.
        answers: In the order of `Check`.
    """

    source: str
    subscription: str
    answers: tuple[Answer, ...]

    def of(self, outcome: Outcome) -> list[Answer]:
        """Return the answers with an outcome."""
        return [one for one in self.answers if one.outcome is outcome]

    @property
    def exit_code(self) -> int:
        """Return 1 if there is a finding, 2 if something could not be asked, else 0."""
        if self.of(Outcome.FINDING):
            return 1
        return 2 if self.of(Outcome.UNASKED) else 0


def questions_of(needs: Needs, subscription: str, today: date) -> list[Question]:
    """Return every question but that for the subscription itself."""
    asked = (
        registrations.questions(needs, subscription),
        roles.questions(needs, subscription),
        delegation.questions(needs, subscription),
        models.questions(needs, subscription, today),
        names.questions(needs, subscription),
        networks.questions(needs, subscription),
        policies.questions(needs, subscription),
    )
    return list(chain.from_iterable(asked))


async def examined(
    needs: Needs,
    manager: ResourceManager,
    *,
    subscription: str,
    tenant: str,
    today: date,
    progress: Progress | None = None,
) -> Diagnosis:
    """Ask everything.

    Args:
        needs: What the estate needs.
        manager: Whom to ask.
        subscription: Where it is to stand.
        tenant: Whose people sign in; `""` for whoever's the subscription is.
        today: The day by which models retire.
        progress: Told how far it is.

    Raises:
        SecureOpenAIError: Not even the subscription can be asked for.
    """
    questions = questions_of(needs, subscription, today)
    account = await account_of(manager, subscription, tenant)
    answers = [*_named(needs, subscription), *account.answers]
    if not account.usable:
        says = "not asked, for the subscription cannot be used"
        left = dict.fromkeys(one.check for one in questions)
        answers += [Answer(one, "everything", Outcome.UNASKED, says) for one in left]
        return Diagnosis(needs.source, subscription, tuple(answers))
    done = 0

    async def ask(question: Question) -> Sequence[Answer]:
        nonlocal done
        found = await _asked(question, manager)
        done += 1
        if progress is not None:
            progress(done, len(questions))
        return found

    found = chain.from_iterable(await asyncio.gather(*map(ask, questions)))
    return Diagnosis(needs.source, subscription, tuple(_in_order([*answers, *found])))


def _named(needs: Needs, subscription: str) -> Iterable[Answer]:
    """Yield whether the configuration is of the subscription that was asked for."""
    if needs.subscription and needs.subscription != subscription:
        yield Answer(
            Check.SUBSCRIPTION,
            needs.subscription,
            Outcome.FINDING,
            f"the configuration names this one, and {subscription} was asked for",
            f'subscription_id = "{subscription}"',
        )


async def _asked(question: Question, manager: ResourceManager) -> Sequence[Answer]:
    """Return what comes of a question; what nobody answers is never fine."""
    try:
        return await question.ask(manager)
    except RoleMissing as error:
        mend = "have the role Reader on the subscription assigned to you, by an owner"
        return question.answers(Outcome.UNASKED, error.detail.removesuffix("."), mend)
    except SecureOpenAIError as error:
        return question.answers(Outcome.UNASKED, error.detail.removesuffix("."))
    except ODD_SHAPES:
        return question.answers(Outcome.UNASKED, "Azure answers in a shape that is not known")


def _in_order(answers: list[Answer]) -> list[Answer]:
    order = {check: at for at, check in enumerate(Check)}
    return sorted(answers, key=lambda one: (order[one.check], one.subject))
