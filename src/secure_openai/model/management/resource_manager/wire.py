"""Azure Resource Manager's shapes, and ours."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from datetime import date

from azure.mgmt.cognitiveservices import models as wire

from secure_openai.model.management.checks import retirement_of
from secure_openai.model.management.interface import (
    ManagedDeployment,
    OfferedModel,
    OfferedSku,
    Quota,
    Wanted,
)


def offered(model: wire.AccountModel) -> OfferedModel:
    """Return a model as a region offers it."""
    name, version = str(model.name), str(model.version)
    replacement = model.replacement_config
    instead = replacement.target_model_name if replacement is not None else None
    said = _date(model.deprecation.inference) if model.deprecation is not None else None
    return OfferedModel(
        name=name,
        version=version,
        format=str(model.format or ""),
        stage=str(model.lifecycle_status or ""),
        default=bool(model.is_default_version),
        retirement=retirement_of(name, version, said, instead if instead != name else None),
        skus=tuple(_sold(one) for one in model.skus or () if one.name),
    )


def _sold(sku: wire.ModelSku) -> OfferedSku:
    capacity = sku.capacity
    return OfferedSku(
        name=str(sku.name),
        quota=sku.usage_name,
        default=capacity.default if capacity else None,
        smallest=capacity.minimum if capacity else None,
        largest=capacity.maximum if capacity else None,
        step=capacity.step if capacity else None,
        allowed=tuple(capacity.allowed_values or ()) if capacity else (),
        ends=sku.deprecation_date.date() if sku.deprecation_date else None,
    )


def _date(text: str | None) -> date | None:
    try:
        return date.fromisoformat((text or "")[:10])
    except ValueError:
        return None


def managed(account: str, deployment: wire.Deployment) -> ManagedDeployment:
    """Return a deployment as it stands."""
    properties, sku = deployment.properties, deployment.sku
    model = properties.model if properties is not None else None
    changed = deployment.system_data.last_modified_at if deployment.system_data else None
    facts = ManagedDeployment(
        account=account,
        name=str(deployment.name),
        model=str((model.name if model else None) or ""),
        version=str((model.version if model else None) or ""),
        sku=str((sku.name if sku else None) or ""),
        capacity=sku.capacity if sku else None,
        state=str((properties.provisioning_state if properties else None) or ""),
        content_filter=properties.rai_policy_name if properties else None,
        upgrade=properties.version_upgrade_option if properties else None,
        etag="",
    )
    # Azure's own etag is not in every answer, so everything that may change counts.
    seen = [deployment.id, deployment.etag, str(changed), asdict(facts)]
    digest = hashlib.sha256(json.dumps(seen).encode()).hexdigest()
    return replace(facts, etag=digest[:32])


def body(wanted: Wanted) -> wire.Deployment:
    """Return what is sent to create a deployment whose parts are all chosen."""
    return wire.Deployment(
        sku=wire.Sku(name=str(wanted.sku), capacity=wanted.capacity),
        properties=wire.DeploymentProperties(
            model=wire.DeploymentModel(format="OpenAI", name=wanted.model, version=wanted.version),
            rai_policy_name=wanted.content_filter,
            # A version changes when someone decides so, as in infra/modules/model/deployments.tf.
            version_upgrade_option="NoAutoUpgrade",
        ),
    )


def quotas(region: str, usages: list[wire.Usage]) -> list[Quota]:
    """Return a region's quota, by name; what has no limit is none."""
    return sorted(
        (
            Quota(region, one.name.value, float(one.current_value or 0), float(one.limit))
            for one in usages
            if one.name is not None and one.name.value and one.limit is not None
        ),
        key=lambda one: one.name,
    )
