"""Models: whether a region offers what is to be deployed, and has quota left for it.

Source: Azure Cognitive Services REST API, "Models - List", "Usages - List"; Microsoft Learn,
"Manage Azure OpenAI quota".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from functools import partial
from http import HTTPStatus
from typing import Any, Final

from secure_openai.delivery.doctor.answer import Answer, Check, Outcome, Question
from secure_openai.delivery.doctor.needs import Deployment, Needs
from secure_openai.delivery.doctor.resource_manager import ResourceManager
from secure_openai.errors import DeploymentRejected, RequestError
from secure_openai.model.management.checks import CONTENT_FILTER, resolved, retirement_of
from secure_openai.model.management.interface import OfferedModel, OfferedSku, Wanted
from secure_openai.types import JsonObject

VERSION: Final = "2025-09-01"
SOON: Final = timedelta(days=60)
"""How long before a retirement a deployment is not worth making; the Terraform warns as early."""


def questions(needs: Needs, subscription: str, today: date) -> Iterator[Question]:
    """Yield what to ask."""
    at = f"/subscriptions/{subscription}/providers/Microsoft.CognitiveServices/locations"
    for one in needs.deployments:
        yield Question(Check.MODEL, one.label, partial(_model, at, one, today))
    by_region: dict[str, list[Deployment]] = defaultdict(list)
    for one in needs.deployments:
        by_region[one.region].append(one)
    for region, deployments in by_region.items():
        yield Question(Check.QUOTA, region, partial(_quota, at, region, tuple(deployments)))


async def _offered(at: str, region: str, manager: ResourceManager) -> list[OfferedModel]:
    found = await manager.every(f"{at}/{region}/models", VERSION)
    models = [one.get("model") for one in found]
    return [offered(one) for one in models if isinstance(one, dict)]


async def _model(
    at: str, wanted: Deployment, today: date, manager: ResourceManager
) -> tuple[Answer, ...]:
    models = await _offered(at, wanted.region, manager)
    question = Question(Check.MODEL, wanted.label, partial(_model, at, wanted, today))
    asked = Wanted(
        account=wanted.region,
        name=wanted.name,
        model=wanted.model,
        version=wanted.version or None,
        sku=wanted.sku or None,
        capacity=wanted.capacity,
        content_filter=CONTENT_FILTER,
    )
    look = f"az cognitiveservices model list --location {wanted.region} --output table"
    try:
        chosen = resolved(
            asked, models=models, quota=None, content_filters=[CONTENT_FILTER], today=today
        )
    except (DeploymentRejected, RequestError) as error:
        says = f"in {wanted.region}: {error.detail.removesuffix('.')}"
        return question.answers(Outcome.FINDING, says, look)
    version = str(chosen.version)
    held = next(one for one in models if (one.name, one.version) == (wanted.model, version))
    retirement = held.retirement
    if retirement is not None and retirement.on - today <= SOON:
        instead = f"deploy {retirement.instead}" if retirement.instead else "choose another model"
        days = (retirement.on - today).days
        says = f"{wanted.model} {version} retires on {retirement.on}, in {days} days: {instead}"
        return question.answers(Outcome.FINDING, says, look)
    says = f"{wanted.model} {version} is sold as {chosen.sku} in {wanted.region}"
    return question.answers(Outcome.FINE, says)


async def _quota(
    at: str, region: str, wanted: tuple[Deployment, ...], manager: ResourceManager
) -> tuple[Answer, ...]:
    names = _names_of_quota(await _offered(at, region, manager))
    left: dict[str, tuple[float, float]] = {}
    for one in await manager.every(f"{at}/{region}/usages", VERSION):
        limit = one.get("limit")
        if limit is not None:
            free = max(0.0, float(limit) - float(one.get("currentValue") or 0))
            left[str((one.get("name") or {}).get("value", "")).lower()] = free, float(limit)
    asked: dict[str, int] = defaultdict(int)
    for each in wanted:
        name = names.get((each.model, each.sku))
        if name is not None:
            asked[name] += max(0, each.capacity - await _held(each, manager))
    return tuple(_judged(region, name, asked[name], left.get(name.lower())) for name in asked)


def _judged(region: str, name: str, asked: int, known: tuple[float, float] | None) -> Answer:
    subject = f"{region}, {name}"
    if known is None:
        return Answer(
            Check.QUOTA, subject, Outcome.FINDING, f"the subscription has none, and {asked} are "
            "asked for", _raise(region),
        )  # fmt: skip
    free, limit = known
    if asked <= free:
        says = f"{free:g} of {limit:g} are left, and {asked} are asked for"
        return Answer(Check.QUOTA, subject, Outcome.FINE, says)
    return Answer(
        Check.QUOTA,
        subject,
        Outcome.FINDING,
        f"{free:g} of {limit:g} are left, and {asked} are asked for: ask for less, have it raised "
        "(https://aka.ms/oai/stuquotarequest), or purge accounts that were deleted, which hold it",
        _raise(region),
    )


def _raise(region: str) -> str:
    return (
        f"az cognitiveservices usage list --location {region}  # and az cognitiveservices account "
        "list-deleted"
    )


async def _held(one: Deployment, manager: ResourceManager) -> int:
    """Return the capacity that a deployment has already, which is not asked anew."""
    reply = await manager.reply(f"{one.account}/deployments/{one.name}", VERSION)
    if reply.status != HTTPStatus.OK:
        return 0
    sku, model = reply.body.get("sku") or {}, (reply.body.get("properties") or {}).get("model")
    same = sku.get("name") == one.sku and (model or {}).get("name") == one.model
    return int(sku.get("capacity") or 0) if same else 0


def _names_of_quota(models: list[OfferedModel]) -> dict[tuple[str, str], str]:
    return {
        (model.name, sku.name): sku.quota for model in models for sku in model.skus if sku.quota
    }


def offered(raw: JsonObject) -> OfferedModel:
    """Return a model as a region lists it."""
    name, version = str(raw.get("name", "")), str(raw.get("version", ""))
    said = _day((raw.get("deprecation") or {}).get("inference"))
    instead = (raw.get("replacementConfig") or {}).get("targetModelName")
    return OfferedModel(
        name=name,
        version=version,
        format=str(raw.get("format", "")),
        stage=str(raw.get("lifecycleStatus", "")),
        default=bool(raw.get("isDefaultVersion")),
        retirement=retirement_of(name, version, said, instead if instead != name else None),
        skus=tuple(_sold(one) for one in raw.get("skus") or () if one.get("name")),
    )


def _sold(raw: JsonObject) -> OfferedSku:
    capacity = raw.get("capacity") or {}
    return OfferedSku(
        name=str(raw["name"]),
        quota=raw.get("usageName"),
        default=capacity.get("default"),
        smallest=capacity.get("minimum"),
        largest=capacity.get("maximum"),
        step=capacity.get("step"),
        allowed=tuple(capacity.get("allowedValues") or ()),
        ends=_day(raw.get("deprecationDate")),
    )


def _day(text: Any) -> date | None:
    try:
        return date.fromisoformat(str(text or "")[:10])
    except ValueError:
        return None
