"""What tokens cost, as an estimate: list prices, or what the policy file says instead.

A deployment whose price nobody knows has none: its cost is unknown, and never nothing.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType

from secure_openai.tables import table
from secure_openai.types import Deployment

MILLION = Decimal(1_000_000)

PREFERRED = ("DataZoneStandard", "Standard", "GlobalStandard")
"""What a deployment is taken to be bought as where nobody says: what the estate chooses first."""

SKUS = frozenset(PREFERRED)


class PriceSource(enum.StrEnum):
    """Who says what tokens cost."""

    POLICY = "policy"
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class Price:
    """What a million tokens of a deployment cost.

    Attributes:
        prompt: Of the prompt, in the currency.
        completion: Of the answer.
        source: Who says so.
        sku: As what the deployment is taken to be bought; empty where the price does not depend.
        assumed: Whether nobody said so.
    """

    prompt: Decimal
    completion: Decimal
    source: PriceSource
    sku: str = ""
    assumed: bool = False


@dataclass(frozen=True, slots=True)
class PriceRule:
    """What the policy file says of one deployment's price.

    Attributes:
        sku: As what it is bought, or `None`.
        prompt: Price of a million prompt tokens, or `None`; both prices or none.
        completion: The same for the answer's.
    """

    sku: str | None = None
    prompt: Decimal | None = None
    completion: Decimal | None = None


@dataclass(frozen=True, slots=True)
class PriceRules:
    """What the policy file says of prices.

    Attributes:
        currency: Of every price; `None` where the file does not say: then the table's.
        deployments: By the deployment's name.
    """

    currency: str | None = None
    deployments: Mapping[str, PriceRule] = field(default_factory=dict)


class Prices:
    """What each deployment costs."""

    def __init__(self, rules: PriceRules) -> None:
        listed = table("token_prices")
        self.currency: str = rules.currency or listed["currency"]
        self.read: str = listed["read"]
        self.source: str = listed["source"]
        self._rules = rules.deployments
        # We convert no currency: in another one, only the file's own prices are known.
        self._listed = listed["models"] if self.currency == listed["currency"] else {}

    def of(self, deployment: Deployment) -> Price | None:
        """Return what a deployment costs, or `None` where nobody knows."""
        rule = self._rules.get(deployment.name, PriceRule())
        if rule.prompt is not None and rule.completion is not None:
            return Price(rule.prompt, rule.completion, PriceSource.POLICY, rule.sku or "")
        listed = self._listed.get(deployment.model, {})
        sku = rule.sku or next((one for one in PREFERRED if one in listed), None)
        if sku is None or sku not in listed:
            return None
        row = listed[sku]
        return Price(
            Decimal(str(row["prompt"])),
            Decimal(str(row["completion"])),
            PriceSource.TABLE,
            sku,
            assumed=rule.sku is None,
        )

    def by_name(self, deployments: Sequence[Deployment]) -> Mapping[str, Price]:
        """Return what is known of some deployments, by name."""
        found = {one.name: self.of(one) for one in deployments}
        return MappingProxyType({name: one for name, one in found.items() if one is not None})


def cost_of(price: Price | None, *, prompt_tokens: int, completion_tokens: int) -> Decimal | None:
    """Return what tokens cost, or `None` where their price is unknown."""
    if price is None:
        return None
    return (price.prompt * prompt_tokens + price.completion * completion_tokens) / MILLION
