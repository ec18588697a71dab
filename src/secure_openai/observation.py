"""How things stand, for whoever collects metrics: where stores, models and observations meet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING

from secure_openai.deployments import Deployments
from secure_openai.errors import StartError
from secure_openai.model.interface import Model
from secure_openai.outbound import Outbound
from secure_openai.settings import ModelSource, Settings
from secure_openai.store.audit import AuditStore
from secure_openai.telemetry import names
from secure_openai.telemetry.gauges import Look, watched
from secure_openai.types import CircuitState, MemberHealth

if TYPE_CHECKING:
    from secure_openai.credential import Credential

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


def sending_observations(
    settings: Settings, credential: Credential | None, outbound: Outbound, *, log: bool = True
) -> AbstractAsyncContextManager[None]:
    """Return what sends observations to Azure Monitor, or nothing where the settings name no place.

    Args:
        settings: Where to, and how much.
        credential: How we prove ourselves.
        outbound: The way out.
        log: Whether the log is sent too; false where this process's host sends it.

    Raises:
        StartError: What sends is not installed.
    """
    if not settings.telemetry_connection_string:
        return nullcontext()
    try:
        # The SDK and the exporters are an extra, and cost what is not free.
        from secure_openai.monitoring import monitored  # noqa: PLC0415
    except ImportError:
        raise StartError(
            "What sends telemetry to Azure Monitor is not installed: install "
            "azure-secure-openai[azure]."
        ) from None
    assert credential is not None  # noqa: S101 - such settings use a credential
    return monitored(settings, credential, outbound, log=log)
