"""Names: whether each service's real hostname leads to its private endpoint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from secure_openai.posture.applications import reference, settings_of, url_hosts
from secure_openai.posture.estate import UNKNOWN, Resource
from secure_openai.posture.hcl import Expression, argument, literal
from secure_openai.posture.names import NOT_LINKED, resolution, rulesets, servers
from secure_openai.posture.private_link import LOGIN
from secure_openai.posture.statements.statement import (
    Doubt,
    Finding,
    Outcome,
    Seen,
    Severity,
    Statement,
    shown,
)
from secure_openai.posture.topology import Topology
from secure_openai.posture.zones import cloud_of_zone, domain_of_zone

# Azure's own places that every application may name: sign-in, management, telemetry, packages.
_AZURE: Final = (
    "applicationinsights.azure.com",
    "applicationinsights.us",
    "applicationinsights.azure.us",
    "data.microsoft.com",
    "graph.microsoft.com",
    "graph.microsoft.us",
    "management.azure.com",
    "management.usgovcloudapi.net",
    "mcr.microsoft.com",
    "sts.windows.net",
    *LOGIN.values(),
)
_TELEMETRY: Final = ("APPLICATIONINSIGHTS_CONNECTION_STRING", "APPINSIGHTS_INSTRUMENTATIONKEY")
_SERVERS: Final = ("WEBSITE_DNS_SERVER", "WEBSITE_DNS_ALT_SERVER")
_AZURE_DNS: Final = "168.63.129.16"
LINK: Final = """resource "azurerm_private_dns_zone_virtual_network_link" "this" {
  private_dns_zone_id = azurerm_private_dns_zone.this.id
  virtual_network_id  = azurerm_virtual_network.this.id
}"""
"""The change that lets a network read a zone."""


def _resolve(topology: Topology) -> Iterator[Outcome]:
    callers: dict[tuple[str, str], set[str]] = {}
    for app in topology.apps:
        subnet = topology.subnet(app.values.get("virtual_network_subnet_id"))
        for door in topology.calls(app).values():
            if subnet and door:
                key = (door.service.address, door.subresource)
                callers.setdefault(key, set()).add(subnet.network)
    said = set()
    for door in topology.doors:
        networks = callers.get((door.service.address, door.subresource), set())
        for endpoint in topology.endpoints_of(door):
            here = topology.subnet(endpoint.subnet)
            for network in sorted(networks | ({here.network} if here else set())):
                for passes, address, says in resolution(topology, network, door, endpoint):
                    if (address, says) in said:
                        continue
                    said.add((address, says))
                    if passes is True:
                        yield Seen(address, says)
                    elif passes is None:
                        yield Doubt(address, says)
                    else:
                        mend = LINK if says.endswith(NOT_LINKED) else _group(door.zones)
                        yield Finding(
                            address, "private_dns_zone_group", f"{door.service.name}: {says}", mend
                        )


def _group(zones: Sequence[str]) -> str:
    ids = f"[for name in {literal(zones)} : azurerm_private_dns_zone.this[name].id]"
    return argument("private_dns_zone_group.private_dns_zone_ids", Expression(ids))


def _cloud(topology: Topology) -> Iterator[Outcome]:
    for one in topology.estate.every("azurerm_private_dns_zone"):
        cloud = cloud_of_zone(one.name)
        if one.get("name") in (None, UNKNOWN):
            yield Doubt(one.address, "its name is not known yet")
        elif cloud and cloud != topology.cloud:
            says = f"{one.name} is a zone of the {cloud} cloud, and the estate stands in {topology.cloud}"
            yield Finding(one.address, "name", says, "# name the zone of this cloud")
        elif cloud is None and one.name.casefold().startswith("privatelink."):
            says = f"{one.name} is no private zone of Azure"
            yield Finding(one.address, "name", says, "# name the zone of the service")
        else:
            whose = f"a zone of the {cloud} cloud" if cloud else "a zone of its owner's own"
            yield Seen(one.address, f"it is {whose}")


def _links(topology: Topology) -> Iterator[Outcome]:
    by_zone = {
        zone.id for zones in topology.linked.values() for found in zones.values() for zone in found
    }
    for one in topology.estate.every("azurerm_private_dns_zone"):
        if topology.zone(one.id).id not in by_zone:
            yield Finding(one.address, "", f"zone {one.name} is linked to no network", LINK)
        else:
            yield Seen(one.address, "it is linked to a network")
    for network, zones in sorted(topology.linked.items()):
        for name, found in sorted(zones.items()):
            if len({zone.id for zone in found}) > 1:
                says = f"two zones called {name} are linked to one network: one shadows the other"
                address = found[1].resource.address if found[1].resource else network
                yield Finding(address, "", says, "# keep one zone of this name for the network")
    for one in topology.estate.every("azurerm_private_dns_zone_virtual_network_link"):
        if (
            one.get("registration_enabled") is not False
            and one.get("registration_enabled") is not None
        ):
            zone = str(one.values.get("private_dns_zone_id")).rpartition("/")[2]
            if cloud_of_zone(zone):
                says = f"machines register their names in {zone}: one called like a service takes its place"
                yield Finding(
                    one.address, "registration_enabled", says, "registration_enabled = false"
                )


def _subdomains(topology: Topology) -> Iterator[Outcome]:
    for one in topology.estate.every("azurerm_cognitive_account"):
        name = one.get("custom_subdomain_name")
        if name is UNKNOWN:
            yield Doubt(one.address, "custom_subdomain_name is not known yet")
        elif not name:
            says = "it has no subdomain of its own: neither Entra ID nor a private endpoint works"
            path = "custom_subdomain_name"
            yield Finding(one.address, path, says, argument(path, one.name))
        else:
            yield Seen(one.address, f"custom_subdomain_name is {shown(name)}")


def _named(topology: Topology) -> Iterator[Outcome]:
    own = {
        str(one.values.get("instrumentation_key"))
        for one in topology.estate.every("azurerm_application_insights")
    }
    for app in topology.apps:
        if app.unsure("app_settings"):
            yield Doubt(app.address, "some of its settings are not known yet")
        for host, door in sorted(topology.calls(app).items()):
            if door is None:
                says = f"its settings name {host}, which the estate does not build"
                yield Finding(app.address, "app_settings", says, "# name a service of this estate")
            else:
                yield Seen(app.address, f"its settings name {host}, which the estate builds")
        for name, value in sorted(settings_of(app).items()):
            for host in sorted(_strangers(topology, app, value)):
                says = f"setting {name} names {host}, which is no service of the estate"
                yield Finding(
                    app.address,
                    f"app_settings.{name}",
                    says,
                    "# name a service of this estate",
                    Severity.LOW,
                )
            if name in _TELEMETRY and not any(key in str(value) for key in own - {"", "None"}):
                says = "its telemetry goes to another estate's Application Insights"
                yield Finding(
                    app.address,
                    f"app_settings.{name}",
                    says,
                    "# the connection string of this estate's own",
                )


def _strangers(topology: Topology, app: Resource, value: object) -> set[str]:
    """Return the hosts of addresses that lie neither in the estate nor with Azure itself."""
    if reference(value):
        return set()
    gateways = {
        str(listener.get("host_name")).casefold()
        for one in topology.estate.every("azurerm_application_gateway")
        for listener in one.blocks("http_listener")
    }
    return {
        host
        for host in url_hosts(value)
        if host not in topology.by_host
        and host not in gateways
        and host not in topology.calls(app)
        and "." in host
        and not any(host == one or host.endswith(f".{one}") for one in _AZURE)
    }


def _asked(topology: Topology) -> Iterator[Outcome]:
    for network in topology.estate.every("azurerm_virtual_network"):
        if network.get("dns_servers") is UNKNOWN:
            yield Doubt(network.address, "its DNS servers are not known yet")
        key = topology.zone(network.id).id
        found = (*servers(topology, key), *rulesets(topology, key))
        for passes, address, says in found:
            if passes is None:
                yield Doubt(address, says)
        if all(passes is not None for passes, _, _ in found):
            yield Seen(network.address, "it asks Azure's DNS, or servers that are vouched for")
    for app in topology.apps:
        for name in _SERVERS:
            server = app.get(f"app_settings.{name}")
            if server is UNKNOWN:
                yield Doubt(app.address, f"setting {name} is not known yet")
            elif server and server != _AZURE_DNS:
                says = f"setting {name} has it ask a DNS server of its own: whether that forwards cannot be told"
                yield Doubt(app.address, says)


def _records(topology: Topology) -> Iterator[Outcome]:
    for (zone, label), records in sorted(topology.records.items()):
        name = zone.rpartition("/")[2]
        domain = domain_of_zone(name)
        if domain is None:
            continue
        for record in records:
            if f"{label}.{domain}" not in topology.by_host:
                says = f"record {label} in {name} is the name of no service of the estate"
                yield Finding(
                    record.address, "name", says, "# name it after the service's hostname"
                )
            else:
                yield Seen(record.address, f"record {label} in {name} is the name of a service")


STATEMENTS: Final = (
    Statement(
        "NAMES-01",
        "Each service's hostname resolves to its private endpoint in every network that calls it",
        Severity.HIGH,
        "A name that resolves past the endpoint leaves the network, and the call is refused or watched.",
        ("MCSB NS-2", "Azure Policy d6759c02-b87f-42b7-892e-71b3f471d782"),
        _resolve,
        ("azurerm_private_endpoint", "azurerm_private_dns_zone", "azurerm_private_dns_a_record"),
        relations=True,
    ),
    Statement(
        "NAMES-02",
        "Every private zone is one of this cloud's",
        Severity.HIGH,
        "Azure aliases names of its own cloud only: another's zone is never read.",
        ("MCSB NS-10",),
        _cloud,
        ("azurerm_private_dns_zone",),
    ),
    Statement(
        "NAMES-03",
        "Every private zone is linked to a network, and none shadows another",
        Severity.HIGH,
        "A zone with the right name that is linked to nothing resolves for nobody.",
        ("MCSB NS-10",),
        _links,
        ("azurerm_private_dns_zone", "azurerm_private_dns_zone_virtual_network_link"),
        relations=True,
    ),
    Statement(
        "NAMES-04",
        "Every model account has a subdomain of its own",
        Severity.HIGH,
        "Entra ID tokens are taken at an account's own name only.",
        ("MCSB IM-1",),
        _subdomains,
        ("azurerm_cognitive_account",),
    ),
    Statement(
        "NAMES-05",
        "Applications name services of the estate only",
        Severity.MEDIUM,
        "A setting that names another's service sends prompts there.",
        ("MCSB NS-2",),
        _named,
        relations=True,
    ),
    Statement(
        "NAMES-06",
        "Networks ask Azure's DNS",
        Severity.MEDIUM,
        "Other servers resolve private names only if they forward them, which Terraform cannot show.",
        ("MCSB NS-10", "checkov CKV_AZURE_183"),
        _asked,
        ("azurerm_virtual_network", "azurerm_virtual_network_dns_servers", "azurerm_private_dns_resolver_virtual_network_link"),
    ),
    Statement(
        "NAMES-07",
        "Every record written by hand is the name of a service",
        Severity.MEDIUM,
        "A record under the account's name and not its subdomain answers nobody.",
        ("MCSB NS-10",),
        _records,
        ("azurerm_private_dns_a_record",),
        relations=True,
    ),
)  # fmt: skip
