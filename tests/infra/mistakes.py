"""What people write wrongly, each with the sentence that they get instead of a plan."""

from __future__ import annotations

from typing import Any, Final

from tests.infra.test_variants import (
    CLIENT_IDS,
    CUSTOMER_KEY,
    EDGE,
    ENTRA,
    GROUP,
    KEY,
    ROUTES,
    RUNNER,
    SUBSCRIPTION,
    VAULT,
)

Mistake = tuple[str, dict[str, Any], str]
"""What is wrong, the estate's variables that are, and a part of the sentence."""

ONE = {"main": {"location": "swedencentral", "deployments": {"chat": {"model": "gpt-5.1"}}}}
SUBNETS = {
    name: f"{SUBSCRIPTION}/resourceGroups/rg-hub/providers/Microsoft.Network/virtualNetworks/v/"
    f"subnets/{name}"
    for name in ("applications", "endpoints", "gateway")
}
EXISTING = {"existing": {"subnet_ids": SUBNETS}, "zones_by_policy": True}
JUMP = {"administrators": [GROUP], "ssh_public_key": KEY}


def model(name: str, **more: Any) -> dict[str, Any]:
    """Return accounts with one deployment of a model."""
    return {"main": {"location": "swedencentral", "deployments": {"chat": {"model": name, **more}}}}


def jump(**more: Any) -> dict[str, Any]:
    """Return a jump machine behind Bastion, with something wrong about it."""
    return {"operations": {"bastion": {}, "jump_machine": {**JUMP, **more}}}


def runner(**more: Any) -> dict[str, Any]:
    """Return a runner machine behind Bastion, with something wrong about it."""
    return {"operations": {"bastion": {}, "runner": {"machine": {**RUNNER, **more}}}}


def trial(*addresses: str) -> dict[str, Any]:
    """Return a trial that is open to some addresses."""
    return {"public_network_access_enabled": True, "address_allow_list": list(addresses)}


