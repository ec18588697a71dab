"""Names: whether nobody has them, and nothing that was deleted still holds them.

Source: the REST API's "Check Name Availability" of each service; Azure Key Vault, "Soft-delete
overview"; Foundry Tools, "Recover or purge deleted resources"; Log Analytics, "Delete and recover".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from shlex import quote
from typing import Final

from secure_openai.delivery.doctor.answer import Answer, Check, Outcome, Question
from secure_openai.delivery.doctor.needs import Kind, Name, Needs, plain_region
from secure_openai.delivery.doctor.resource_manager import ResourceManager
from secure_openai.types import JsonObject


@dataclass(frozen=True, slots=True)
class Availability:
    """How a service is asked whether a name is free."""

    path: str
    version: str
    named: str
    free: str
    body: JsonObject


AVAILABILITY: Final = {
    Kind.STORAGE: Availability(
        "Microsoft.Storage/checkNameAvailability",
        "2023-05-01",
        "name",
        "nameAvailable",
        {"type": "Microsoft.Storage/storageAccounts"},
    ),
    Kind.VAULT: Availability(
        "Microsoft.KeyVault/checkNameAvailability",
        "2023-07-01",
        "name",
        "nameAvailable",
        {"type": "Microsoft.KeyVault/vaults"},
    ),
    Kind.COGNITIVE: Availability(
        "Microsoft.CognitiveServices/checkDomainAvailability",
        "2025-09-01",
        "subdomainName",
        "isSubdomainAvailable",
        {"type": "Microsoft.CognitiveServices/accounts", "kind": "OpenAI"},
    ),
    Kind.WEB: Availability(
        "Microsoft.Web/checknameavailability",
        "2023-12-01",
        "name",
        "nameAvailable",
        {"type": "Site"},
    ),
}
COSMOS_VERSION: Final = "2024-08-15"
RESOURCES_VERSION: Final = "2021-04-01"

DELETED: Final = {
    Kind.VAULT: ("Microsoft.KeyVault/deletedVaults", "2023-07-01"),
    Kind.COGNITIVE: ("Microsoft.CognitiveServices/deletedAccounts", "2025-09-01"),
    Kind.WORKSPACE: ("Microsoft.OperationalInsights/deletedWorkspaces", "2023-09-01"),
}
"""Where each service lists what was deleted and may be recovered."""


def questions(needs: Needs, subscription: str) -> Iterator[Question]:
    """Yield what to ask."""
    at = f"/subscriptions/{subscription}"
    for name in needs.names:
        if name.drawn:
            yield Question(Check.NAME, name.name, partial(_drawn, name))
            continue
        if name.kind is not Kind.WORKSPACE:
            yield Question(Check.NAME, name.name, partial(_free, at, name))
        if name.kind in DELETED:
            yield Question(Check.DELETED, name.name, partial(_deleted, at, name))


async def _drawn(name: Name, manager: ResourceManager) -> tuple[Answer, ...]:  # noqa: ARG001 - as each answer's
    says = f"the end of this {name.kind}'s name is drawn when it is applied: nobody has it before"
    return (Answer(Check.NAME, name.name, Outcome.FINE, says),)


async def _free(at: str, name: Name, manager: ResourceManager) -> tuple[Answer, ...]:
    if await _is_free(at, name, manager):
        return (Answer(Check.NAME, name.name, Outcome.FINE, f"no {name.kind} has it"),)
    if await _is_ours(at, name, manager):
        says = f"this {name.kind} stands in the subscription already, where it should"
        return (Answer(Check.NAME, name.name, Outcome.FINE, says),)
    if await _was_deleted(at, name, manager) is not None:
        # It is told as what it is, once.
        says = f"only the {name.kind} that was deleted holds it"
        return (Answer(Check.NAME, name.name, Outcome.FINE, says),)
    return (
        Answer(
            Check.NAME,
            name.name,
            Outcome.FINDING,
            f"another {name.kind} has it, and there can be only one in all of Azure",
            'prefix = "…"  # or another suffix: terraform apply -replace=random_string.suffix',
        ),
    )


async def _is_free(at: str, name: Name, manager: ResourceManager) -> bool:
    if name.kind is Kind.COSMOS:
        path = f"/providers/Microsoft.DocumentDB/databaseAccountNames/{name.name}"
        reply = await manager.reply(path, COSMOS_VERSION, method="HEAD")
        if reply.status not in {HTTPStatus.OK, HTTPStatus.NOT_FOUND}:
            raise reply.refusal()
        return reply.status == HTTPStatus.NOT_FOUND
    how = AVAILABILITY[name.kind]
    answer = await manager.one(
        f"{at}/providers/{how.path}", how.version, body={how.named: name.name, **how.body}
    )
    return answer[how.free] is True


async def _is_ours(at: str, name: Name, manager: ResourceManager) -> bool:
    wanted = name.id.lower()
    found = await manager.every(f"{at}/resources", RESOURCES_VERSION)
    return any(str(one.get("id", "")).lower() == wanted for one in found)


async def _was_deleted(at: str, name: Name, manager: ResourceManager) -> JsonObject | None:
    if name.kind not in DELETED:
        return None
    path, version = DELETED[name.kind]
    for one in await manager.every(f"{at}/providers/{path}", version):
        same = str(one.get("name", "")).lower() == name.name.lower()
        # A workspace's name is its group's only; the other two are Azure's.
        group = str(one.get("id", "")).lower().partition("/resourcegroups/")[2].partition("/")[0]
        if same and (name.kind is not Kind.WORKSPACE or group == name.group.lower()):
            return one
    return None


async def _deleted(at: str, name: Name, manager: ResourceManager) -> tuple[Answer, ...]:
    found = await _was_deleted(at, name, manager)
    if found is None:
        return (Answer(Check.DELETED, name.name, Outcome.FINE, "nothing deleted holds it"),)
    properties = found.get("properties") or {}
    region = plain_region(found.get("location") or properties.get("location"))
    until = str(properties.get("scheduledPurgeDate", ""))[:10]
    kept = f" until {until}" if until else ""
    says = f"its {name.kind} was deleted and is kept{kept}: Azure makes no second one"
    mend = _mend(name, found, region, protected=bool(properties.get("purgeProtectionEnabled")))
    return (Answer(Check.DELETED, name.name, Outcome.FINDING, says, mend),)


def _mend(name: Name, found: JsonObject, region: str, *, protected: bool) -> str:
    if name.kind is Kind.VAULT:
        at = f"--name {name.name} --location {quote(region)}"
        if protected:
            return f"az keyvault recover {at}  # purge protection: it cannot be purged before"
        return f"az keyvault purge {at}  # or: az keyvault recover {at}"
    if name.kind is Kind.COGNITIVE:
        group = str(found.get("id", "")).partition("/resourceGroups/")[2].partition("/")[0]
        where = f"--location {quote(region)} --resource-group {quote(group or name.group)}"
        at = f"{where} --name {name.name}"
        return f"az cognitiveservices account purge {at}  # or: recover, with the same"
    at = f"--resource-group {quote(name.group)} --workspace-name {name.name}"
    return f"az monitor log-analytics workspace recover {at}"
