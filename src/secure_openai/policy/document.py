"""Read the policy file: every problem at once, each with its line and what to write instead."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from secure_openai.errors import PolicyError
from secure_openai.policy.fields import why_never
from secure_openai.policy.prices import SKUS, PriceRule, PriceRules
from secure_openai.toml_positions import line_of
from secure_openai.types import (
    APPLICATION_ROLES,
    ON_BEHALF_ROLES,
    PEOPLE_ROLES,
    Limits,
    PrincipalKind,
)

VERSION = 1
RETENTION = "retention"
PRICES = "prices"
EVERY_DEPLOYMENT = "*"
ROLES: Mapping[PrincipalKind, tuple[str, ...]] = MappingProxyType(
    {
        PrincipalKind.PERSON: tuple(sorted(PEOPLE_ROLES, reverse=True)),
        PrincipalKind.APPLICATION: tuple(sorted(APPLICATION_ROLES)),
        PrincipalKind.ON_BEHALF: tuple(sorted(ON_BEHALF_ROLES)),
    }
)
TABLES = MappingProxyType(
    {
        "people": PrincipalKind.PERSON,
        "applications": PrincipalKind.APPLICATION,
        "on_behalf": PrincipalKind.ON_BEHALF,
    }
)
LIMIT_FIELDS = MappingProxyType(
    {
        "requests_per_minute": "requests_per_minute",
        "requests_per_day": "requests_per_day",
        "tokens_per_minute": "tokens_per_minute",
        "tokens_per_day": "tokens_per_day",
        "largest_prompt_tokens": "prompt_tokens",
        "largest_answer_tokens": "answer_tokens",
        "concurrent_streams": "concurrent_streams",
    }
)
"""What the file calls a limit, and what `Limits` does."""

LARGEST_LIMIT = 10**12
LARGEST_PRICE = 1_000_000
LONGEST = 36_500
"""Days: a hundred years."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""What an alias and an application may be called: both come back in headers, logs and addresses."""

CURRENCY = re.compile(r"[A-Z]{3}")

