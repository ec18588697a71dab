"""Models and their deployments as JSON: as the API and the command line show them."""

from __future__ import annotations

from dataclasses import asdict

from secure_openai.model.management.interface import (
    ManagedDeployment,
    OfferedModel,
    Progress,
    Quota,
)
from secure_openai.types import JsonObject


def model_json(model: OfferedModel) -> JsonObject:
    """Return a model."""
    retirement = model.retirement
    return {
        "name": model.name,
        "version": model.version,
        "format": model.format,
        "stage": model.stage,
        "default": model.default,
        "retires": None
        if retirement is None
        else {
            "on": retirement.on.isoformat(),
            "source": retirement.source.value,
            "instead": retirement.instead,
        },
        "skus": [
            {
                "name": one.name,
                "quota": one.quota,
                "capacity": {
                    "default": one.default,
                    "smallest": one.smallest,
                    "largest": one.largest,
                    "step": one.step,
                    "allowed": list(one.allowed),
                },
                "ends": one.ends.isoformat() if one.ends else None,
            }
            for one in model.skus
        ],
    }


def quota_json(quota: Quota) -> JsonObject:
    """Return a quota."""
    return {**asdict(quota), "left": quota.left}


def deployment_json(deployment: ManagedDeployment) -> JsonObject:
    """Return a deployment."""
    return asdict(deployment)


def progress_json(progress: Progress) -> JsonObject:
    """Return how an operation stands,."""
    return {
        "kind": progress.kind.value,
        "account": progress.account,
        "name": progress.name,
        "state": progress.state.value,
        "detail": progress.detail,
    }
