"""Names: whether each service's real hostname leads to its private endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from secure_openai.posture.names import resolution, servers
from secure_openai.posture.private_link import cloud_of_zone
from secure_openai.posture.statements.statement import (
    Doubt,
    Finding,
    Outcome,
    Seen,
    Severity,
    Statement,
)
from secure_openai.posture.topology import Topology

_LINK: Final = """resource "azurerm_private_dns_zone_virtual_network_link" "this" {
  private_dns_zone_id = azurerm_private_dns_zone.this.id
  virtual_network_id  = azurerm_virtual_network.this.id
}"""


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
                        mend = (
                            _LINK
                            if "linked" in says
                            else f"private_dns_zone_ids = [for name in {list(door.zones)} : azurerm_private_dns_zone.this[name].id]".replace(
                                "'", '"'
                            )
                        )
                        yield Finding(
                            address, "private_dns_zone_group", f"{door.service.name}: {says}", mend
                        )


def _cloud(topology: Topology) -> Iterator[Outcome]:
    for one in topology.estate.every("azurerm_private_dns_zone"):
        cloud = cloud_of_zone(one.name)
        if cloud and cloud != topology.cloud:
            says = f"{one.name} is a zone of the {cloud} cloud, and the estate stands in {topology.cloud}"
            yield Finding(one.address, "name", says, "# name the zone of this cloud")
        elif cloud is None and one.name.startswith("privatelink."):
            yield Finding(
                one.address,
                "name",
                f"{one.name} is no private zone of Azure",
                "# name the zone of the service",
            )


def _links(topology: Topology) -> Iterator[Outcome]:
    by_zone = {
        zone.id for zones in topology.linked.values() for found in zones.values() for zone in found
    }
    for one in topology.estate.every("azurerm_private_dns_zone"):
        if topology.zone(one.id).id not in by_zone:
            yield Finding(one.address, "", f"zone {one.name} is linked to no network", _LINK)
    for network, zones in sorted(topology.linked.items()):
        for name, found in sorted(zones.items()):
            if len({zone.id for zone in found}) > 1:
                says = f"two zones called {name} are linked to one network: one shadows the other"
                address = found[1].resource.address if found[1].resource else network
                yield Finding(address, "", says, "# keep one zone of this name for the network")


def _subdomains(topology: Topology) -> Iterator[Outcome]:
    for one in topology.estate.every("azurerm_cognitive_account"):
        if one.get("custom_subdomain_name") is None:
            says = "it has no subdomain of its own: neither Entra ID nor a private endpoint works"
            yield Finding(
                one.address, "custom_subdomain_name", says, f'custom_subdomain_name = "{one.name}"'
            )


def _named(topology: Topology) -> Iterator[Outcome]:
    for app in topology.apps:
        for host, door in sorted(topology.calls(app).items()):
            if door is None:
                says = f"its settings name {host}, which the estate does not build"
                yield Finding(app.address, "app_settings", says, "# name a service of this estate")
            else:
                yield Seen(app.address, f"its settings name {host}, which the estate builds")


def _asked(topology: Topology) -> Iterator[Outcome]:
    for network in topology.estate.every("azurerm_virtual_network"):
        for passes, address, says in servers(topology, topology.zone(network.id).id):
            if passes is None:
                yield Doubt(address, says)


def _records(topology: Topology) -> Iterator[Outcome]:
    for (zone, label), records in sorted(topology.records.items()):
        name = zone.rpartition("/")[2]
        if cloud_of_zone(name) is None:
            continue
        public = f"{label}.{name.removeprefix('privatelink.').replace('vaultcore.', 'vault.')}"
        for record in records:
            if public not in topology.by_host:
                says = f"record {label} in {name} is the name of no service of the estate"
                yield Finding(
                    record.address, "name", says, "# name it after the service's hostname"
                )


STATEMENTS: Final = (
    Statement(
        "NAMES-01",
        "Each service's hostname resolves to its private endpoint in every network that calls it",
        Severity.HIGH,
        "A name that resolves past the endpoint leaves the network, and the call is refused or watched.",
        ("MCSB NS-2", "Azure Policy d6759c02"),
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
        ("azurerm_virtual_network", "azurerm_virtual_network_dns_servers"),
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
