"""Azure Policy that denies: what to look at, since only Azure says whether it would hit.

Source: Azure Policy, "Effect basics", "Assignment structure"; REST API, "Policy Assignments".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from shlex import quote
from typing import Any, Final

from secure_openai.delivery.doctor.answer import Answer, Check, Outcome, Question
from secure_openai.delivery.doctor.needs import Needs
from secure_openai.delivery.doctor.resource_manager import ResourceManager
from secure_openai.types import JsonObject

ASSIGNMENTS: Final = "2023-04-01"
DEFINITIONS: Final = "2023-04-01"
DENYING: Final = frozenset({"deny", "denyaction"})
_PARAMETER: Final = re.compile(r"\[parameters\('([^']+)'\)\]", re.IGNORECASE)


def questions(needs: Needs, subscription: str) -> Iterator[Question]:  # noqa: ARG001 - as each check's
    """Yield what to ask."""
    at = f"/subscriptions/{subscription}"
    yield Question(Check.POLICY, "assignments", partial(_denying, at))


async def _denying(at: str, manager: ResourceManager) -> tuple[Answer, ...]:
    path = f"{at}/providers/Microsoft.Authorization/policyAssignments"
    found = await manager.every(path, ASSIGNMENTS, {"$filter": "atScope()"})
    answers = []
    for one in found:
        properties = one.get("properties") or {}
        if properties.get("enforcementMode") == "DoNotEnforce":
            continue
        if denied := await _denies(properties, manager):
            answers.append(_look(one, denied))
    says = f"none of {len(found)} assignments denies anything"
    return tuple(answers) or (Answer(Check.POLICY, "assignments", Outcome.FINE, says),)


def _look(assignment: JsonObject, denied: list[str]) -> Answer:
    properties = assignment.get("properties") or {}
    name = str(properties.get("displayName") or assignment.get("name", ""))
    shown = "; ".join(denied[:3])
    more = f" and {len(denied) - 3} more" if len(denied) > 3 else ""  # noqa: PLR2004 - as shown
    return Answer(
        Check.POLICY,
        name,
        Outcome.LOOK,
        f"it denies: {shown}{more}; whether it would hit, Azure says when the plan is applied",
        # Somebody else in the tenant gave these names, and whoever reads this types it.
        f"az policy assignment show --name {quote(str(assignment.get('name', '')))} --scope "
        f"{quote(str(properties.get('scope', '')))}",
    )


async def _denies(properties: JsonObject, manager: ResourceManager) -> list[str]:
    """Return the names of what an assignment denies; empty if it denies nothing."""
    identifier = str(properties.get("policyDefinitionId", ""))
    given = {
        name: one.get("value")
        for name, one in (properties.get("parameters") or {}).items()
        if isinstance(one, dict)
    }
    definition = (await manager.one(identifier, DEFINITIONS)).get("properties") or {}
    if "/policysetdefinitions/" not in identifier.lower():
        return [_title(definition, identifier)] if _effect(definition, given) in DENYING else []
    denied = []
    for member in definition.get("policyDefinitions") or ():
        passed = {
            name: _resolved(one.get("value"), definition, given)
            for name, one in (member.get("parameters") or {}).items()
            if isinstance(one, dict)
        }
        if "effect" in passed and str(passed["effect"]).lower() not in DENYING:
            continue
        whose = str(member.get("policyDefinitionId", ""))
        inner = (await manager.one(whose, DEFINITIONS)).get("properties") or {}
        if _effect(inner, passed) in DENYING:
            denied.append(_title(inner, whose))
    return denied


def _title(definition: JsonObject, identifier: str) -> str:
    return str(definition.get("displayName") or identifier.rpartition("/")[2])


def _effect(definition: JsonObject, given: JsonObject) -> str:
    written = ((definition.get("policyRule") or {}).get("then") or {}).get("effect")
    return str(_resolved(written, definition, given)).lower()


def _resolved(written: Any, definition: JsonObject, given: JsonObject) -> Any:
    """Return a value, or what the parameter that it names comes to."""
    found = _PARAMETER.fullmatch(written) if isinstance(written, str) else None
    if found is None:
        return written
    name = found.group(1)
    if name in given:
        return given[name]
    return ((definition.get("parameters") or {}).get(name) or {}).get("defaultValue")
