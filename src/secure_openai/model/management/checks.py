"""What is checked of a deployment before anything is sent."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from secure_openai.errors import DeploymentRejected, QuotaInsufficient, RequestError
from secure_openai.model.management.interface import (
    OfferedModel,
    OfferedSku,
    Quota,
    Retirement,
    Source,
    Wanted,
)
from secure_openai.tables import table

CONTENT_FILTER = "secure-openai"
"""The policy that the Terraform gives every account (infra/modules/model/content-filter.tf)."""

PREFERRED_SKUS = ("DataZoneStandard", "Standard")
"""In this order: prompts stay in a data zone, or in the region, unless another SKU is named."""

RETIRED_STAGE = "Deprecated"
"""Azure's word for retired: such a version answers 410 (REST API, `ModelLifecycleStatus`)."""


def resolved(
    wanted: Wanted,
    *,
    models: Sequence[OfferedModel],
    quota: Sequence[Quota] | None,
    content_filters: Sequence[str],
    today: date,
) -> Wanted:
    """Return the deployment with every part chosen.

    Args:
        wanted: What was asked for.
        models: What the region offers.
        quota: What the region has left; `None` where that may not be read: then Azure alone says.
        content_filters: Names of the account's policies.
        today: The day by which versions are retired.

    Raises:
        RequestError: A part is not a name.
        DeploymentRejected: It is not offered, or retired.
        QuotaInsufficient: The quota has too little left.
    """
    wanted.require_plain()
    model = _version(wanted, models, today)
    sku = _sku(wanted, model, today)
    capacity = _capacity(wanted, sku)
    _require_quota(sku, capacity, quota)
    return replace(
        wanted,
        version=model.version,
        sku=sku.name,
        capacity=capacity,
        content_filter=_content_filter(wanted, content_filters),
    )


def retirement_of(
    name: str, version: str, said: date | None, instead: str | None
) -> Retirement | None:
    """Return when a version retires: as Azure says, else as the table does.

    Args:
        name: Of the model.
        version: Of the model.
        said: The day that Azure says.
        instead: The successor that Azure names.
    """
    known = table("models")["models"].get(name)
    if known is not None and known["version"] != version:
        known = None
    successor = instead or (known["instead"] if known else None)
    if said is not None:
        return Retirement(said, Source.SERVICE, successor)
    if known is None:
        return None
    return Retirement(date.fromisoformat(known["retires"]), Source.TABLE, successor)


def _version(wanted: Wanted, models: Sequence[OfferedModel], today: date) -> OfferedModel:
    named = [one for one in models if one.name == wanted.model]
    if not named:
        _refuse_known_retired(wanted, today)
        near = difflib.get_close_matches(wanted.model, sorted({one.name for one in models}), 1)
        if near:
            raise DeploymentRejected(
                f"This region does not offer the model {wanted.model}. Did you mean {near[0]}? See "
                "what it offers with secure-openai models list."
            )
        raise DeploymentRejected(
            f"This region does not offer the model {wanted.model}. See what it offers with "
            "secure-openai models list."
        )
    if wanted.version is None:
        offered = next((one for one in named if one.default), None) or _latest(named, today)
    else:
        found = next((one for one in named if one.version == wanted.version), None)
        if found is None:
            versions = ", ".join(sorted(one.version for one in named))
            raise DeploymentRejected(
                f"{wanted.model} has no version {wanted.version} here: write one of {versions}."
            )
        offered = found
    retirement = offered.retirement
    if retirement is not None and retirement.on <= today:
        raise _retired(wanted.model, offered.version, retirement)
    if offered.stage == RETIRED_STAGE:
        raise _retired(wanted.model, offered.version, retirement, dated=False)
    return offered


def _latest(named: Sequence[OfferedModel], today: date) -> OfferedModel:
    alive = [one for one in named if one.retirement is None or one.retirement.on > today]
    return max(alive or named, key=lambda one: one.version)


