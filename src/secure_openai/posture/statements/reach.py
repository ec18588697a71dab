"""Reach: who may come to a service, from the Internet and from its callers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from secure_openai.posture.applications import settings_of
from secure_openai.posture.estate import Resource
from secure_openai.posture.paths import firewall, from_internet, from_subnet, label
from secure_openai.posture.private_link import APPS, FUNCTIONS, SERVICES, SLOTS, Door
from secure_openai.posture.statements.statement import (
    Doubt,
    Finding,
    Note,
    Outcome,
    Seen,
    Setting,
    Severity,
    Statement,
    hcl,
    held,
    settings,
)
from secure_openai.posture.topology import Topology

DOOR_TAG: Final = "public-door"
"""The tag by which an estate declares a public door, with its reason."""

_CLOSED: Final = tuple(one for one in SERVICES if one != "azurerm_monitor_private_link_scope")


def declared_door(service: Resource) -> str:
    """Return the reason for which a storage account is declared public; empty if it is not.

    Only storage with Entra ID as its only lock can be a declared door.
    """
    tags = service.values.get("tags") or {}
    reason = str(tags.get(DOOR_TAG) or "")
    keyless = service.get("shared_access_key_enabled") is False
    return reason if service.type == "azurerm_storage_account" and keyless else ""


def _from_internet(topology: Topology) -> Iterator[Outcome]:
    seen = set()
    for door in topology.doors:
        service = door.service
        if service.address in seen:
            continue
        seen.add(service.address)
        reason = declared_door(service)
        path = from_internet(door)
        scope = service.type == "azurerm_monitor_private_link_scope"
        if scope and any(hop[0] for hop in path.hops[1:]):
            yield _public(service)
            continue
        stop = path.first_stop
        if path.open is False and service.get("public_network_access_enabled") is not True:
            if stop:
                yield Seen(service.address, stop[2])
            continue
        if path.open is None and stop:
            yield Doubt(service.address, stop[2])
        elif reason:
            yield Note(service.address, f"declared public door: {reason}")
        else:
            yield _public(service)


def _public(service: Resource) -> Finding:
    if service.type == "azurerm_monitor_private_link_scope":
        mend = 'ingestion_access_mode = "PrivateOnly"\nquery_access_mode     = "PrivateOnly"'
        says = "it lets its members talk to what is public"
        return Finding(service.address, "ingestion_access_mode", says, mend)
    action, listed = firewall(service)
    limited = action == "Deny"
    says = "it answers from the Internet" + (
        f" to {len(listed)} listed address range{'s' * (len(listed) != 1)}"
        if limited
        else ", to every address"
    )
    return Finding(
        service.address,
        "public_network_access_enabled",
        says,
        "public_network_access_enabled = false",
        Severity.MEDIUM if limited else None,
    )


def _firewalls(topology: Topology) -> Iterator[Outcome]:
    kinds = ("azurerm_storage_account", "azurerm_key_vault", "azurerm_cognitive_account")
    for service in topology.estate.every(*kinds):
        block = "network_rules" if service.type == kinds[0] else "network_acls"
        if not declared_door(service):
            yield from held(service, f"{block}.0.default_action", ("Deny",), "Allow")
        bypass = service.get(f"{block}.0.bypass")
        names = bypass if isinstance(bypass, list) else [bypass]
        if "AzureServices" in names:
            yield Note(service.address, "trusted Azure services pass its firewall")
    for service in topology.estate.every("azurerm_cosmosdb_account"):
        for one in service.get("ip_range_filter") or ():
            if str(one).startswith("0.0.0.0"):
                says = "0.0.0.0 in its firewall admits every customer of Azure"
                yield Finding(service.address, "ip_range_filter", says, "ip_range_filter = []")
        if service.get("network_acl_bypass_for_azure_services") is True:
            yield Note(service.address, "trusted Azure services pass its firewall")
    for service in topology.estate.every(*_CLOSED):
        _, listed = firewall(service)
        for one in listed:
            if str(one).endswith("/0") or one in ("0.0.0.0", "Internet"):
                attribute = (
                    "site_config.0.ip_restriction"
                    if service.type in (*APPS, *SLOTS)
                    else "ip_rules"
                )
                says = f"its firewall admits {one}, which is everybody"
                yield Finding(
                    service.address,
                    attribute,
                    says,
                    f"{attribute.rsplit('.', maxsplit=1)[-1]} = []",
                )
    for service in topology.estate.every(*APPS, *SLOTS):
        for name in ("ip_restriction_default_action", "scm_ip_restriction_default_action"):
            if service.get("public_network_access_enabled") is False or name.startswith("scm"):
                yield from held(service, f"site_config.0.{name}", ("Deny",), "Allow")
        for one in service.get("site_config.0.scm_ip_restriction") or ():
            if one.get("action", "Allow") == "Allow":
                says = "its deployment site (SCM) admits addresses"
                yield Finding(
                    service.address,
                    "site_config.0.scm_ip_restriction",
                    says,
                    hcl("site_config.0.scm_ip_restriction_default_action", "Deny"),
                )


def _callers(topology: Topology) -> Iterator[Outcome]:
    for app in topology.apps:
        subnet = topology.subnet(app.values.get("virtual_network_subnet_id"))
        called = topology.calls(app)
        doors = {id(door): door for door in called.values() if door}
        doors.update({id(door): door for door in _monitor(topology, app)})
        for door in doors.values():
            if subnet is None:
                if door.service.get("public_network_access_enabled") is False:
                    says = f"it calls {label(door)}, which is private, and is in no network"
                    yield Finding(
                        app.address,
                        "virtual_network_subnet_id",
                        says,
                        "virtual_network_subnet_id = azurerm_subnet.applications.id",
                    )
                continue
            if door.service.get("public_network_access_enabled") is True:
                continue
            path = from_subnet(topology, subnet, door)
            stop = path.first_stop
            if path.open is False and stop:
                address = (
                    door.service.address if not stop[1] or stop[1].startswith("/") else stop[1]
                )
                says = f"{app.name} cannot reach {path.target}: {stop[2]}"
                yield Finding(address, "", says, _let_in(stop[2], door.subresource))
            elif path.open is None and stop:
                yield Doubt(stop[1], f"{subnet.label} to {path.target}: {stop[2]}")
            else:
                says = f"the way to {path.target} was walked: {len(path.hops)} hops, each open"
                yield Seen(app.address, says)


def _let_in(says: str, subresource: str) -> str:
    if "no private endpoint" in says:
        return (
            'resource "azurerm_private_endpoint" "this" {\n'
            f'  private_service_connection {{\n    subresource_names    = ["{subresource}"]\n'
            "    is_manual_connection = false\n  }\n}"
        )
    if "zone" in says or "record" in says:
        return "private_dns_zone_group {\n  private_dns_zone_ids = [azurerm_private_dns_zone.this.id]\n}"
    if "approval" in says:
        return "private_service_connection {\n  is_manual_connection = false\n}"
    return "# let HTTPS (443) pass from the applications' subnet to the endpoints' subnet"


def _monitor(topology: Topology, app: Resource) -> list[Door]:
    settings_ = settings_of(app)
    if "APPLICATIONINSIGHTS_CONNECTION_STRING" not in settings_:
        return []
    subnet = topology.subnet(app.values.get("virtual_network_subnet_id"))
    near = topology.scopes_of.get(subnet.network, []) if subnet else []
    return near or [door for doors in topology.scopes_of.values() for door in doors]


def _closed_but_called(topology: Topology) -> Iterator[Outcome]:
    called = {
        door.service.id for app in topology.apps for door in topology.calls(app).values() if door
    }
    if topology.apps:
        called |= {one.id for one in topology.estate.every("azurerm_key_vault")}
    for service in topology.estate.every(*SERVICES):
        if service.get("public_network_access_enabled") is not False:
            continue
        if service.type in FUNCTIONS and not topology.endpoints:
            yield Note(service.address, "nobody comes in: its jobs start by the clock")
        elif service.get("network_acls.0.bypass") == "AzureServices" and service.id not in called:
            yield Note(service.address, "only trusted Azure services reach it")
        elif not any(
            not endpoint.manual
            for door in topology.doors_of[service.address]
            for endpoint in topology.endpoints_of(door)
        ):
            subresource = topology.doors_of[service.address][0].subresource
            yield Finding(
                service.address,
                "",
                "it is closed to the Internet and no private endpoint answers for it: nobody can reach it",
                _let_in("no private endpoint", subresource),
            )
        else:
            yield Seen(service.address, "a private endpoint answers for it")


STATEMENTS: Final = (
    Statement(
        "REACH-01",
        "From the Internet, no service is reachable but the declared doors",
        Severity.CRITICAL,
        "A service with a public door can be tried by everybody, and one stolen token is enough.",
        ("MCSB NS-2", "Azure Policy 037eea7a", "Azure Policy 797b37f7", "checkov CKV_AZURE_101", "checkov CKV_AZURE_134", "checkov CKV_AZURE_189", "checkov CKV_AZURE_222", "checkov CKV_AZURE_59"),
        _from_internet,
        (*_CLOSED, "azurerm_monitor_private_link_scope"),
    ),
    Statement(
        "REACH-02",
        "Every firewall denies by default, and its exceptions are known",
        Severity.HIGH,
        "It is the second lock: the day public access is switched on by mistake, nobody comes in.",
        ("MCSB NS-2", "Azure Policy 55615ac9", "Azure Policy 34c877ad", "checkov CKV_AZURE_35", "checkov CKV_AZURE_109"),
        _firewalls,
        _CLOSED,
    ),
    Statement(
        "REACH-03",
        "Every service that an application calls is reachable from its subnet",
        Severity.HIGH,
        "A private service that its application cannot reach is opened to the public in its first week.",
        ("MCSB NS-2", "Azure Policy d6759c02", "Azure Policy 6edd7eda", "checkov CKV2_AZURE_33"),
        _callers,
        ("azurerm_private_endpoint", "azurerm_subnet"),
        relations=True,
    ),
    Statement(
        "REACH-04",
        "A closed service has a private endpoint",
        Severity.HIGH,
        "Without one nobody reaches it, and somebody will open it.",
        ("MCSB NS-2", "Azure Policy 58440f8a", "Azure Policy a6abeaec", "checkov CKV2_AZURE_32"),
        _closed_but_called,
        ("azurerm_private_endpoint",),
        relations=True,
    ),
    Statement(
        "REACH-10",
        "Telemetry is taken in and read by the private network only",
        Severity.HIGH,
        "Traces name people and deployments, and a public query door needs one token.",
        ("MCSB NS-2", "Azure Policy 1bc02227", "Azure Policy 6c53d030"),
        settings(
            Setting(("azurerm_application_insights",), "internet_ingestion_enabled", (False,), True),
            Setting(("azurerm_application_insights",), "internet_query_enabled", (False,), True),
            Setting(("azurerm_log_analytics_workspace",), "internet_ingestion_access_type", ("Disabled",), "Enabled"),
            Setting(("azurerm_log_analytics_workspace",), "internet_query_access_type", ("Disabled",), "Enabled"),
        ),
        ("azurerm_application_insights", "azurerm_log_analytics_workspace"),
    ),
)  # fmt: skip
