"""The families of statements, as a report shows them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from secure_openai.posture.proof import Judged

_FAMILIES: Final = {
    "REACH": ("Reach", "Who may come to a service, and where may what is inside go?"),
    "NAMES": ("Names", "Does every name lead to the private endpoint that is meant?"),
    "KEYS": ("Keys", "Is there a key, a password or a stored secret that opens anything?"),
    "ROLES": ("Roles", "Has each identity what its code needs, and nothing besides?"),
    "SIGNIN": ("Sign-in", "Does every door ask who comes, and believe the right authority?"),
    "KEEP": ("Keeping", "Can what is lost be brought back, and what was written not be changed?"),
    "SEE": ("Seeing", "Is everything observed, and somebody told?"),
    "WHOLE": ("Whole", "Was anything passed over in silence?"),
}


@dataclass(frozen=True, slots=True)
class Family:
    """Statements that belong together, with their name and the question that they answer."""

    title: str
    asks: str
    judged: tuple[Judged, ...]


def families(judged: Iterable[Judged]) -> list[Family]:
    """Return the statements by family, in their order; an unknown one is named by its ids."""
    found: dict[str, list[Judged]] = {}
    for one in judged:
        found.setdefault(one.statement.id.partition("-")[0], []).append(one)
    return [
        Family(*_FAMILIES.get(prefix, (prefix.capitalize(), "")), tuple(every))
        for prefix, every in found.items()
    ]
