"""Whether the roles of who is signed in suffice for what the estate is made of, and what lacks.

Source: Azure Authorization REST API, "Permissions"; Microsoft Entra, "Built-in roles", "Access
token claims reference" (`wids`, `roles`).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from shlex import quote
from typing import Final

from secure_openai.delivery.doctor.answer import Answer, Check, Outcome, Question
from secure_openai.delivery.doctor.needs import Needs
from secure_openai.delivery.doctor.resource_manager import ResourceManager
from secure_openai.delivery.doctor.rights import Permission, claims_of, missing

VERSION: Final = "2022-04-01"
NAMED: Final = 3
"""Actions that one sentence names."""

ASSIGNER: Final = "Role Based Access Control Administrator"
CONTRIBUTOR: Final = "Contributor"
POLICY: Final = "Resource Policy Contributor"
OWNER: Final = "Owner"

_ROLES: Final = (
    ("Microsoft.Authorization/policy", POLICY),
    ("Microsoft.Authorization/role", ASSIGNER),
    ("Microsoft.Authorization/", OWNER),
)
"""The smallest built-in role that allows what begins so; anything else is a Contributor's."""

APPLICATION_ROLES: Final = frozenset({"Application.ReadWrite.All", "Application.ReadWrite.OwnedBy"})
DIRECTORY_ROLES: Final = frozenset(
    {
        "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3",  # Application Administrator
        "158c047a-c907-4556-b7ef-446551a6b5f7",  # Cloud Application Administrator
        "cf1c38e5-3621-4004-a7cb-879624dced7c",  # Application Developer
        "62e90394-69f5-4237-9190-012177145e10",  # Global Administrator
    }
)
"""Template ids of the roles that may make applications."""


def questions(needs: Needs, subscription: str) -> Iterator[Question]:
    """Yield what to ask."""
    at = f"/subscriptions/{subscription}"
    yield Question(Check.ROLE, at, partial(_here, at, needs))
    for identifier, actions in needs.rights.elsewhere.items():
        yield Question(Check.ROLE, identifier, partial(_elsewhere, identifier, actions))
    if needs.applications:
        yield Question(Check.DIRECTORY, "applications in Entra", _directory)


async def _held(at: str, manager: ResourceManager) -> list[Permission]:
    found = await manager.every(f"{at}/providers/Microsoft.Authorization/permissions", VERSION)
    return [
        Permission(tuple(one.get("actions") or ()), tuple(one.get("notActions") or ()))
        for one in found
    ]


async def _here(at: str, needs: Needs, manager: ResourceManager) -> tuple[Answer, ...]:
    wanted = needs.rights.here
    lacking = missing(wanted, await _held(at, manager))
    if not lacking:
        says = f"the roles allow the {len(wanted)} actions that it takes"
        return (Answer(Check.ROLE, at, Outcome.FINE, says),)
    by_role: dict[str, list[str]] = {}
    for action in lacking:
        by_role.setdefault(role_for(action), []).append(action)
    return tuple(
        Answer(Check.ROLE, role, Outcome.FINDING, _lacking(actions), _assign(role, at))
        for role, actions in sorted(by_role.items())
    )


async def _elsewhere(
    identifier: str, actions: tuple[str, ...], manager: ResourceManager
) -> tuple[Answer, ...]:
    lacking = missing(actions, await _held(identifier, manager))
    if not lacking:
        says = f"the roles allow {', '.join(actions)}"
        return (Answer(Check.ROLE, identifier, Outcome.FINE, says),)
    return (
        Answer(
            Check.ROLE,
            identifier,
            Outcome.FINDING,
            f"somebody else made it, and joining it takes {', '.join(lacking)}: ask who owns it",
            _assign("Network Contributor", identifier),
        ),
    )


def role_for(action: str) -> str:
    """Return the smallest built-in role of those that documentation names, by an action."""
    for beginning, role in _ROLES:
        if action.lower().startswith(beginning.lower()):
            return role
    return CONTRIBUTOR


def _lacking(actions: list[str]) -> str:
    shown = ", ".join(actions[:NAMED])
    more = len(actions) - NAMED
    return (
        "the roles of who is signed in, as they reach the subscription, do not allow "
        f"{shown}{f' and {more} more' if more > 0 else ''}"
    )


def _assign(role: str, scope: str) -> str:
    return (
        f'az role assignment create --assignee OBJECT_ID --role "{role}" --scope {quote(scope)}'
        "  # as an owner"
    )


async def _directory(manager: ResourceManager) -> tuple[Answer, ...]:
    claims = claims_of(await manager.graph_bearer())
    roles, directory = set(claims.get("roles") or ()), set(claims.get("wids") or ())
    fine = Answer(Check.DIRECTORY, "applications in Entra", Outcome.FINE, "they may be made")
    if roles & APPLICATION_ROLES or directory & DIRECTORY_ROLES:
        return (fine,)
    if claims.get("idtyp") != "app" and await _everybody_may(manager):
        return (fine,)
    return (
        Answer(
            Check.DIRECTORY,
            "applications in Entra",
            Outcome.FINDING,
            "the estate makes applications in Entra, and who is signed in may not: it takes the "
            "directory role Application Developer, or for a pipeline Application.ReadWrite.OwnedBy",
            "entra = { client_ids = { … } }  # applications that somebody else makes "
            "(docs/deployment.md), or have the role assigned",
        ),
    )


async def _everybody_may(manager: ResourceManager) -> bool:
    policy = await manager.graph("/v1.0/policies/authorizationPolicy")
    allowed = (policy.get("defaultUserRolePermissions") or {}).get("allowedToCreateApps")
    return allowed is True