REFUSED: Final[dict[str, list[Mistake]]] = {
    "": [
        ("a prefix too long", {"prefix": "a-very-long-prefix"}, "2 to 12 lower-case letters"),
        ("a prefix with capitals", {"prefix": "Chat"}, "2 to 12 lower-case letters"),
        (
            "open to nobody",
            {"public_network_access_enabled": True},
            "name the addresses that may come in",
        ),
        (
            "open to everybody",
            {"public_network_access_enabled": True, "address_allow_list": ["0.0.0.0/0"]},
            "the whole Internet is not an allow-list",
        ),
        (
            "open to every customer of Azure",
            trial("0.0.0.0/32"),
            "Cosmos DB takes 0.0.0.0 for every customer of Azure",
        ),
        (
            "closed with an allow-list",
            {"address_allow_list": ["203.0.113.7/32"]},
            "leave the list empty",
        ),
        (
            "a certificate by version",
            {
                "edge": {
                    "certificate": {"secret_id": "https://v/secrets/c/0123", "vault_id": VAULT},
                    "host_name": "chat.contoso.com",
                }
            },
            "versionless secret id",
        ),
        (
            "a monitor scope by name",
            {"network": {"private_link_scope_id": "ampls-hub"}},
            "Write the id of an Azure Monitor private link scope",
        ),
        ("nobody to tell", {"contacts": {}}, "Name at least one person to tell"),
        ("a plan too small", {"plan": {"sku": "B1"}}, "Premium v3 or v4"),
        ("half a worker", {"plan": {"workers": 2.5}}, "at least 2 workers"),
        ("one worker", {"plan": {"workers": 1}}, "at least 2 workers"),
        ("a cloud that has no OpenAI", {"cloud": "china"}, "The cloud is public or usgovernment"),
        (
            "GitHub's runner in Government",
            {
                "cloud": "usgovernment",
                "operations": {"runner": {"github_hosted": {"organization_id": "1"}}},
            },
            "GitHub-hosted runners reach no network in this cloud",
        ),
        (
            "a role by name",
            {"deployment_manager_role_id": "Secure OpenAI Deployment Manager"},
            "a role's id, not its name",
        ),
        ("an appearance elsewhere", {"appearance_file": "../appearance.toml"}, "from its root"),
        ("a policy on this machine", {"policy_file": "/etc/policy.toml"}, "from their root"),
        ("owners by name", {"application_owners": ["pipeline"]}, "Owners are object ids, GUIDs"),
        (
            "an application for no slot",
            {"entra": {**ENTRA, "client_ids": {**CLIENT_IDS, "qa": GROUP}}},
            "client ids are named production and staging",
        ),
        ("logs for a week", {"log_retention_days": 7}, "30 to 730 days"),
        ("an address with host bits", trial("203.0.113.7/24"), "write 203.0.113.0/24 instead of"),
        ("two addresses at once", trial("203.0.113.6/31"), "write its two addresses with /32"),
        (
            "a private address",
            trial("192.168.0.0/24"),
            "Nobody comes from the Internet with a private",
        ),
        ("an address of version 6", trial("2001:db8::/32"), "an IPv4 range of /8 or smaller"),
        (
            "a tag that declares a door",
            {"tags": {"public-door": "x"}},
            "a door that does not exist",
        ),
    ],
    "inputs": [
        (
            "a runner without an organisation",
            {"operations": {"runner": {"github_hosted": {}}}},
            "needs organization_id",
        ),
        (
            "a runner machine without an organisation",
            {
                "operations": {
                    "runner": {
                        "machine": {
                            "package_sha256": "0",
                            "package_version": "1",
                            "ssh_public_key": KEY,
                        }
                    }
                }
            },
            "needs organization, the GitHub organisation",
        ),
        ("a runner of neither kind", {"operations": {"runner": {}}}, "write one of the two"),
        (
            "a key without its identity",
            {"customer_managed_key": {"key_id": CUSTOMER_KEY["key_id"]}},
            "needs key_id, identity_id and identity_client_id",
        ),
        (
            "an edge before a public estate",
            {
                "public_network_access_enabled": True,
                "address_allow_list": ["203.0.113.7/32"],
                "edge": {
                    "certificate": {"secret_id": "https://v/secrets/c", "vault_id": VAULT},
                    "host_name": "chat.contoso.com",
                },
            },
            "The edge stands in front of a private estate",
        ),
        (
            "an existing network without zones",
            {"network": {"existing": {"subnet_ids": SUBNETS}}},
            "needs central_zone_ids, or zones_by_policy = true",
        ),
        (
            "an existing network without the gateway's subnet",
            {
                "network": {
                    "existing": {"subnet_ids": {"applications": "a", "endpoints": "b"}},
                    "zones_by_policy": True,
                },
                "operations": {"bastion": {}},
            },
            "needs the ids of these subnets: applications, bastion, endpoints",
        ),
        (
            "an existing network by name",
            {"network": {"existing": {"subnet_ids": {"applications": "a", "endpoints": "b"}}}},
            "network.existing.subnet_ids are resource ids: /subscriptions/",
        ),
        (
            "rules for a network that is somebody else's",
            {"network": {**EXISTING, "user_address_prefixes": ["192.168.0.0/16"]}},
            "in an existing one its owner decides them, so leave them out",
        ),
        (
            "zones from two sides",
            {"network": {"zones_by_policy": True, "central_zone_ids": {}}},
            "write one of the two",
        ),
        (
            "a zone under another's name",
            {
                "network": {
                    "central_zone_ids": {
                        "privatelink.vaultcore.azure.net": f"{SUBSCRIPTION}/resourceGroups/rg/"
                        "providers/Microsoft.Network/privateDnsZones/privatelink.openai.azure.com"
                    }
                }
            },
            "the id of the zone that it is named after",
        ),
        ("no tenant", {"entra": {**ENTRA, "tenant_id": "contoso"}}, "tenant_id is a GUID"),
        (
            "a jump machine that nobody reaches",
            {"operations": {"jump_machine": JUMP}},
            "reached through Bastion only, also to register the runner",
        ),
        (
            "a runner machine that nobody can register",
            {"operations": {"runner": {"machine": RUNNER}}},
            "reached through Bastion only, also to register the runner",
        ),
        (
            "a command for an organisation",
            runner(organization='contoso"; reboot; "'),
            "as it stands in github.com/ORGANIZATION",
        ),
        (
            "a public edge that lets nobody in",
            {"edge": {**EDGE, "public_address": True}},
            "lets nobody in until source_prefixes says whom",
        ),
        (
            "a private edge for the Internet",
            {"edge": {**EDGE, "source_prefixes": ["Internet"]}},
            "Nobody comes from the Internet to an edge without a public address",
        ),
        (
            "an edge by address",
            {"edge": {**EDGE, "host_name": "https://chat.contoso.com"}},
            "without https:// and without a path",
        ),
        (
            "a certificate's vault by name",
            {"edge": {**EDGE, "certificate": {**EDGE["certificate"], "vault_id": "kv-c"}}},
            "certificate.vault_id is a resource id",
        ),
        (
            "an edge without an address in an existing network",
            {"edge": EDGE, "network": EXISTING},
            "needs private_address, a free address of the gateway's subnet",
        ),
        (
            "a key by version",
            {"customer_managed_key": {**CUSTOMER_KEY, "key_id": f"{CUSTOMER_KEY['key_id']}/0123"}},
            "key_id is the key's id without a version",
        ),
        (
            "a key's identity by name",
            {"customer_managed_key": {**CUSTOMER_KEY, "identity_id": "id-chat-key"}},
            "providers/Microsoft.ManagedIdentity/userAssignedIdentities/NAME",
        ),
        (
            "a key's identity by another id",
            {"customer_managed_key": {**CUSTOMER_KEY, "identity_client_id": "id-chat-key"}},
            "identity_client_id is a GUID",
        ),
        (
            "groups by name",
            {"entra": {**ENTRA, "role_members": {"user": ["everybody"]}}},
            "entra.role_members are object ids of groups, GUIDs in lower case, not names",
        ),
        (
            "applications by name",
            {"entra": {**ENTRA, "client_ids": {"production": "chat", "staging": "chat-staging"}}},
            "entra.client_ids are client ids, GUIDs in lower case, not names",
        ),
        (
            "one application for two slots",
            {"entra": {**ENTRA, "client_ids": dict.fromkeys(CLIENT_IDS, GROUP)}},
            "Each slot has an Entra application of its own",
        ),
        (
            "groups for somebody else's applications",
            {"entra": {**ENTRA, "client_ids": CLIENT_IDS, "role_members": {"user": [GROUP]}}},
            "Whoever made the Entra applications assigns groups to them",
        ),
        ("nobody to ask", {"entra": {**ENTRA, "contact": ""}}, "entra.contact is one line"),
    ],
    "network": [
        ("address space too small", {"network": {"address_space": "10.0.0.0/24"}}, "10.20.0.0/22"),
        ("address space is not one", {"network": {"address_space": "10.0.0"}}, "10.20.0.0/22"),
        (
            "overlapping overrides",
            {
                "network": {
                    "subnet_overrides": {
                        "endpoints": "10.20.3.0/25",
                        "applications": "10.20.3.64/26",
                    }
                }
            },
            "Subnets overlap: applications (10.20.3.64/26) and endpoints (10.20.3.0/25)",
        ),
        (
            "an override that overlaps a derived subnet",
            {"network": {"subnet_overrides": {"runner": "10.20.0.0/26"}}},
            "endpoints (10.20.0.0/25) and runner (10.20.0.0/26)",
        ),
        (
            "an override outside the address space",
            {"network": {"subnet_overrides": {"runner": "10.21.0.0/27"}}},
            "Outside the address space 10.20.0.0/22: runner (10.21.0.0/27)",
        ),
        (
            "an override of a subnet that does not exist",
            {"network": {"subnet_overrides": {"databases": "10.20.3.0/27"}}},
            "write administration, applications, bastion, endpoints",
        ),
        (
            "an address space with host bits",
            {"network": {"address_space": "10.20.1.0/22"}},
            "write 10.20.0.0/22 instead of 10.20.1.0/22",
        ),
        (
            "an address space of the Internet",
            {"network": {"address_space": "52.0.0.0/16"}},
            "The address space is a private one",
        ),
        (
            "an override with host bits",
            {"network": {"subnet_overrides": {"runner": "10.20.3.33/27"}}},
            "named after its first address, such as 10.20.1.0/26",
        ),
        (
            "an override that Bastion refuses",
            {"network": {"subnet_overrides": {"bastion": "10.20.3.0/27"}}},
            "Azure wants /26 or larger for bastion",
        ),
        (
            "an override too small for anything",
            {"network": {"subnet_overrides": {"runner": "10.20.3.0/29"}}},
            "no subnet of the estate is smaller than /28",
        ),
        (
            "users who are everybody",
            {"network": {"user_address_prefixes": ["0.0.0.0/0"]}},
            "no tag, and not everybody",
        ),
        (
            "administrators who are everybody",
            {"network": {"administrator_address_prefixes": ["0.0.0.0/0"]}},
            "administrator_address_prefixes are IPv4 ranges of your own networks",
        ),
        (
            "users by a tag",
            {"network": {"user_address_prefixes": ["Internet"]}},
            "no tag, and not everybody",
        ),
        (
            "a DNS server by name",
            {"network": {"dns_servers": ["dns.contoso.com"]}},
            "addresses without a length, such as 10.0.0.4",
        ),
        (
            "a route table by name",
            {"network": {"egress_route_table_id": "out"}},
            "providers/Microsoft.Network/routeTables/NAME",
        ),
        (
            "a Bastion for a tag that is none",
            {"operations": {"bastion": {"public_address": True, "source_prefixes": ["*"]}}},
            "or Internet for everybody",
        ),
        (
            "an edge for a tag that is none",
            {"edge": {**EDGE, "source_prefixes": ["*"]}},
            "VirtualNetwork for your own networks",
        ),
        (
            "a route where its table belongs",
            {"network": {"egress_route_table_id": f"{ROUTES}/routes/one"}},
            "egress_route_table_id is a resource id",
        ),
    ],
    "operations": [
        (
            "a Bastion that nobody reaches",
            {"operations": {"bastion": {"sku": "Standard"}}},
            "Bastion without a public address is a Premium one",
        ),
        (
            "a public Bastion that lets nobody in",
            {"operations": {"bastion": {"public_address": True}}},
            "write public_address = true and source_prefixes together",
        ),
        (
            "a private Bastion for people outside",
            {"operations": {"bastion": {"source_prefixes": ["Internet"]}}},
            "write public_address = true and source_prefixes together",
        ),
        ("administrators by name", jump(administrators=["admins"]), "object ids of groups, GUIDs"),
        ("no administrators", jump(administrators=[]), "object ids of groups, GUIDs"),
        (
            "a private key",
            jump(ssh_public_key="-----BEGIN"),
            "the content of a .pub file on one line",
        ),
        ("a size that is none", jump(size="D2s_v5"), "such as Standard_D2s_v5"),
        ("an hour with a colon", jump(shutdown_at="19:00"), "without a colon, such as 1900"),
        ("a command for a group", runner(group="$(reboot)"), "the name of a runner group"),
        (
            "a checksum that is none",
            runner(package_sha256="abc"),
            "64 lower-case hexadecimal digits",
        ),
        ("a version with a v", runner(package_version="v2.330.0"), "without a v, such as 2.330.0"),
        ("a runner's size that is none", runner(size="large"), "such as Standard_D2s_v5"),
        ("a runner's private key", runner(ssh_public_key="x"), "the content of a .pub file"),
    ],
    "model": [
        (
            "an account's name too long",
            {"model_accounts": {"a" * 17: ONE["main"]}},
            "up to 16 lower-case letters and digits",
        ),
        (
            "a retired model",
            {"model_accounts": model("gpt-4.5-preview")},
            "Azure has retired gpt-4.5-preview (on 2025-07-14): write gpt-5.1 instead",
        ),
        ("a model nobody knows", {"model_accounts": model("gpt-9")}, "not in the table of models"),
        ("no deployment", {"model_accounts": {}}, "There must be an account"),
        ("a filter nobody knows", {"content_filter": {"severity": "Safe"}}, "Low, Medium or High"),
        ("half a token", {"model_accounts": model("gpt-5.1", capacity=0.5)}, "a whole number"),
        (
            "a sku nobody knows",
            {"model_accounts": model("gpt-5.1", sku="Global")},
            "DataZoneStandard",
        ),
        (
            "a region of a model in words",
            {"model_accounts": {"main": {**ONE["main"], "location": "Sweden Central"}}},
            "The region of a model account is written in lower case",
        ),
        (
            "a turn before the first",
            {"model_accounts": {"main": {**ONE["main"], "priority": 0}}},
            "a whole number from 1 on",
        ),
        (
            "a deployment with a space",
            {
                "model_accounts": {
                    "main": {**ONE["main"], "deployments": {"a b": {"model": "gpt-5.1"}}}
                }
            },
            "A deployment's name is 2 to 64 letters",
        ),
    ],
    "store": [
        (
            "too little throughput",
            {"cosmos": {"throughput": {"production": 500}}},
            "cosmos.throughput is a multiple of 1000",
        ),
        (
            "throughput between two steps",
            {"cosmos": {"throughput": {"staging": 1500}}},
            "cosmos.throughput is a multiple of 1000",
        ),
        (
            "a failover to where it is",
            {"cosmos": {"failover_locations": ["swedencentral"]}},
            "leave out swedencentral, where Cosmos DB is already",
        ),
        ("seals for a day", {"seals": {"retention_days": 1}}, "from 30 to 146000"),
    ],
}
"""By the module that refuses them; none for the estate itself, or for how it calls a module."""

