"""What lies outside an estate and is taken for granted, because somebody vouches for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from secure_openai.errors import AssumptionError
from secure_openai.posture.estate import fold

KINDS: Final = {
    "attached": "an Azure Policy attaches the private zones to these endpoints",
    "filtered": "the rules of these subnets let through what is declared, and nothing else",
    "linked": "these private zones are linked to the estate's networks",
    "resolves": "the DNS servers of these networks forward Azure's names to Azure",
    "role": "these roles may do what tables/roles.json lists for our own role, and nothing else",
    "scoped": "these monitor scopes are private only and answer in the estate's networks",
}
"""What may be assumed of something outside, and what that means."""


@dataclass(frozen=True, slots=True)
class Assumption:
    """One thing that somebody vouches for.

    Attributes:
        name: What it is called in reports.
        kind: One of `KINDS`.
        about: Ids, or patterns of ids with `*`, in the case in which ids are compared.
        says: In words, for the reader of the report.
    """

    name: str
    kind: str
    about: tuple[str, ...]
    says: str


@dataclass(frozen=True)
class Assumptions:
    """All assumptions of one proof, and which of them it stands on.

    Attributes:
        every: What was assumed.
        used: Names of those that were needed so far.
    """

    every: tuple[Assumption, ...] = ()
    used: set[str] = field(default_factory=set)

    def hold(self, kind: str, identifier: object) -> bool:
        """Return whether something outside is vouched for, and remember that it was needed."""
        wanted = fold(identifier)
        for one in self.every:
            if one.kind == kind and any(fnmatchcase(wanted, pattern) for pattern in one.about):
                self.used.add(one.name)
                return True
        return False

    @classmethod
    def load(cls, path: Path) -> Assumptions:
        """Read a file of assumptions.

        Raises:
            AssumptionError: It is not one; the sentence says where and what to write.
        """
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise AssumptionError(f"{path} cannot be read: {error.strerror}.") from None
        except ValueError as error:
            raise AssumptionError(f"{path} is not JSON: {error}.") from None
        if not isinstance(document, Mapping) or not isinstance(document.get("assumptions"), list):
            raise AssumptionError(f'{path}: write {{"assumptions": [...]}}.')
        found = tuple(
            _one(entry, f"{path}: assumption {number}")
            for number, entry in enumerate(document["assumptions"], 1)
        )
        names = [one.name for one in found]
        for name in names:
            if names.count(name) > 1:
                raise AssumptionError(f"{path}: two assumptions are called {name}.")
        return cls(found)


def _one(entry: Any, where: str) -> Assumption:
    if not isinstance(entry, Mapping):
        raise AssumptionError(f"{where} is not an object.")
    missing = {"name", "kind", "about", "says"} - entry.keys()
    extra = entry.keys() - {"name", "kind", "about", "says"}
    if missing or extra:
        wrong = (
            f"lacks {', '.join(sorted(missing))}" if missing else f"has {', '.join(sorted(extra))}"
        )
        raise AssumptionError(f"{where} {wrong}; write name, kind, about and says.")
    if entry["kind"] not in KINDS:
        raise AssumptionError(f"{where}: kind is one of {', '.join(KINDS)}.")
    about = entry["about"]
    if not isinstance(about, list) or not about or not all(isinstance(one, str) for one in about):
        raise AssumptionError(f"{where}: about is a list of ids.")
    if not all(isinstance(entry[key], str) and entry[key].strip() for key in ("name", "says")):
        raise AssumptionError(f"{where}: name and says are words.")
    return Assumption(
        entry["name"], entry["kind"], tuple(fold(one) for one in about), entry["says"]
    )
