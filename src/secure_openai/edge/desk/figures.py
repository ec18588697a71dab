"""What was used and about what it cost: added up by principal, application, deployment or day."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from secure_openai.assembly import Assembly
from secure_openai.edge.desk.ranges import DayRange
from secure_openai.policy.prices import Price, cost_of
from secure_openai.store.sightings import Sighting
from secure_openai.store.tallies import TallyKind
from secure_openai.store.usage import UsageDay
from secure_openai.types import JsonObject, PrincipalId

MOST_ROWS = 20_000
"""Totals of a day, a principal and a deployment that one report adds up."""

AT_ONCE = 8
"""Questions that are asked of the store at the same time."""

PAGE = 1_000

MOST_NAMES = 200
"""Principals of a report whose names are looked up."""


class By(enum.StrEnum):
    """What usage is added up by."""

    PRINCIPAL = "principal"
    APPLICATION = "application"
    DEPLOYMENT = "deployment"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class Line:
    """A sum.

    Attributes:
        key: Of what: a principal's key, a client id, a deployment, a day.
        requests: How many were admitted.
        prompt_tokens: Of settled requests.
        completion_tokens: The same.
        cost: What the tokens cost whose price is known; `None` where that is none of them.
        unpriced_tokens: Tokens whose price is unknown.
    """

    key: str
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: Decimal | None = None
    unpriced_tokens: int = 0

    @property
    def tokens(self) -> int:
        """Return prompt and answer tokens together."""
        return self.prompt_tokens + self.completion_tokens

    def with_more(
        self, price: Price | None, requests: int, prompt_tokens: int, completion_tokens: int
    ) -> Line:
        """Return the sum with more added."""
        cost = cost_of(price, prompt_tokens=prompt_tokens, completion_tokens=completion_tokens)
        tokens = prompt_tokens + completion_tokens
        return replace(
            self,
            requests=self.requests + requests,
            prompt_tokens=self.prompt_tokens + prompt_tokens,
            completion_tokens=self.completion_tokens + completion_tokens,
            cost=self.cost if cost is None else cost + (self.cost or 0),
            unpriced_tokens=self.unpriced_tokens + (tokens if cost is None else 0),
        )


@dataclass(frozen=True, slots=True)
class Part:
    """What is added to a sum."""

    key: str
    deployment: str
    requests: int
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Figures:
    """A report.

    Attributes:
        days: Which days.
        by: What it is added up by.
        lines: The sums, the dearest first; days in their order.
        daily: A sum for every day of the range.
        total: The sum of all.
        currency: Of the costs.
        whole: Whether everything was added up, or `MOST_ROWS` of it.
        names: Sightings of principals, where it is by principal.
    """

    days: DayRange
    by: By
    lines: Sequence[Line]
    daily: Sequence[Line]
    total: Line
    currency: str
    whole: bool
    names: Mapping[str, Sighting]


async def figures(assembly: Assembly, days: DayRange, by: By) -> Figures:
    """Add up what was used, as it was last rolled up.

    Raises:
        StoreError: It cannot be read.
    """
    prices = assembly.policy.prices.by_name(assembly.model.deployments)
    rows, whole = await usage_in(assembly, days)
    if by is By.APPLICATION:
        tallies = await assembly.tallies.days(days.labels[0], days.labels[-1])
        parts = [
            Part(one.name, one.deployment, one.requests, one.prompt_tokens, one.completion_tokens)
            for one in tallies
            if one.kind is TallyKind.APPLICATION
        ]
    else:
        parts = [_part(one, by) for one in rows]
    daily = {label: Line(label) for label in days.labels}
    daily |= {line.key: line for line in added([_part(one, By.DAY) for one in rows], prices)}
    lines = list(daily.values()) if by is By.DAY else added(parts, prices)
    total = added([replace(_part(one, By.DAY), key="") for one in rows], prices)
    names = await names_of(assembly, [line.key for line in lines]) if by is By.PRINCIPAL else {}
    return Figures(
        days,
        by,
        lines,
        list(daily.values()),
        total[0] if total else Line(""),
        assembly.policy.prices.currency,
        whole,
        names,
    )


async def usage_in(assembly: Assembly, days: DayRange) -> tuple[list[UsageDay], bool]:
    """Return the totals of days, and whether that is all of them."""
    rows: list[UsageDay] = []
    labels = days.labels
    for at in range(0, len(labels), AT_ONCE):
        read = await asyncio.gather(*(_of_day(assembly, one) for one in labels[at : at + AT_ONCE]))
        rows += [row for of_day in read for row in of_day]
        if len(rows) > MOST_ROWS:
            return rows[:MOST_ROWS], False
    return rows, True


async def _of_day(assembly: Assembly, label: str) -> list[UsageDay]:
    rows: list[UsageDay] = []
    continuation = None
    while len(rows) <= MOST_ROWS:
        page = await assembly.usage.day(label, limit=PAGE, continuation=continuation)
        rows += page.items
        continuation = page.continuation
        if continuation is None:
            break
    return rows


def added(parts: Iterable[Part], prices: Mapping[str, Price]) -> list[Line]:
    """Return the sums of parts by their keys, the dearest first."""
    sums: dict[str, Line] = {}
    for part in parts:
        sums[part.key] = sums.get(part.key, Line(part.key)).with_more(
            prices.get(part.deployment), part.requests, part.prompt_tokens, part.completion_tokens
        )
    return sorted(sums.values(), key=lambda one: (-(one.cost or 0), -one.tokens, one.key))


async def names_of(assembly: Assembly, keys: Sequence[str]) -> dict[str, Sighting]:
    """Return the sightings of the first principals of a list, by key."""
    found: dict[str, Sighting] = {}
    wanted = [PrincipalId.parse(key) for key in keys[:MOST_NAMES]]
    for at in range(0, len(wanted), AT_ONCE):
        asked = (assembly.sightings.get(one) for one in wanted[at : at + AT_ONCE])
        found |= {one.principal.key: one for one in await asyncio.gather(*asked) if one}
    return found


def line_json(line: Line, currency: str) -> JsonObject:
    """Return a sum as the API shows it; a cost that nobody knows is null, and never 0."""
    return {
        "key": line.key,
        "requests": line.requests,
        "prompt_tokens": line.prompt_tokens,
        "completion_tokens": line.completion_tokens,
        "cost": None if line.cost is None else float(round(line.cost, 6)),
        "currency": currency,
        "unpriced_tokens": line.unpriced_tokens,
    }


def _part(one: UsageDay, by: By) -> Part:
    keys = {By.PRINCIPAL: one.principal.key, By.DEPLOYMENT: one.deployment, By.DAY: one.day}
    return Part(keys[by], one.deployment, one.requests, one.prompt_tokens, one.completion_tokens)