MISSPELT: Final[list[Mistake]] = [
    (
        "misspelt: a firewall",
        {"network": {"egress_rout_table_id": ROUTES}},
        "network.egress_rout_table_id does not exist: network takes address_space",
    ),
    (
        "misspelt: an existing network's region",
        {"network": {"existing": {"locaton": "x", "subnet_ids": SUBNETS}, "zones_by_policy": True}},
        "network.existing.locaton does not exist: network.existing takes location, subnet_ids",
    ),
    (
        "misspelt: a lock",
        {"seals": {"lockd": True}},
        "seals.lockd does not exist: seals takes locked, retention_days",
    ),
    (
        "misspelt: a slot",
        {"cosmos": {"throughput": {"prod": 8000}}},
        "cosmos.throughput.prod does not exist: cosmos.throughput takes production, staging",
    ),
    (
        "misspelt: a role",
        {"entra": {**ENTRA, "role_members": {"admins": [GROUP]}}},
        "entra.role_members.admins does not exist: entra.role_members takes admin, user",
    ),
    (
        "misspelt: a door",
        {"operations": {"bastion": {"public_adress": True}}},
        "operations.bastion.public_adress does not exist",
    ),
    (
        "misspelt: a machine's size",
        runner(siz="Standard_D4s_v5"),
        "operations.runner.machine.siz does not exist: operations.runner.machine takes group",
    ),
    (
        "misspelt: who may come to the edge",
        {"edge": {**EDGE, "source_prefix": ["192.168.0.0/16"]}},
        "edge.source_prefix does not exist",
    ),
    (
        "misspelt: a deployment's version, in a name with a point",
        {
            "model_accounts": {
                "main": {
                    **ONE["main"],
                    "deployments": {"gpt-5.1": {"model": "gpt-5.1", "verson": "2025-11-13"}},
                }
            }
        },
        "model_accounts.main.deployments.gpt-5.1.verson does not exist",
    ),
    (
        "misspelt: a turn",
        {"model_accounts": {"main": {**ONE["main"], "prio": 2}}},
        "model_accounts.main.prio",
    ),
    (
        "misspelt: a filter",
        {"content_filter": {"severty": "High"}},
        "content_filter takes severity",
    ),
    (
        "misspelt: workers",
        {"plan": {"worker": 3}},
        "plan.worker does not exist: plan takes sku, workers",
    ),
    (
        "misspelt: a key",
        {"customer_managed_key": {**CUSTOMER_KEY, "key_version": "1"}},
        "customer_managed_key.key_version does not exist",
    ),
]
"""Nothing of what is written may get lost on the way."""

