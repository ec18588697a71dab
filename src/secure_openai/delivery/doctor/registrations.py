"""Resource providers and features: whether the subscription has registered what is used.

Source: Azure Resource Manager, "Resource providers and types"; "Set up preview features".
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from http import HTTPStatus
from typing import Final

from secure_openai.delivery.doctor.answer import Answer, Check, Outcome, Question
from secure_openai.delivery.doctor.needs import Feature, Needs
from secure_openai.delivery.doctor.resource_manager import ResourceManager

PROVIDERS: Final = "2021-04-01"
FEATURES: Final = "2021-07-01"
REGISTERED: Final = "registered"


def questions(needs: Needs, subscription: str) -> Iterator[Question]:
    """Yield what to ask."""
    at = f"/subscriptions/{subscription}"
    for namespace in needs.providers:
        yield Question(Check.PROVIDER, namespace, partial(_provider, at, namespace))
    for feature in needs.features:
        yield Question(Check.FEATURE, feature.name, partial(_feature, at, feature))


async def _provider(at: str, namespace: str, manager: ResourceManager) -> tuple[Answer, ...]:
    state = ""
    for one in await manager.every(f"{at}/providers", PROVIDERS):
        if str(one.get("namespace", "")).lower() == namespace.lower():
            state = str(one.get("registrationState", ""))
    if state.lower() == REGISTERED:
        return (Answer(Check.PROVIDER, namespace, Outcome.FINE, "it is registered"),)
    return (
        Answer(
            Check.PROVIDER,
            namespace,
            Outcome.FINDING,
            f"it is {state or 'unknown to the subscription'}: Azure makes nothing of it yet",
            f"az provider register --namespace {namespace} --wait",
        ),
    )


async def _feature(at: str, feature: Feature, manager: ResourceManager) -> tuple[Answer, ...]:
    reply = await manager.reply(
        f"{at}/providers/Microsoft.Features/providers/{feature.namespace}/features/{feature.name}",
        FEATURES,
    )
    if reply.status not in {HTTPStatus.OK, HTTPStatus.NOT_FOUND}:
        raise reply.refusal()
    state = str((reply.body.get("properties") or {}).get("state", "NotRegistered"))
    if state.lower() == REGISTERED:
        return (Answer(Check.FEATURE, feature.name, Outcome.FINE, "it is registered"),)
    return (
        Answer(
            Check.FEATURE,
            feature.name,
            Outcome.FINDING,
            f"it is {state}, and {feature.why}; registering takes up to an hour",
            f"az feature register --namespace {feature.namespace} --name {feature.name}",
        ),
    )
