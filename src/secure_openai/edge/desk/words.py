"""Figures and facts of the desk, as the reader's language writes them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from secure_openai.edge.desk.figures import Line
from secure_openai.edge.language import Language
from secure_openai.policy.explanation import Sentence

CENT = Decimal("0.01")
LEAST = Decimal("0.0001")


class Words:
    """Writes figures.

    Args:
        language: The reader's.
        currency: Of every cost.
    """

    def __init__(self, language: Language, currency: str) -> None:
        self._t = language
        self.currency = currency

    def number(self, value: float) -> str:
        """Return a number with its thousands apart."""
        text = f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"
        return self._marked(text)

    def share(self, value: float) -> str:
        """Return a part of a whole in percent."""
        return f"{value * 100:.0f} %"

    def money(self, value: Decimal) -> str:
        """Return an amount: in cents, or in more digits where it is less than one."""
        if 0 < value < LEAST:
            return f"< {self._marked(f'{LEAST:f}')} {self.currency}"
        digits = 2 if value == 0 or value >= CENT else 4
        return f"{self._marked(f'{value:,.{digits}f}')} {self.currency}"

    def amount(self, value: float) -> str:
        """Return an amount that a chart shows."""
        return self.money(Decimal(str(value)))

    def price(self, value: Decimal) -> str:
        """Return the price of a million tokens."""
        return f"{self._marked(f'{value.normalize():f}')} {self.currency}"

    def cost(self, line: Line) -> str:
        """Return a cost; where the price of some tokens is unknown, that is said, never 0."""
        t = self._t
        if line.cost is None:
            return t("desk.cost.unknown") if line.tokens else "\u2013"
        if line.unpriced_tokens:
            return t("desk.cost.at_least", cost=self.money(line.cost))
        return self.money(line.cost)

    def day(self, value: date | str) -> str:
        """Return a day."""
        t = self._t
        day = date.fromisoformat(value) if isinstance(value, str) else value
        return day.strftime(t("desk.format.day"))

    def time(self, value: datetime) -> str:
        """Return a time, UTC."""
        t = self._t
        return value.astimezone(UTC).strftime(t("desk.format.time"))

    def reason(self, slug: str) -> str:
        """Return why something was refused."""
        t = self._t
        return t("desk.reason." + slug) if f"desk.reason.{slug}" in t.texts else slug

    def detail(self, text: str) -> str:
        """Return why something failed, in a sentence of ours."""
        return self._t.of_detail(text) or self._t.of_problem("management-failed", text)

    def action(self, name: str) -> str:
        """Return what was done."""
        t = self._t
        return t("desk.action." + name) if f"desk.action.{name}" in t.texts else name

    def sentence(self, one: Sentence) -> str:
        """Return a sentence about the policy."""
        t = self._t
        values = {
            name: self.number(value) if isinstance(value, int) else value
            for name, value in one.values.items()
        }
        if one.whom is not None:
            values["who"] = t("desk.policy." + one.whom.key).format(
                role=one.whom.role, client=one.whom.client
            )
        return t("desk.policy." + one.key).format(**values)

    def _marked(self, text: str) -> str:
        """Return a number with the language's own marks."""
        t = self._t
        thousands, point = t("desk.format.thousands"), t("desk.format.point")
        return text.replace(",", "\0").replace(".", point).replace("\0", thousands)
