"""Names that lead elsewhere."""

from __future__ import annotations

from tests.posture.attacks.changes import (
    VNET,
    literal,
    record,
    zone,
)
from tests.posture.mutants import Change, added, put

NAMES: dict[str, tuple[str, Change]] = {
    "a zone of one host": ("NAMES-01", zone("cosmos-chat-qdf84.privatelink.documents.azure.com", {"name": "@", "records": ["10.66.6.6"]})),
    "a zone of one host without records": ("NAMES-01", zone("oai-chat-main-qdf84.privatelink.openai.azure.com")),
    "a zone of the public name": ("NAMES-01", zone("documents.azure.com", {"name": "cosmos-chat-qdf84", "records": ["10.66.6.6"]})),
    "a zone of a whole domain": ("NAMES-01", zone("azure.com")),
    "another record under a service's name": ("NAMES-01", record("privatelink.documents.azure.com", "cosmos-chat-qdf84", records=["10.66.6.6"])),
    "another record in other letters": ("NAMES-01", record("PRIVATELINK.documents.azure.com", "Cosmos-Chat-QDF84", records=["10.66.6.6"])),
    "an alias under a service's name": ("NAMES-01", record("privatelink.documents.azure.com", "cosmos-chat-qdf84", kind="cname", record="evil.example.com")),
    "an address of version 6 under a service's name": ("NAMES-01", record("privatelink.vaultcore.azure.net", "kv-chat-qdf84", kind="aaaa", records=["2001:db8::1"])),
    "a record for everybody else": ("NAMES-07", record("privatelink.documents.azure.com", "*", records=["10.66.6.6"])),
    "machines that register themselves": (
        "NAMES-03",
        put('module.network[0].azurerm_private_dns_zone_virtual_network_link.this["privatelink.documents.azure.com"]', "registration_enabled", True),
    ),
    "DNS servers of the application's own": ("NAMES-06", literal("WEBSITE_DNS_SERVER", "10.66.6.6")),
    "a ruleset that forwards names": (
        "NAMES-01 NAMES-06",
        added("azurerm_private_dns_resolver_virtual_network_link", id="/l", name="l", virtual_network_id=VNET.upper(), dns_forwarding_ruleset_id="/r"),
    ),
    "a proxy without a scheme": ("SIGNIN-04", literal("HTTPS_PROXY", "10.66.6.6:3128")),
    "telemetry to a stranger": (
        "NAMES-05",
        literal("APPLICATIONINSIGHTS_CONNECTION_STRING", "InstrumentationKey=12345678-1234-1234-1234-123456789012;IngestionEndpoint=https://westeurope-5.in.applicationinsights.azure.com/"),
    ),
    "prompts to somebody else's model": ("NAMES-05", literal("OPENAI_BASE_URL", "https://api.openai.com/v1")),
    "a service of Azure under a telling name": ("NAMES-05", literal("APPLICATIONINSIGHTS_EXPORT", "https://theirs.blob.core.windows.net/x")),
    "a host in a path": ("NAMES-05", literal("PROXY", "https://evil.example.com/cosmos-chat-qdf84.documents.azure.com")),
    "a zone in other letters": (
        "NAMES-02",
        put('module.network[0].azurerm_private_dns_zone.this["privatelink.documents.azure.com"]', "name", "PrivateLink.documents.azure.us"),
    ),
}  # fmt: skip