def _refuse_known_retired(wanted: Wanted, today: date) -> None:
    """Say of a model that Azure lists no more that it is retired, if the table knows it."""
    known = table("models")["models"].get(wanted.model)
    if known is not None and date.fromisoformat(known["retires"]) <= today:
        retirement = Retirement(
            date.fromisoformat(known["retires"]), Source.TABLE, known["instead"]
        )
        raise _retired(wanted.model, known["version"], retirement)


def _retired(
    model: str, version: str, retirement: Retirement | None, *, dated: bool = True
) -> DeploymentRejected:
    successor = retirement.instead if retirement is not None else None
    instead = f"deploy {successor} instead" if successor else "deploy another model"
    if retirement is None or not dated:
        return DeploymentRejected(f"Azure has retired {model} {version}: {instead}.")
    return DeploymentRejected(f"Azure has retired {model} {version} on {retirement.on}: {instead}.")


def _sku(wanted: Wanted, model: OfferedModel, today: date) -> OfferedSku:
    sold = [one for one in model.skus if one.ends is None or one.ends > today]
    if not sold:
        raise DeploymentRejected(
            f"{model.name} {model.version} is not sold in this region: choose another model or "
            "region."
        )
    if wanted.sku is None:
        for name in PREFERRED_SKUS:
            for one in sold:
                if one.name == name:
                    return one
        names = ", ".join(one.name for one in sold)
        raise RequestError(
            f"{model.name} is sold here as {names} only: name the one you want as sku.",
            pointer="/sku",
        )
    for one in sold:
        if one.name == wanted.sku:
            return one
    raise DeploymentRejected(
        f"{model.name} {model.version} is not sold as {wanted.sku} here: write one of "
        f"{', '.join(one.name for one in sold)}."
    )


def _capacity(wanted: Wanted, sku: OfferedSku) -> int:
    capacity = wanted.capacity if wanted.capacity is not None else sku.default
    if capacity is None:
        raise RequestError(
            "Say how much capacity, in thousands of tokens a minute for standard SKUs.",
            pointer="/capacity",
        )
    if sku.allowed and capacity not in sku.allowed:
        allowed = ", ".join(str(one) for one in sku.allowed)
        raise RequestError(f"{sku.name} is sold with capacity {allowed}.", pointer="/capacity")
    smallest = sku.smallest or 1
    if capacity < smallest:
        raise RequestError(f"{sku.name} begins at capacity {smallest}.", pointer="/capacity")
    if sku.largest is not None and capacity > sku.largest:
        raise RequestError(
            f"{sku.name} ends at capacity {sku.largest} for one deployment.", pointer="/capacity"
        )
    if sku.step and (capacity - (sku.smallest or 0)) % sku.step:
        if sku.smallest:
            raise RequestError(
                f"{sku.name} is sold in steps of {sku.step} from {sku.smallest}.",
                pointer="/capacity",
            )
        raise RequestError(f"{sku.name} is sold in steps of {sku.step}.", pointer="/capacity")
    return capacity


def _require_quota(sku: OfferedSku, capacity: int, quota: Sequence[Quota] | None) -> None:
    if quota is None or sku.quota is None:
        return
    for one in quota:
        if one.name.lower() == sku.quota.lower() and capacity > one.left:
            raise QuotaInsufficient(
                f"{one.region} has {one.left:g} of {one.limit:g} left of {one.name}, and "
                f"{capacity} are asked for: ask for less, delete a deployment, or have the quota "
                "raised."
            )


def _content_filter(wanted: Wanted, content_filters: Sequence[str]) -> str:
    if wanted.content_filter is None:
        if CONTENT_FILTER in content_filters:
            return CONTENT_FILTER
        raise RequestError(
            f"The account has no content filter policy {CONTENT_FILTER}: name the one to use "
            "as content_filter.",
            pointer="/content_filter",
        )
    if wanted.content_filter not in content_filters:
        raise DeploymentRejected(
            f"The account has no content filter policy {wanted.content_filter}: write one of "
            f"{', '.join(sorted(content_filters))}."
        )
    return wanted.content_filter