BOOTSTRAP: Final[list[Mistake]] = [
    ("a repository with a wildcard", {"repository": "contoso/*"}, "without wildcards"),
    (
        "a budget from the middle of a month",
        {"budget": {"monthly": 1, "start_date": "2026-12-24"}},
        "first of a month",
    ),
    (
        "a budget of nothing",
        {"budget": {"monthly": 0, "start_date": "2026-12-01T00:00:00Z"}},
        "more than nothing",
    ),
    (
        "a lock on a model account",
        {
            "estate": {
                "lock_ids": {
                    "model": "/subscriptions/0/resourceGroups/r/providers/"
                    "Microsoft.CognitiveServices/accounts/a"
                }
            }
        },
        "never locked",
    ),
    (
        "a lock by name",
        {"estate": {"lock_ids": {"vault": "kv-chat"}}},
        "named by its id, /subscriptions/",
    ),
    (
        "a reader by name",
        {"estate": {"package_readers": {"web-production": "web"}}},
        "by principal id, a GUID",
    ),
    (
        "GitHub's network in Government",
        {"cloud": "usgovernment", "github_network": True},
        "public cloud only",
    ),
    ("a contact that is none", {"contact": "nobody"}, "one email address"),
    (
        "a Defender plan nobody knows",
        {"defender_plans": ["Everything"]},
        "There is no Defender plan Everything",
    ),
    ("a region in words", {"location": "Sweden Central"}, "lower case without spaces"),
    (
        "a workspace by name",
        {"log_workspace_id": "log-security"},
        "log_workspace_id is a resource id",
    ),
    ("a tenant by name", {"tenant_id": "contoso.com"}, "az account show --query tenantId"),
    ("operators by name", {"operators": ["owners"]}, "operators are object ids of groups"),
    ("a subscription by name", {"subscription_id": "chat"}, "az account show --query id"),
    ("a tag that declares a door", {"tags": {"public-door": "x"}}, "choose other names"),
    (
        "a misspelt time to renew",
        {"customer_managed_key": {"rotate_afer": "P1M"}},
        "it takes rotate_after",
    ),
    (
        "a key renewed every week",
        {"customer_managed_key": {"rotate_after": "P7D"}},
        "at least 28 days",
    ),
    ("state that nobody reaches", {"state": {}}, "state says who reaches Terraform's state"),
    ("packages that nobody reaches", {"packages": {}}, "packages says who reaches package storage"),
    (
        "a misspelt door of state",
        {"state": {"privat": {}}},
        "state has no privat: it takes address_allow_list",
    ),
    (
        "a misspelt reason",
        {"packages": {"public_becaus": "no reason at all"}},
        "packages has no public_becaus",
    ),
    (
        "a misspelt subnet",
        {"state": {"private": {"subnet": "x"}}},
        "state.private has no subnet: it takes blob_zone_id, location and subnet_id",
    ),
    (
        "a subnet by name",
        {"state": {"private": {"subnet_id": "endpoints"}}},
        "state.private needs subnet_id",
    ),
    (
        "a reason that is none",
        {"packages": {"public_because": "why not"}},
        "in 10 to 256 characters",
    ),
    (
        "a list of everybody",
        {"packages": {"address_allow_list": ["0.0.0.0/0"]}},
        "of /8 or smaller and not /31",
    ),
    (
        "every customer of Azure",
        {"state": {"address_allow_list": ["0.0.0.0/32"]}},
        "state.address_allow_list are public IPv4 ranges",
    ),
    (
        "an address of one's own network",
        {"packages": {"address_allow_list": ["10.1.0.0/16"]}},
        "packages.address_allow_list are public IPv4 ranges",
    ),
    (
        "a list and everybody",
        {
            "state": {
                "address_allow_list": ["203.0.113.7/32"],
                "public_because": "for a test of both",
            }
        },
        "write one of the two",
    ),
]
"""An owner's mistakes."""
