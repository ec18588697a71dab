"""Decide whether a principal may ask a deployment, and within which limits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import NoReturn

from secure_openai.errors import PolicyError, Refused
from secure_openai.policy.document import ROLES, Document, Grant, read_policy
from secure_openai.policy.prices import Prices
from secure_openai.types import (
    Decision,
    Deployment,
    Limits,
    Operation,
    Principal,
    PrincipalKind,
    Reason,
)

REMEMBERED = 1_000
"""For how many sets of roles, with clients, what the file says of them is remembered."""


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
        # The file is read once, and many principals hold the same roles.
        self._holding = lru_cache(REMEMBERED)(self._held_by)

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
        held = self._held(principal)
        return [item for item in offered if held.limits_of(item.name) is not None]

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
        found = next((item for item in offered if item.name == name), None)
        if found is None and name in self._aliases:
            meant = self._aliases[name]
            found = next((item for item in offered if item.name == meant), None)
        return found

    def fields_for(self, principal: Principal) -> frozenset[str]:
        """Return the request fields that pass for the principal besides those of the lists."""
        return self._held(principal).fields

    def limits_for(self, principal: Principal, deployment: Deployment) -> Limits | None:
        """Return what the principal may use of a deployment, or `None` where that is nothing."""
        return self._held(principal).limits_of(deployment.name)

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
        held = self._held(principal)
        if not held.grants:
            _refuse(Reason.NO_ROLE, "You have no role here that may use a model.")
        deployment = self.deployment_of(name, offered)
        if deployment is None:
            names = ", ".join(item.name for item in self.deployments_for(principal, offered))
            _refuse(
                Reason.UNKNOWN_DEPLOYMENT,
                f"There is no such deployment. You may use: {names or 'none'}.",
            )
        name = deployment.name
        limits = held.limits_of(name)
        if limits is None:
            _refuse(Reason.DEPLOYMENT_NOT_ALLOWED, f"Your role may not use {name}.")
        if operation not in deployment.parameters.operations:
            known = ", ".join(sorted(deployment.parameters.operations))
            _refuse(
                Reason.OPERATION_NOT_TAKEN,
                f"{name} does not answer {operation}, only {known}: choose another deployment.",
            )
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

    def _held(self, principal: Principal) -> Held:
        return self._holding(principal.kind, principal.roles, principal.client_id)

    def _held_by(self, kind: PrincipalKind, roles: frozenset[str], client_id: str | None) -> Held:
        # Only roles of the principal's own kind count: an application is never a user or admin.
        return Held(
            grant.for_client(client_id)
            for role in ROLES[kind]
            if role in roles and (grant := self._grants.get((kind, role))) is not None
        )


class Held:
    """What the roles of a principal give together."""

    def __init__(self, grants: Iterable[Grant]) -> None:
        self.grants = tuple(grants)
        self.fields: frozenset[str] = frozenset().union(*(grant.fields for grant in self.grants))
        self._limits: dict[str, Limits | None] = {}

    def limits_of(self, deployment: str) -> Limits | None:
        """Return the most generous of each limit for a deployment that is served.

        `None` where no role allows it.
        """
        if deployment not in self._limits:
            allowing = [one.limits_of(deployment) for one in self.grants if one.allows(deployment)]
            self._limits[deployment] = most_generous(allowing) if allowing else None
        return self._limits[deployment]


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
