"""Which roles whoever is signed in may assign, where a condition binds that right.

A pipeline's right to assign roles is bound to the roles of one release: what a later one assigns
as well is refused by Azure in the middle of an apply, and by `permissions` nobody sees it before.

Source: Azure Authorization REST API, "Role Assignments - List For Subscription" (`assignedTo`);
Microsoft Learn, "Delegate Azure role assignment management to others with conditions".
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from shlex import quote
from typing import Any, Final

from secure_openai.delivery.doctor.answer import Answer, Check, Outcome, Question
from secure_openai.delivery.doctor.needs import Needs
from secure_openai.delivery.doctor.resource_manager import ResourceManager
from secure_openai.delivery.doctor.rights import ASSIGNMENT, Permission, claims_of
from secure_openai.posture.built_in_roles import KNOWN, named
from secure_openai.posture.role_rights import bound_to

VERSION: Final = "2022-04-01"
ASSIGNING: Final = frozenset(
    {"Owner", "Role Based Access Control Administrator", "User Access Administrator"}
)
SUBJECT: Final = "roles that may be assigned"


def questions(needs: Needs, subscription: str) -> Iterator[Question]:
    """Yield what to ask."""
    if needs.assigned:
        at = f"/subscriptions/{subscription}"
        yield Question(Check.ROLE, SUBJECT, partial(_delegated, at, needs.assigned))


async def _delegated(
    at: str, wanted: frozenset[str], manager: ResourceManager
) -> tuple[Answer, ...]:
    who = str(claims_of(await manager.bearer()).get("oid") or "")
    if not who:
        says = "the sign-in does not say who it is of, so that nobody's conditions can be read"
        return (Answer(Check.ROLE, SUBJECT, Outcome.UNASKED, says),)
    path = f"{at}/providers/Microsoft.Authorization/roleAssignments"
    rows = await manager.every(path, VERSION, {"$filter": f"assignedTo('{who}')"})
    held = [dict(one.get("properties") or {}) for one in rows]
    assigning = [one for one in held if await _assigns(one, manager)]
    conditions = [str(one.get("condition") or "") for one in assigning]
    if not conditions:
        # Whether anything may be assigned at all, the permissions say.
        return ()
    if not all(conditions):
        says = "no condition binds which"
        return (Answer(Check.ROLE, SUBJECT, Outcome.FINE, says),)
    bounds = [bound_to(one) for one in conditions]
    allowed = {number for bound in bounds if bound is not None for number in bound}
    if missing := sorted(named(one) for one in wanted - allowed):
        if None in bounds:
            return (_look(at, who),)
        return (_finding(missing),)
    says = f"the condition on it lets all {len(wanted)} be assigned that it takes"
    return (Answer(Check.ROLE, SUBJECT, Outcome.FINE, says),)


async def _assigns(held: dict[str, Any], manager: ResourceManager) -> bool:
    """Return whether what is held lets roles be assigned."""
    identifier = str(held.get("roleDefinitionId", ""))
    role = named(identifier)
    if role in KNOWN:
        return role in ASSIGNING
    definition = (await manager.one(identifier, VERSION)).get("properties") or {}
    return any(
        Permission(tuple(one.get("actions") or ()), tuple(one.get("notActions") or ())).allows(
            ASSIGNMENT
        )
        for one in definition.get("permissions") or ()
    )


def _look(at: str, who: str) -> Answer:
    return Answer(
        Check.ROLE,
        SUBJECT,
        Outcome.LOOK,
        "a condition binds which, in a form that is not known here: whether it lets these be "
        "assigned, Azure says when the plan is applied",
        f"az role assignment list --scope {quote(at)} --assignee {quote(who)} --query [].condition",
    )


def _finding(missing: list[str]) -> Answer:
    return Answer(
        Check.ROLE,
        SUBJECT,
        Outcome.FINDING,
        f"a condition binds which, and leaves out {', '.join(missing)}, which the estate assigns",
        "terraform -chdir=infra/bootstrap apply -var-file=example.tfvars -var-file=estate.tfvars."
        "json  # as an owner: the roles of this release",
    )
