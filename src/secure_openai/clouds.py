"""Azure's clouds: where each signs in, and what its services are called.

The facts stand in `tables/clouds.json`, which Terraform reads too.
"""

from __future__ import annotations

from dataclasses import dataclass

from secure_openai.tables import table
from secure_openai.types import JsonObject


@dataclass(frozen=True, slots=True)
class Cloud:
    """One of Azure's clouds.

    Attributes:
        name: `public` or `usgovernment`.
        authority: Where Entra ID signs in, without the tenant.
        blob_domain: Domain of storage accounts' blobs.
        cosmos_domain: Domain of Cosmos DB accounts.
        federation_audience: Audience of an assertion that a federated identity vouches with.
        graph: Origin of Microsoft Graph.
        model_domains: Domains of Azure OpenAI accounts.
        model_scope: Scope of tokens for Azure OpenAI.
        resource_manager: Origin of Azure Resource Manager.
        resource_manager_scope: Scope of tokens for it.
        telemetry_domain: Domain of Application Insights' ingestion.
        vault_domain: Domain of key vaults.
    """

    name: str
    authority: str
    federation_audience: str
    graph: str
    model_domains: tuple[str, ...]
    model_scope: str
    resource_manager: str
    resource_manager_scope: str
    telemetry_domain: str
    blob_domain: str
    cosmos_domain: str
    vault_domain: str


_PLAIN = (
    "authority",
    "federation_audience",
    "graph",
    "model_scope",
    "resource_manager",
    "resource_manager_scope",
    "telemetry_domain",
    "vault_domain",
)


def _domains(facts: JsonObject, service: str) -> tuple[str, ...]:
    return tuple(str(zone).removeprefix("privatelink.") for zone in facts["zones"][service])


CLOUDS = {
    name: Cloud(
        name=name,
        model_domains=_domains(facts, "model"),
        # A vault is asked at another domain than the one its private zone is named after.
        **{f"{service}_domain": _domains(facts, service)[0] for service in ("blob", "cosmos")},
        **{fact: facts[fact] for fact in _PLAIN},
    )
    for name, facts in table("clouds").items()
}
"""Every cloud by its name."""
