"""Decide whether a principal may ask a deployment, and within which limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import NoReturn

from secure_openai.errors import PolicyError, Refused
from secure_openai.policy.document import ROLES, Document, Grant, read_policy
from secure_openai.policy.prices import Prices
from secure_openai.types import Decision, Deployment, Limits, Operation, Principal, Reason


@dataclass(frozen=True, slots=True)
class Admittance:
    """What policy allows of one request; quota is asked after it.

    Attributes:
        deployment: Which one.
        limits: Of the principal for this deployment.
        answer_tokens: The largest answer for each choice.
    """

    deployment: Deployment
    limits: Limits
    answer_tokens: int


@dataclass(frozen=True, slots=True)
class Offer:
    """A name that a principal may ask for, and the deployment that answers."""

    name: str
    deployment: Deployment


class Policy:
    """The policy file, read.

    Attributes:
        document: What the file says.
        retention: How long things are kept.
        prices: What tokens cost.
    """

    def __init__(self, document: Document) -> None:
        self._grants = document.grants
        self._aliases = document.aliases
        self.document = document
        self.retention = document.retention
        self.prices = Prices(document.prices)

    @classmethod
    def parse(cls, text: str, *, source: str = "policy.toml") -> Policy:
        """Read a policy.

        Raises:
            PolicyError: Every problem found.
        """
        return cls(read_policy(text, source=source))

    @classmethod
    def load(cls, path: Path | None) -> Policy:
        """Read a policy file, or the one that ships with the package.

        Raises:
            PolicyError: It cannot be read, or every problem found in it.
        """
        if path is None:
            text = (files("secure_openai.policy") / "default.toml").read_text("utf-8")
            return cls.parse(text, source="default.toml")
        try:
            return cls.parse(path.read_text("utf-8"), source=path.name)
        except OSError as error:
            raise PolicyError(f"{path}: the file cannot be read: {error.strerror}.") from None
        except UnicodeDecodeError:
            raise PolicyError(f"{path}: the file is not UTF-8.") from None

    def deployments_for(
        self, principal: Principal, offered: Sequence[Deployment]
    ) -> list[Deployment]:
        """Return those of `offered` that the principal may use, in their order."""
        grants = self._grants_of(principal)
        return [item for item in offered if any(grant.allows(item.name) for grant in grants)]

    def offers_to(self, principal: Principal, offered: Sequence[Deployment]) -> list[Offer]:
        """Return every name that the principal may ask for: the deployments, then the aliases."""
        mine = {item.name: item for item in self.deployments_for(principal, offered)}
        aliases = [
            Offer(alias, mine[name])
            for alias, name in self._aliases.items()
            if name in mine and alias not in {item.name for item in offered}
        ]
        return [*(Offer(item.name, item) for item in mine.values()), *aliases]

    def deployment_of(self, name: str, offered: Sequence[Deployment]) -> Deployment | None:
        """Return which of `offered` a name means, or `None`.

        A deployment's own name comes before an alias: nobody is sent elsewhere by a new alias.
        """
        named = {item.name: item for item in offered}
        return named.get(name) or named.get(self._aliases.get(name, ""))

    def fields_for(self, principal: Principal) -> frozenset[str]:
        """Return the request fields that pass for the principal besides those of the lists."""
        return frozenset().union(*(grant.fields for grant in self._grants_of(principal)))

    def limits_for(self, principal: Principal, deployment: Deployment) -> Limits | None:
        """Return what the principal may use of a deployment, or `None` where that is nothing."""
        grants = self._grants_of(principal)
        limits = [one.limits_of(deployment.name) for one in grants if one.allows(deployment.name)]
        return most_generous(limits) if limits else None

    def admit(
        self,
        principal: Principal,
        name: str,
        offered: Sequence[Deployment],
        *,
        prompt_tokens: int,
        answer_tokens: int | None,
        choices: int = 1,
        operation: Operation = Operation.CHAT_COMPLETIONS,
    ) -> Admittance:
        """Decide, before quota is asked.

        Args:
            principal: Who asks.
            name: The deployment asked for.
            offered: What is served.
            prompt_tokens: The prompt's estimate.
            answer_tokens: The largest answer asked for, per choice; the largest allowed if `None`.
            choices: How many answers are asked for.
            operation: What is asked of it.

        Raises:
            Refused: With the rule that refused.
        """
        grants = self._grants_of(principal)
        if not grants:
            _refuse(Reason.NO_ROLE, "You have no role here that may use a model.")
        deployment = self.deployment_of(name, offered)
        if deployment is None:
            names = ", ".join(item.name for item in self.deployments_for(principal, offered))
            _refuse(
                Reason.UNKNOWN_DEPLOYMENT,
                f"There is no such deployment. You may use: {names or 'none'}.",
            )
        name = deployment.name
        allowing = [grant for grant in grants if grant.allows(name)]
        if not allowing:
            _refuse(Reason.DEPLOYMENT_NOT_ALLOWED, f"Your role may not use {name}.")
        if operation not in deployment.parameters.operations:
            known = ", ".join(sorted(deployment.parameters.operations))
            _refuse(
                Reason.OPERATION_NOT_TAKEN,
                f"{name} does not answer {operation}, only {known}: choose another deployment.",
            )
        limits = most_generous([grant.limits_of(name) for grant in allowing])
        embeds = operation is Operation.EMBEDDINGS
        # What a model embeds is bounded text by text, and by the model itself.
        taken = (None if embeds else deployment.parameters.prompt_tokens) or limits.prompt_tokens
        if prompt_tokens > min(limits.prompt_tokens, taken):
            _refuse(
                Reason.PROMPT_TOO_LARGE,
                f"The prompt takes about {prompt_tokens} tokens; the most allowed is "
                f"{min(limits.prompt_tokens, taken)}.",
            )
        if embeds:
            return Admittance(deployment, limits, 0)
        each = min(limits.answer_tokens // choices, deployment.parameters.answer_tokens)
        if each < 1 or (
            answer_tokens is not None and answer_tokens * choices > limits.answer_tokens
        ):
            _refuse(
                Reason.ANSWER_TOO_LARGE,
                f"The answers may take {limits.answer_tokens} tokens in all: ask for at most "
                f"{limits.answer_tokens // choices} for each of {choices}.",
            )
        if answer_tokens is not None:
            each = min(each, answer_tokens)
        return Admittance(deployment, limits, each)

    def _grants_of(self, principal: Principal) -> list[Grant]:
        # Only roles of the principal's own kind count: an application is never a user or admin.
        known = ROLES[principal.kind]
        return [
            grant.for_client(principal.client_id)
            for role in known
            if role in principal.roles
            and (grant := self._grants.get((principal.kind, role))) is not None
        ]


def most_generous(limits: Sequence[Limits]) -> Limits:
    """Return the largest of each limit; at least one is given."""
    return Limits(
        **{
            field.name: max(getattr(item, field.name) for item in limits)
            for field in fields(Limits)
        }
    )


def _refuse(reason: Reason, detail: str) -> NoReturn:
    raise Refused(Decision(allowed=False, reason=reason, detail=detail))
