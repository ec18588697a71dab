"""What is checked of a deployment before anything is sent."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from secure_openai.errors import (
    DeploymentRejected,
    QuotaInsufficient,
    RequestError,
    SecureOpenAIError,
)
from secure_openai.model.management.checks import resolved, retirement_of
from secure_openai.model.management.interface import (
    OfferedModel,
    OfferedSku,
    Quota,
    Retirement,
    Source,
    Wanted,
)

TODAY = date(2026, 9, 1)
ZONE = OfferedSku("DataZoneStandard", "OpenAI.DataZoneStandard.m", 10, 1, 500, 1)
MODELS = [
    OfferedModel("m", "2", default=True, skus=(OfferedSku("GlobalStandard", default=10), ZONE)),
    OfferedModel("m", "3", skus=(ZONE,)),
    OfferedModel("m", "1", retirement=Retirement(TODAY, Source.SERVICE, "n"), skus=(ZONE,)),
    OfferedModel("no-default", "1", skus=(OfferedSku("Standard", default=None),)),
    OfferedModel("no-default", "2", skus=(OfferedSku("Standard", default=5),)),
    OfferedModel("global", "1", skus=(OfferedSku("GlobalStandard"),)),
    OfferedModel("unsold", "1", skus=(OfferedSku("Standard", ends=TODAY),)),
    OfferedModel("dead", "1", stage="Deprecated", skus=(ZONE,)),
    OfferedModel("legacy", "1", stage="Legacy", skus=(ZONE,)),
    OfferedModel(
        "provisioned",
        "1",
        skus=(
            OfferedSku("ProvisionedManaged", default=15, smallest=15, largest=100, step=5),
            OfferedSku("GlobalBatch", allowed=(50, 100)),
        ),
    ),
]
QUOTA = [Quota("north", "openai.datazonestandard.M", 60.0, 100.0)]
FILTERS = ["Microsoft.DefaultV2", "secure-openai"]


def chosen(quota: list[Quota] | None = QUOTA, filters: list[str] = FILTERS, **asked: Any) -> Wanted:
    """Return what is made of a wish."""
    return resolved(
        Wanted(account="a", name="x", **asked),
        models=MODELS,
        quota=quota,
        content_filters=filters,
        today=TODAY,
    )


REFUSED: dict[str, tuple[dict[str, Any], type[SecureOpenAIError], str]] = {
    "not offered": ({"model": "nothing"}, DeploymentRejected, "does not offer the model nothing"),
    "misspelt": ({"model": "globall"}, DeploymentRejected, "Did you mean global?"),
    "known to be retired": (
        {"model": "o1-preview"},
        DeploymentRejected,
        "retired o1-preview 2024-09-12 on 2025-07-28: deploy gpt-5.1 instead",
    ),
    "version": ({"model": "m", "version": "9"}, DeploymentRejected, "write one of 1, 2, 3"),
    "retired today": (
        {"model": "m", "version": "1"},
        DeploymentRejected,
        "retired m 1 on 2026-09-01: deploy n instead",
    ),
    "retired by its stage": (
        {"model": "dead"},
        DeploymentRejected,
        "retired dead 1: deploy another",
    ),
    "sold nowhere": ({"model": "unsold"}, DeploymentRejected, "not sold in this region"),
    "SKU": ({"model": "m", "sku": "Standard"}, DeploymentRejected, "GlobalStandard, DataZone"),
    "SKU to be named": ({"model": "global"}, RequestError, "GlobalStandard only"),
    "no capacity": ({"model": "no-default", "version": "1"}, RequestError, "how much capacity"),
    "over the largest": ({"model": "m", "capacity": 501}, RequestError, "ends at capacity 500"),
    "under the smallest": (
        {"model": "provisioned", "sku": "ProvisionedManaged", "capacity": 14},
        RequestError,
        "begins at capacity 15",
    ),
    "between the steps": (
        {"model": "provisioned", "sku": "ProvisionedManaged", "capacity": 17},
        RequestError,
        "steps of 5 from 15",
    ),
    "none of those allowed": (
        {"model": "provisioned", "sku": "GlobalBatch", "capacity": 60},
        RequestError,
        "capacity 50, 100",
    ),
    "over the quota": ({"model": "m", "capacity": 41}, QuotaInsufficient, "40 of 100 left"),
    "content filter": (
        {"model": "m", "content_filter": "mine"},
        DeploymentRejected,
        "write one of Microsoft.DefaultV2, secure-openai",
    ),
    "a filter that is not there": ({"model": "m", "filters": ["x"]}, RequestError, "name the one"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused_in_a_sentence(name: str) -> None:
    """Each says what is wrong and what to write instead."""
    asked, kind, said = REFUSED[name]
    with pytest.raises(SecureOpenAIError) as caught:
        chosen(**asked)

    assert type(caught.value) is kind
    assert said in caught.value.detail


def test_what_is_left_open_is_chosen() -> None:
    """Azure's default version, the SKU that stays in the data zone, its capacity, our filter."""
    assert chosen(model="m") == Wanted("a", "x", "m", "2", "DataZoneStandard", 10, "secure-openai")
    assert chosen(model="no-default").version == "2"
    assert chosen(model="no-default").sku == "Standard"
    assert chosen(model="legacy").version == "1"


def test_what_is_named_is_taken() -> None:
    """Every part can be said, up to the very last of the quota."""
    wanted = chosen(
        model="m", version="3", sku="DataZoneStandard", capacity=40, content_filter=FILTERS[0]
    )

    assert wanted == Wanted("a", "x", "m", "3", "DataZoneStandard", 40, "Microsoft.DefaultV2")
    assert chosen(model="provisioned", sku="ProvisionedManaged", capacity=20).capacity == 20
    assert chosen(model="provisioned", sku="GlobalBatch", capacity=100).capacity == 100


def test_an_unknown_quota_stops_nobody() -> None:
    """Where quota may not be read, and where a SKU has none, Azure alone says."""
    assert chosen(quota=None, model="m", capacity=500).capacity == 500
    assert chosen(quota=[], model="m", capacity=500).capacity == 500


def test_retirements_say_who_says_so() -> None:
    """Azure's day before the table's, its successor too; another version is another matter."""
    said = date(2030, 1, 2)

    assert retirement_of("gpt-5.1", "2025-11-13", said, None) == Retirement(
        said, Source.SERVICE, "gpt-5.5"
    )
    assert retirement_of("gpt-5.1", "2025-11-13", None, "gpt-6") == Retirement(
        date(2027, 5, 15), Source.TABLE, "gpt-6"
    )
    assert retirement_of("gpt-5.1", "2031-01-01", None, None) is None
    assert retirement_of("gpt-5.1", "2031-01-01", said, None) == Retirement(
        said, Source.SERVICE, None
    )
