"""The policy file in sentences, each with the line that says so.

A sentence is a key and its values, so that each language says it its own way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields

from secure_openai.policy.document import (
    EVERY_DEPLOYMENT,
    PRICES,
    RETENTION,
    TABLES,
    Document,
    Grant,
)
from secure_openai.toml_positions import line_of
from secure_openai.types import Limits


@dataclass(frozen=True, slots=True)
class Whom:
    """Of whom a sentence speaks.

    Attributes:
        table: The table's name: `people`, `applications` or `on_behalf`.
        role: The role.
        client: The client id, where it speaks of those who come by one client.
    """

    table: str
    role: str
    client: str | None = None

    @property
    def key(self) -> str:
        """Return the key of the words for it."""
        return f"who.{self.table}" + (".by" if self.client else "")

    @property
    def path(self) -> tuple[str, ...]:
        """Return where the file speaks of it."""
        return (self.table, self.role, *(("application", self.client) if self.client else ()))


@dataclass(frozen=True, slots=True)
class Sentence:
    """Something that the policy file says.

    Attributes:
        key: Which sentence.
        line: On which line, from 1; 0 for what follows from the whole.
        text: That line.
        whom: Of whom it speaks, where it does.
        values: What it says.
    """

    key: str
    line: int
    text: str = ""
    whom: Whom | None = None
    values: Mapping[str, str | int] = field(default_factory=dict)


def explain(document: Document) -> Sequence[Sentence]:
    """Return what a policy file says, in the order of its lines; what follows from it last."""
    said = _Said(document)
    sentences = [*said.grants(), *said.aliases(), *said.retention(), *said.prices()]
    return [*sorted(sentences, key=lambda one: one.line or 10**6), Sentence("nothing_else", 0)]


class _Said:
    """One file, explained."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._lines = list(document.lines)

    def _sentence(
        self, key: str, path: tuple[str, ...], whom: Whom | None = None, **values: str | int
    ) -> Sentence:
        line = line_of(self._lines, path) if self._lines else 0
        text = self._lines[line - 1].strip() if line else ""
        return Sentence(key, line, text, whom, values)

    def grants(self) -> Iterator[Sentence]:
        """Explain what each role may use, and each application in its place."""
        tables = {kind: name for name, kind in TABLES.items()}
        for (kind, role), grant in self._document.grants.items():
            yield from self._grant(Whom(tables[kind], role), grant)
            for client, change in grant.applications.items():
                yield from self._grant(Whom(tables[kind], role, client), change)

    def _grant(self, whom: Whom, grant: Grant) -> Iterator[Sentence]:
        at = (*whom.path, "deployments")
        if EVERY_DEPLOYMENT in grant.deployments:
            yield self._sentence("every", at, whom)
        else:
            yield self._sentence("some", at, whom, deployments=", ".join(grant.deployments))
        yield self._sentence(
            "limits", (*whom.path, "requests_per_minute"), whom, **_numbers(grant.limits)
        )
        for name, limits in grant.overrides.items():
            at = (*whom.path, "deployment", name)
            yield self._sentence("override", at, whom, deployment=name, **_numbers(limits))
        if grant.fields:
            names = ", ".join(sorted(grant.fields))
            yield self._sentence("fields", (*whom.path, "fields"), whom, fields=names)

    def aliases(self) -> Iterator[Sentence]:
        """Explain the further names of deployments."""
        for alias, deployment in self._document.aliases.items():
            yield self._sentence("alias", ("aliases", alias), alias=alias, deployment=deployment)

    def retention(self) -> Iterator[Sentence]:
        """Explain how long things are kept."""
        kept = self._document.retention
        if kept.conversation_days is None:
            yield Sentence("conversations_kept", 0)
        else:
            at = (RETENTION, "conversation_days")
            yield self._sentence("conversations_days", at, days=kept.conversation_days)
        if any(line.lstrip().startswith("export_days") for line in self._lines):
            at = (RETENTION, "export_days")
            yield self._sentence("export_days", at, days=kept.export_days)
        else:
            yield Sentence("export_days", 0, values={"days": kept.export_days})

    def prices(self) -> Iterator[Sentence]:
        """Explain what tokens cost."""
        rules = self._document.prices
        currency = rules.currency or "USD"
        if currency != "USD":
            yield self._sentence("price_currency", (PRICES, "currency"), currency=currency)
        for name, rule in rules.deployments.items():
            at = (PRICES, "deployment", name)
            if rule.prompt is not None and rule.completion is not None:
                yield self._sentence(
                    "price",
                    at,
                    deployment=name,
                    prompt=f"{rule.prompt:f}",
                    completion=f"{rule.completion:f}",
                    currency=currency,
                )
            elif rule.sku:
                yield self._sentence("price_sku", at, deployment=name, sku=rule.sku)


def _numbers(limits: Limits) -> dict[str, str | int]:
    return {one.name: getattr(limits, one.name) for one in fields(Limits)}
