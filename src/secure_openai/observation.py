"""How things stand, for whoever collects metrics: where stores, models and observations meet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from secure_openai.deployments import Deployments
from secure_openai.model.interface import Model
from secure_openai.settings import ModelSource
from secure_openai.store.audit import AuditStore
from secure_openai.telemetry import names
from secure_openai.telemetry.gauges import Look, watched
from secure_openai.types import CircuitState, MemberHealth

PROVIDERS = {
    ModelSource.AZURE: "azure.ai.openai",
    ModelSource.URL: "openai_compatible",
    ModelSource.SCRIPTED: "scripted",
}
"""What observations call who answers (`gen_ai.provider.name`)."""


@contextmanager
def gauged(audit: AuditStore, model: Model, deployments: Deployments) -> Iterator[None]:
    """Let whoever collects metrics look at how things stand, until the block is left."""

    def pool(value: Callable[[MemberHealth], float]) -> Look:
        return lambda: [
            (value(one), {names.MEMBER.name: one.member, names.DEPLOYMENT.name: one.deployment})
            for one in model.health()
        ]

    with ExitStack() as stack:
        for metric, look in (
            (names.AUDIT_QUEUED, lambda: [(float(audit.queued), {})]),
            (names.POOL_ASKED, pool(lambda one: float(one.state is CircuitState.CLOSED))),
            (names.POOL_UNDER_WAY, pool(lambda one: float(one.under_way))),
            (
                names.QUOTA_LEFT,
                lambda: [
                    (one.left, {names.REGION.name: one.region, names.QUOTA.name: one.name})
                    for one in deployments.quota
                ],
            ),
        ):
            stack.enter_context(watched(metric, look))
        yield
