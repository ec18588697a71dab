"""Version constraints: whether a configuration is written for the providers that are simulated.

Real Terraform checks them when it installs a provider; nothing is installed here. The operators are
those of Terraform, "Version Constraints".
"""

from __future__ import annotations

import re
from typing import Any, Final

from secure_openai.posture.simulation.versions import versions

_TERM: Final = re.compile(r"\s*(>=|<=|!=|~>|=|>|<)?\s*v?(\d+(?:\.\d+)*)(-\S+)?\s*")


def unmet(plan: dict[str, Any]) -> list[str]:
    """Return a sentence for each provider whose constraint excludes the simulated version."""
    known = versions()
    found = []
    for config in plan.get("configuration", {}).get("provider_config", {}).values():
        source = config.get("full_name", "").partition("/")[2]
        constraint = config.get("version_constraint", "")
        if source in known and constraint and not allows(constraint, known[source]):
            found.append(
                f'The configuration asks for {source} "{constraint}", and {known[source]} is what '
                "is simulated: allow that version."
            )
    return list(dict.fromkeys(found))


def allows(constraint: str, version: str) -> bool:
    """Return whether a version satisfies a constraint such as `~> 5.2, != 5.2.1`."""
    return all(_term(term, _numbers(version)) for term in constraint.split(","))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _padded(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    width = max(len(one), len(other))
    return tuple(part + (0,) * (width - len(part)) for part in (one, other))


def _term(term: str, version: tuple[int, ...]) -> bool:
    found = _TERM.fullmatch(term)
    if not found or found.group(3):
        return False
    operator, wanted = found.group(1) or "=", _numbers(found.group(2))
    have, want = _padded(version, wanted)
    if operator == "~>":
        # Only the last number written may grow.
        fixed = max(1, len(wanted) - 1)
        return have >= want and have[:fixed] == want[:fixed]
    outcomes = {
        ">=": have >= want,
        "<=": have <= want,
        "!=": have != want,
        "=": have == want,
        ">": have > want,
        "<": have < want,
    }
    return outcomes[operator]
