"""What a proof takes for granted, looked at where it stands.

A proof prints its assumptions, and what only a look at the deployed estate can show; each of both
is answered here, or left to people with the reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any, Final

from secure_openai.delivery.doctor.resource_manager import ResourceManager
from secure_openai.delivery.verification.observation import Check, Observation, Outcome, any_of
from secure_openai.delivery.verification.rules import judged
from secure_openai.errors import SecureOpenAIError
from secure_openai.posture.assumptions import Assumption
from secure_openai.posture.built_in_roles import KNOWN, named
from secure_openai.posture.estate import fold
from secure_openai.posture.proof import ONLY_AFTER_DEPLOYMENT
from secure_openai.tables import table
from secure_openai.types import JsonObject

ROLES_VERSION: Final = "2022-04-01"
SCOPES_VERSION: Final = "2021-07-01-preview"
PRIVATE: Final = "privateonly"

ODD: Final = "Azure answers in a shape that is not known"
ODD_SHAPES: Final = (AttributeError, IndexError, KeyError, TypeError, ValueError)

BY_NAMES: Final = frozenset({"attached", "linked", "resolves"})
"""Assumptions that hold if every name of the estate resolves to a private address here."""

FILTERED: Final = (
    "no packet that is let through shows a rule that is not there: whoever owns the subnets reads "
    "them (az network nsg rule list)"
)

SHOWN_BY: Final = {
    ONLY_AFTER_DEPLOYMENT[0]: (Check.DOOR, Check.CHAT),
    ONLY_AFTER_DEPLOYMENT[4]: (Check.CHAT,),
}
"""What observations show of what only a look can show."""

INHERITED: Final = ONLY_AFTER_DEPLOYMENT[2]

LEFT: Final = {
    ONLY_AFTER_DEPLOYMENT[1]: "verify with --outside wherever somebody could come from",
    INHERITED: "az role assignment list --include-inherited --scope GROUP_ID",
    ONLY_AFTER_DEPLOYMENT[3]: "prove the state of what stands: terraform show -json",
    ONLY_AFTER_DEPLOYMENT[5]: "whoever keeps the groups reviews them (Entra access reviews)",
}
"""What people look at, and how."""


async def only_after(
    found: Sequence[Observation], groups: Sequence[str], manager: ResourceManager | None
) -> list[Observation]:
    """Return what of the proof only the deployed estate shows, as far as it is seen.

    Args:
        found: What was seen so far.
        groups: Ids of the estate's resource groups.
        manager: Resource Manager; None where there is no credential for it.
    """
    seen = []
    for sentence in ONLY_AFTER_DEPLOYMENT:
        if sentence == INHERITED and groups and manager is not None:
            seen.append(await _inherited(groups, manager))
        elif sentence in LEFT:
            seen.append(Observation(Check.ASSUMPTION, sentence, Outcome.LEFT, LEFT[sentence]))
        else:
            seen.append(_by(sentence, SHOWN_BY[sentence], found))
    return seen


async def _inherited(groups: Sequence[str], manager: ResourceManager) -> Observation:
    """Return which roles come from above the estate: people say of each whether it should."""
    try:
        roles = await _roles_above(groups, manager)
    except ODD_SHAPES:
        return Observation(Check.ASSUMPTION, INHERITED, Outcome.LEFT, f"{ODD}: {LEFT[INHERITED]}")
    except SecureOpenAIError as error:
        says = f"{error.detail.removesuffix('.')}: {LEFT[INHERITED]}"
        return Observation(Check.ASSUMPTION, INHERITED, Outcome.LEFT, says)
    count = Counter(one["role"] for one in roles)
    named = ", ".join(f"{number} {role}" for role, number in sorted(count.items())) or "none"
    says = f"from above the estate come {named}: whoever owns the subscription looks at each"
    return Observation(Check.ASSUMPTION, INHERITED, Outcome.LEFT, says, {"roles": roles})


async def _roles_above(groups: Sequence[str], manager: ResourceManager) -> list[JsonObject]:
    found: dict[tuple[str, ...], JsonObject] = {}
    for group in groups:
        path = f"{group}/providers/Microsoft.Authorization/roleAssignments"
        for one in await manager.every(path, ROLES_VERSION, {"$filter": "atScope()"}):
            told = one.get("properties") or {}
            scope, role = str(told.get("scope", "")), str(told.get("roleDefinitionId", ""))
            principal = str(told.get("principalId", ""))
            if fold(scope) == fold(group):
                continue
            name = (await manager.one(role, ROLES_VERSION)).get("properties") or {}
            found[scope, role, principal] = {
                "principal": principal,
                "role": str(name.get("roleName", "")),
                "scope": scope,
            }
    return [found[key] for key in sorted(found)]


async def looked_at(
    assumed: Iterable[Assumption],
    found: Sequence[Observation],
    manager: ResourceManager | None,
    ids: Iterable[str] = (),
) -> list[Observation]:
    """Return what can be seen of what was assumed.

    Args:
        assumed: What somebody vouches for.
        found: What was seen so far.
        manager: Resource Manager; None where there is no credential for it.
        ids: Ids that a state names, as ids are compared: a pattern stands for those among them.
    """
    known = tuple(ids)
    return [
        await _one(replace(one, about=tuple(_meant(one, known))), found, manager) for one in assumed
    ]


def _meant(assumption: Assumption, ids: Sequence[str]) -> Iterator[str]:
    for pattern in assumption.about:
        meant = [one for one in ids if "*" in pattern and fnmatchcase(one, pattern)]
        if assumption.kind == "role":
            # What Azure itself made nobody has to vouch for.
            meant = [one for one in meant if named(one) not in KNOWN]
        yield from meant or [pattern]


async def _one(
    assumption: Assumption, found: Sequence[Observation], manager: ResourceManager | None
) -> Observation:
    if assumption.kind in BY_NAMES:
        return _by(assumption.name, (Check.NAME,), found)
    if assumption.kind == "filtered":
        return await _filtered(assumption, manager)
    if manager is None:
        says = "there is no credential to ask Azure with: sign in with az login"
        return Observation(Check.ASSUMPTION, assumption.name, Outcome.UNSEEN, says)
    outcome, says = await _asked(assumption, manager)
    return Observation(Check.ASSUMPTION, assumption.name, outcome, says)


async def _filtered(assumption: Assumption, manager: ResourceManager | None) -> Observation:
    """Return what the rules of subnets say; who may not read them leaves them to their owner."""
    left = Observation(Check.ASSUMPTION, assumption.name, Outcome.LEFT, FILTERED)
    if manager is None or any("*" in one for one in assumption.about):
        return left
    try:
        found = await judged(assumption.about, manager)
    except ODD_SHAPES:
        return replace(left, says=f"{ODD}: {FILTERED}")
    except SecureOpenAIError as error:
        return replace(left, says=f"{error.detail.removesuffix('.')}: {FILTERED}")
    if found.wrong:
        return replace(left, outcome=Outcome.FINDING, says="; ".join(found.wrong))
    if found.untold:
        return replace(left, says=f"{'; '.join(found.untold)}: {FILTERED}")
    names = ", ".join(one.rpartition("/")[2] for one in assumption.about)
    says = f"Azure's rules of {names} let HTTPS reach the endpoints, and nothing in from elsewhere"
    return replace(left, outcome=Outcome.HOLDS, says=says)


async def _asked(assumption: Assumption, manager: ResourceManager) -> tuple[Outcome, str]:
    ask = _role if assumption.kind == "role" else _scope
    wrong = []
    for identifier in assumption.about:
        if "*" in identifier:
            return Outcome.LEFT, "it is vouched for by a pattern, and nobody can ask for one"
        try:
            wrong += await ask(identifier, manager)
        except ODD_SHAPES:
            return Outcome.UNSEEN, f"{identifier}: {ODD}"
        except SecureOpenAIError as error:
            return Outcome.UNSEEN, f"{identifier}: {error.detail.removesuffix('.')}"
    if wrong:
        return Outcome.FINDING, "; ".join(wrong)
    names = ", ".join(one.rpartition("/")[2] for one in assumption.about)
    return Outcome.HOLDS, f"Azure says so of {names}"


def _by(subject: str, checks: tuple[Check, ...], found: Sequence[Observation]) -> Observation:
    basis = [one for one in found if one.check in checks]
    named = " and ".join(checks)
    if basis and all(one.outcome is Outcome.HOLDS for one in basis):
        says = f"shown by {named}, {len(basis)} looked at"
        return Observation(Check.ASSUMPTION, subject, Outcome.HOLDS, says)
    why = "does not hold" if any_of(basis, Outcome.FINDING) else "was not seen whole"
    says = f"it hangs on {named}, which {why}"
    return Observation(Check.ASSUMPTION, subject, Outcome.UNSEEN, says)


async def _role(identifier: str, manager: ResourceManager) -> list[str]:
    """Return what a role may do beyond every row of `tables/roles.json` that has actions."""
    role = (await manager.one(identifier, ROLES_VERSION)).get("properties") or {}
    may = {
        str(action).casefold()
        for one in role.get("permissions") or ()
        for kind in ("actions", "dataActions")
        for action in one.get(kind) or ()
    }
    rows = (row["actions"] for row in table("roles").values() if "actions" in row)
    allowed = {action.casefold() for actions in rows for action in actions}
    beyond = sorted(may - allowed)
    return [f"{identifier} may do more than it should: {', '.join(beyond)}"] if beyond else []


async def _scope(identifier: str, manager: ResourceManager) -> list[str]:
    properties: Any = (await manager.one(identifier, SCOPES_VERSION)).get("properties") or {}
    modes = properties.get("accessModeSettings") or {}
    open_for = [
        name
        for name in ("ingestionAccessMode", "queryAccessMode")
        if str(modes.get(name, "")).lower() != PRIVATE
    ]
    return [f"{identifier} is open: {', '.join(open_for)}"] if open_for else []