FIELD = re.compile(r"[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True, slots=True)
class Grant:
    """What one role may use.

    Attributes:
        deployments: Names, or `*` alone.
        limits: For every deployment.
        overrides: Limits of single deployments.
        fields: Request fields that pass besides those of the allow-lists.
        applications: What holds instead for those who come by one client, by its client id.
    """

    deployments: tuple[str, ...]
    limits: Limits
    overrides: Mapping[str, Limits] = field(default_factory=dict)
    fields: frozenset[str] = frozenset()
    applications: Mapping[str, Grant] = field(default_factory=dict)

    def for_client(self, client_id: str | None) -> Grant:
        """Return what holds for those who come by a client."""
        return self if client_id is None else self.applications.get(client_id, self)

    def allows(self, deployment: str) -> bool:
        """Return whether the role may use a deployment."""
        return EVERY_DEPLOYMENT in self.deployments or deployment in self.deployments

    def limits_of(self, deployment: str) -> Limits:
        """Return the limits for a deployment."""
        return self.overrides.get(deployment, self.limits)


NOTHING = Grant((), Limits(0, 0, 0, 0, 0, 0, 0))

Grants = Mapping[tuple[PrincipalKind, str], Grant]


@dataclass(frozen=True, slots=True)
class Retention:
    """How long things are kept, in days.

    Attributes:
        conversation_days: A conversation that was not used for so long is deleted; `None` keeps it.
        export_days: An export that was made so long ago is deleted.
    """

    conversation_days: int | None = None
    export_days: int = 1


@dataclass(frozen=True, slots=True)
class Document:
    """A policy file, read.

    Attributes:
        grants: What each role may use.
        aliases: Other names of deployments.
        retention: How long things are kept.
        prices: What tokens cost, where the file says so.
        source: What the file is called.
        lines: The file's lines, for whoever explains it.
    """

    grants: Grants
    aliases: Mapping[str, str] = field(default_factory=dict)
    retention: Retention = field(default_factory=Retention)
    prices: PriceRules = field(default_factory=PriceRules)
    source: str = ""
    lines: tuple[str, ...] = ()


def read_policy(text: str, *, source: str) -> Document:
    """Return what each role may use, under which names, and how long things are kept.

    Args:
        text: The file's content.
        source: What problems call the file.

    Raises:
        PolicyError: Every problem found, each beginning with `source:line:`.
    """
    return _Reading(text, source).document()


class _Reading:
    """One reading of one file; gathers problems."""

    def __init__(self, text: str, source: str) -> None:
        self._source = source
        self._lines = text.splitlines()
        self._text = text
        self._problems: list[tuple[int, str]] = []

    def document(self) -> Document:
        try:
            document = tomllib.loads(self._text)
        except tomllib.TOMLDecodeError as error:
            found = re.search(r"line (\d+)", str(error))
            line = int(found.group(1)) if found else len(self._lines)
            self._problems.append((line, f"this is not TOML: {error}."))
            raise self._error() from None
        self._known((), document, ("version", "aliases", RETENTION, PRICES, *TABLES))
        if document.get("version") != VERSION:
            self._wrong(("version",), f"write version = {VERSION}")
        grants = {
            (kind, role): grant
            for table, kind in TABLES.items()
            for role, grant in self._roles(document.get(table, {}), table, kind)
        }
        aliases = self._aliases(document.get("aliases", {}))
        if not grants and not self._problems:
            self._wrong((), "no role may use anything: write at least [people.user]")
        retention = self._retention(document.get(RETENTION, {}))
        prices = self._prices(document.get(PRICES, {}))
        if self._problems:
            raise self._error()
        return Document(
            MappingProxyType(grants),
            MappingProxyType(aliases),
            retention,
            prices,
            self._source,
            tuple(self._lines),
        )

    def _aliases(self, table: object) -> dict[str, str]:
        if not isinstance(table, dict):
            self._wrong(("aliases",), "write a table [aliases]")
            return {}
        for name, deployment in table.items():
            path = ("aliases", name)
            if NAME.fullmatch(name) is None:
                self._wrong(path, "write an alias in letters, digits, dots, hyphens, underscores")
            elif not isinstance(deployment, str) or NAME.fullmatch(deployment) is None:
                self._wrong(path, f"write {name} = and a deployment's name, in quotes")
            elif deployment in table:
                self._wrong(path, f"{deployment} is an alias itself: name the deployment")
        return {name: str(deployment) for name, deployment in table.items()}

    def _retention(self, table: object) -> Retention:
        if not isinstance(table, dict):
            self._wrong((RETENTION,), f"write a table [{RETENTION}]")
            return Retention()
        names = tuple(one.name for one in fields(Retention))
        self._known((RETENTION,), table, names)
        days: dict[str, int] = {}
        for name in names:
            value = table.get(name)
            if value is None:
                continue
            if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= LONGEST:
                days[name] = value
            else:
                self._wrong((RETENTION, name), f"write {name} as a number of days, 1 to {LONGEST}")
        return Retention(**days)

    def _prices(self, table: object) -> PriceRules:
        if not isinstance(table, dict):
            self._wrong((PRICES,), f"write a table [{PRICES}]")
            return PriceRules()
        self._known((PRICES,), table, ("currency", "deployment"))
        currency = table.get("currency")
        if currency is not None and not (
            isinstance(currency, str) and CURRENCY.fullmatch(currency)
        ):
            self._wrong((PRICES, "currency"), 'write currency = and three letters, such as "EUR"')
        rules = table.get("deployment", {})
        if not isinstance(rules, dict):
            self._wrong((PRICES, "deployment"), f"write a table [{PRICES}.deployment.NAME]")
            rules = {}
        found = {name: self._price(name, rule) for name, rule in rules.items()}
        return PriceRules(currency, MappingProxyType(found))

    def _price(self, name: str, rule: object) -> PriceRule:
        path = (PRICES, "deployment", name)
        if not isinstance(rule, dict):
            self._wrong(path, f"write a table [{'.'.join(path)}]")
            return PriceRule()
        self._known(path, rule, ("sku", "prompt", "completion"))
        sku = rule.get("sku")
        if sku is not None and sku not in SKUS:
            self._wrong((*path, "sku"), f"write sku = and one of {', '.join(sorted(SKUS))}")
        known: dict[str, Decimal] = {}
        for part in ("prompt", "completion"):
            value = rule.get(part)
            if value is None:
                continue
            if (
                isinstance(value, (int, float))
                and not isinstance(value, bool)
                and 0 <= value <= LARGEST_PRICE
            ):
                known[part] = Decimal(str(value))
            else:
                sentence = f"write {part} as the price of a million tokens, 0 to {LARGEST_PRICE}"
                self._wrong((*path, part), sentence)
        if len(known) == 1 and len(rule.keys() & {"prompt", "completion"}) == 1:
            self._wrong(path, "write both prompt and completion, or neither")
        return PriceRule(sku, known.get("prompt"), known.get("completion"))

    def _roles(self, table: object, name: str, kind: PrincipalKind) -> Iterator[tuple[str, Grant]]:
        if not isinstance(table, dict):
            self._wrong((name,), f"write a table, such as [{name}.{ROLES[kind][0]}]")
            return
        for role, content in table.items():
            path = (name, role)
            if role == "admin" and kind is not PrincipalKind.PERSON:
                right = f"[{name}.{ROLES[kind][0]}]"
                self._wrong(path, f"an application is never admin: write {right}")
            elif role not in ROLES[kind]:
                self._wrong(path, f"there is no role {role!r} here" + _near(role, ROLES[kind]))
            elif not isinstance(content, dict):
                self._wrong(path, f"write a table [{name}.{role}]")
            elif (grant := self._grant(content, path)) is not None:
                yield role, grant

    def _grant(self, content: dict[str, Any], path: tuple[str, ...]) -> Grant | None:
        before = len(self._problems)
        grant = self._one(content, path, nested=("application",))
        applications: dict[str, Grant] = {}
        table = content.get("application", {})
        if not isinstance(table, dict):
            self._wrong((*path, "application"), f"write a table [{'.'.join(path)}.application.ID]")
            table = {}
        for client_id, change in table.items():
            place = (*path, "application", client_id)
            if NAME.fullmatch(client_id) is None or not isinstance(change, dict):
                self._wrong(place, "write a table named by the application's client id")
                continue
            # Only where the role itself is right: its mistakes would be told for each application.
            if grant is not NOTHING:
                applications[client_id] = self._one(_inherited(content, change), place)
        if len(self._problems) > before:
            return None
        return replace(grant, applications=MappingProxyType(applications))

    def _one(
        self, content: dict[str, Any], path: tuple[str, ...], *, nested: tuple[str, ...] = ()
    ) -> Grant:
        """Return a grant; where something is wrong with it, it is told and the grant not used."""
        before = len(self._problems)
        self._known(path, content, ("deployments", "deployment", "fields", *LIMIT_FIELDS, *nested))
        deployments = self._deployments(content.get("deployments"), path)
        values = self._limits(content, path, complete=True)
        overrides = self._overrides(content.get("deployment", {}), path, values, deployments)
        admitted = self._fields(content.get("fields", []), path)
        if len(self._problems) > before:
            return NOTHING
        return Grant(deployments, Limits(**values), overrides, admitted)

    def _fields(self, value: object, path: tuple[str, ...]) -> frozenset[str]:
        here = (*path, "fields")
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self._wrong(here, "write fields = and a list of names")
            return frozenset()
        for name in value:
            if FIELD.fullmatch(name) is None:
                self._wrong(here, "write a field's name in small letters, digits and underscores")
            elif (why := why_never(name)) is not None:
                self._wrong(here, f"{name} can be admitted for nobody: {why}")
        return frozenset(value)

    def _deployments(self, value: object, path: tuple[str, ...]) -> tuple[str, ...]:
        here = (*path, "deployments")
        if (
            not isinstance(value, list)
            or not value
            or not all(isinstance(item, str) and item for item in value)
        ):
            self._wrong(here, 'write deployments = ["*"], or a list of names')
            return ()
        if len(set(value)) != len(value):
            self._wrong(here, "a deployment is named twice: write each once")
        if EVERY_DEPLOYMENT in value and len(value) > 1:
            self._wrong(here, 'write ["*"] alone, or names without "*"')
        return tuple(value)

    def _limits(
        self, content: dict[str, Any], path: tuple[str, ...], *, complete: bool
    ) -> dict[str, int]:
        values: dict[str, int] = {}
        for name, attribute in LIMIT_FIELDS.items():
            value = content.get(name)
            if value is None:
                if complete:
                    self._wrong(path, f"{name} is missing: write {name} = and a number")
            elif not isinstance(value, int) or isinstance(value, bool):
                self._wrong((*path, name), f"write {name} as a whole number")
            elif not 1 <= value <= LARGEST_LIMIT:
                self._wrong((*path, name), f"write {name} from 1 to {LARGEST_LIMIT}")
            else:
                values[attribute] = value
        return values

    def _overrides(
        self,
        table: object,
        path: tuple[str, ...],
        values: dict[str, int],
        deployments: tuple[str, ...],
    ) -> Mapping[str, Limits]:
        here = (*path, "deployment")
        if not isinstance(table, dict):
            self._wrong(here, f"write a table [{'.'.join(here)}.NAME]")
            return {}
        overrides: dict[str, Limits] = {}
        for name, content in table.items():
            place = (*here, name)
            if not isinstance(content, dict):
                self._wrong(place, f"write a table [{'.'.join(place)}]")
                continue
            if EVERY_DEPLOYMENT not in deployments and name not in deployments:
                self._wrong(place, f"the role may not use {name!r}: add it to deployments")
            self._known(place, content, tuple(LIMIT_FIELDS))
            merged = values | self._limits(content, place, complete=False)
            if len(merged) == len(fields(Limits)):
                overrides[name] = Limits(**merged)
        return overrides

    def _known(
        self, path: tuple[str, ...], content: dict[str, Any], names: tuple[str, ...]
    ) -> None:
        for name in content:
            if name not in names:
                self._wrong((*path, name), f"{name!r} is not known here" + _near(name, names))

    def _wrong(self, path: tuple[str, ...], sentence: str) -> None:
        self._problems.append((line_of(self._lines, path), f"{sentence}."))

    def _error(self) -> PolicyError:
        return PolicyError(
            *(f"{self._source}:{line}: {sentence}" for line, sentence in sorted(self._problems))
        )


def _near(name: str, names: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(name, names, n=1)
    return f": did you mean {close[0]!r}?" if close else f": known are {', '.join(names)}"


def _inherited(content: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """Return what a role's table says where an application's does not."""
    merged = {name: value for name, value in content.items() if name != "application"}
    allowed = change.get("deployments")
    if isinstance(allowed, list) and EVERY_DEPLOYMENT not in allowed:
        # What the application may not use has no limits for it either.
        overrides = merged.get("deployment", {})
        merged["deployment"] = {name: overrides[name] for name in overrides if name in allowed}
    return merged | change
