"""Reach: who may come to a service, from the Internet and from its callers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from secure_openai.posture.applications import settings_of
from secure_openai.posture.estate import UNKNOWN, Resource, fold
from secure_openai.posture.firewalls import Firewall, admitted, firewall
from secure_openai.posture.hcl import argument, literal
from secure_openai.posture.names import NOT_LINKED
from secure_openai.posture.paths import from_internet, from_subnet, label
from secure_openai.posture.private_link import FUNCTIONS, SERVICES, SITES, Door
from secure_openai.posture.statements.names import LINK
from secure_openai.posture.statements.statement import (
    Doubt,
    Finding,
    Note,
    Outcome,
    Seen,
    Setting,
    Severity,
    Statement,
    held,
    settings,
)
from secure_openai.posture.topology import Topology

DOOR_TAG: Final = "public-door"
"""The tag by which an estate declares a public door, with its reason."""

_SCOPE: Final = "azurerm_monitor_private_link_scope"
_CLOSED: Final = tuple(one for one in SERVICES if one != _SCOPE)
_STORAGE: Final = "azurerm_storage_account"
_BESIDE: Final = "azurerm_storage_account_network_rules"
_UNNAMED: Final = "# name resources of this estate, or none"
_GUARDED: Final = (_STORAGE, "azurerm_key_vault", "azurerm_cognitive_account")
# How types that no other statement knows write their public door. Absent is open.
_DOOR_ARGUMENTS: Final = (
    "public_network_access_enabled",
    "public_network_access",
    "public_network_enabled",
)


def declared_door(topology: Topology, service: Resource) -> str:
    """Return the reason for which a storage account is declared public; empty if it is not.

    Only storage with Entra ID as its only lock can be a declared door, and only while no application
    of the estate keeps anything in it: what people write does not stand behind a tag.
    """
    if service.type != _STORAGE or _keeps(topology, service):
        return ""
    tags = service.get("tags")
    keyless = all(
        service.get(name) in accepted
        for name, accepted in (
            ("allow_nested_items_to_be_public", (False, None)),
            ("local_user_enabled", (False,)),
            ("shared_access_key_enabled", (False,)),
        )
    )
    return str(tags.get(DOOR_TAG) or "").strip() if keyless and isinstance(tags, dict) else ""


def _keeps(topology: Topology, service: Resource) -> bool:
    """Return whether an application keeps something in a storage account, or may."""
    if any(app.unsure("app_settings", "storage_account_name") for app in topology.apps):
        return True
    held = (
        one.refers("scope").startswith(fold(service.id))
        for one in topology.estate.every("azurerm_role_assignment")
        if one.refers("principal_id") in topology.acting
    )
    return (
        service.id in topology.called
        or any(held)
        or bool(
            topology.estate.naming(
                "azurerm_storage_account_static_website", "storage_account_id", service.id
            )
        )
    )


def _from_internet(topology: Topology) -> Iterator[Outcome]:
    for service in topology.estate.every(*SERVICES):
        door = topology.doors_of[service.address][0]
        path = from_internet(door)
        if service.type == _SCOPE and any(hop[0] for hop in path.hops[1:]):
            mend = 'ingestion_access_mode = "PrivateOnly"\nquery_access_mode     = "PrivateOnly"'
            says = "it lets its members talk to what is public"
            yield Finding(service.address, "ingestion_access_mode", says, mend)
            continue
        unsure = next((hop for hop in path.hops if hop[0] is None), None)
        if service.type == _SCOPE and unsure:
            yield Doubt(service.address, unsure[2])
            continue
        stop = path.first_stop
        if service.get("public_network_access_enabled") is False:
            yield Seen(service.address, stop[2] if stop else "its public door is closed")
            continue
        reason = declared_door(topology, service)
        if path.open is None and stop:
            yield Doubt(service.address, stop[2])
        elif service.type == _SCOPE:
            yield Seen(service.address, "its members talk through it alone")
        elif reason:
            yield Note(service.address, f"declared public door: {reason}")
        else:
            yield _public(service, firewall(service, door.beside))
    for service in topology.estate.resources:
        if service.type not in SERVICES:
            yield from _other_door(service)


def _other_door(service: Resource) -> Iterator[Outcome]:
    """Yield whether a type that no statement knows says that it answers from the Internet."""
    for name in _DOOR_ARGUMENTS:
        value = service.get(name)
        if value is UNKNOWN:
            yield Doubt(service.address, f"{name} is not known yet")
        elif name in service.values and value is not False and value != "Disabled":
            closed = "false" if name.endswith("_enabled") else '"Disabled"'
            says = f"it answers from the Internet: {name} is not {closed}"
            yield Finding(service.address, name, says, f"{name} = {closed}")


def _public(service: Resource, wall: Firewall) -> Finding:
    if not wall.denies:
        says = "it answers from the Internet, to every address"
    elif not wall.admitted:
        says = "its public door is not closed, and only its firewall keeps the Internet out"
    else:
        count = len(wall.admitted)
        says = f"it answers from the Internet to {count} listed address range{'s' * (count != 1)}"
    return Finding(
        service.address,
        "public_network_access_enabled",
        says,
        "public_network_access_enabled = false",
        Severity.MEDIUM if wall.denies else None,
    )


def _firewalls(topology: Topology) -> Iterator[Outcome]:
    for service in topology.estate.every(*_CLOSED):
        wall = firewall(service, topology.doors_of[service.address][0].beside)
        if service.type in _GUARDED and not declared_door(topology, service):
            yield from _denies(service, wall)
        yield from _exceptions(topology, service, wall)
    for site in topology.estate.every(*SITES):
        closed = site.get("public_network_access_enabled") is False
        for name in ("ip_restriction_default_action", "scm_ip_restriction_default_action"):
            if closed or name.startswith("scm"):
                yield from held(site, f"site_config.0.{name}", ("Deny",), "Allow")
        rules = _deployment_rules(site)
        if rules is UNKNOWN:
            yield Doubt(site.address, "site_config.0.scm_ip_restriction is not known yet")
        elif admitted(rules):
            says = "its deployment site (SCM) admits addresses"
            mend = argument("site_config.0.scm_ip_restriction_default_action", "Deny")
            yield Finding(site.address, "site_config.0.scm_ip_restriction", says, mend)
    for one in topology.estate.every(_BESIDE):
        if topology.estate.relations and not topology.estate.known(
            one.values.get("storage_account_id")
        ):
            yield from held(one, "default_action", ("Deny",), "Allow")


def _deployment_rules(site: Resource) -> Any:
    """Return the rules of a deployment site, with those of the main site where it takes them over."""
    own = site.get("site_config.0.scm_ip_restriction")
    taken = site.get("site_config.0.scm_use_main_ip_restriction")
    if taken in (None, False):
        return own
    main = site.get("site_config.0.ip_restriction")
    return UNKNOWN if UNKNOWN in (own, main, taken) else [*(own or ()), *(main or ())]


def _denies(service: Resource, wall: Firewall) -> Iterator[Outcome]:
    if wall.denies is None:
        yield Doubt(service.address, f"{wall.path} is not known yet")
    elif not wall.denies:
        yield from held(wall.declared, wall.path, ("Deny",), "Allow")


def _exceptions(topology: Topology, service: Resource, wall: Firewall) -> Iterator[Outcome]:
    if wall.everybody:
        attribute = "site_config.0.ip_restriction" if service.type in SITES else "ip_rules"
        if service.type == "azurerm_cosmosdb_account":
            attribute = "ip_range_filter"
        says = (
            f"its firewall admits {wall.everybody}, which is everybody or every customer of Azure"
        )
        mend = f"{attribute.rsplit('.', maxsplit=1)[-1]} = []"
        yield Finding(service.address, attribute, says, mend)
    if wall.unsure:
        yield Doubt(service.address, "whom its firewall admits is not known yet")
    if wall.trusted:
        yield Note(service.address, "trusted Azure services pass its firewall")
    for one in wall.admitted:
        if one.startswith("/") and topology.estate.relations and not topology.estate.known(one):
            says = f"its firewall admits {one.rpartition('/providers/')[2]}, which lies outside"
            if "/subnets/" in one.casefold():
                yield Note(service.address, says)
            else:
                # A resource comes in with an identity of its own tenant, whoever's that is.
                path = wall.path.replace("default_action", "private_link_access")
                yield Finding(wall.declared.address, path, says, _UNNAMED, Severity.MEDIUM)
    for one in service.items("network_acl_bypass_ids"):
        if topology.estate.relations and not topology.estate.known(one):
            says = (
                f"{str(one).rpartition('/providers/')[2]}, which lies outside, passes its firewall"
            )
            mend = argument("network_acl_bypass_ids", [])
            yield Finding(service.address, "network_acl_bypass_ids", says, mend, Severity.MEDIUM)
        else:
            yield Note(service.address, "some resources pass its firewall by their id")
    if service.unsure("network_acl_bypass_ids"):
        yield Doubt(service.address, "which resources pass its firewall is not known yet")


def _callers(topology: Topology) -> Iterator[Outcome]:
    for app in topology.apps:
        subnet = topology.subnet(app.values.get("virtual_network_subnet_id"))
        called = topology.calls(app)
        doors = {id(door): door for door in called.values() if door}
        doors.update({id(door): door for door in _monitor(topology, app)})
        if app.unsure("app_settings"):
            yield Doubt(app.address, "some of its settings are not known yet")
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
            public = door.service.get("public_network_access_enabled")
            if public not in (False, UNKNOWN) and door.service.type != _SCOPE:
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
            f"  private_service_connection {{\n    subresource_names    = {literal([subresource])}\n"
            "    is_manual_connection = false\n  }\n}"
        )
    if says.endswith(NOT_LINKED):
        return LINK
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
    called = set(topology.called)
    if topology.apps:
        called |= {one.id for one in topology.estate.every("azurerm_key_vault")}
    for service in topology.estate.every(*SERVICES):
        if service.get("public_network_access_enabled") is not False:
            continue
        trusted = firewall(service, topology.doors_of[service.address][0].beside).trusted
        if service.type in FUNCTIONS and not topology.endpoints:
            yield Note(service.address, "nobody comes in: its jobs start by the clock")
        elif trusted and service.type not in SITES and service.id not in called:
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
    yield from _endpoints(topology)


def _endpoints(topology: Topology) -> Iterator[Outcome]:
    parts: dict[str, set[str]] = {}
    for door in topology.doors:
        parts.setdefault(door.target, set()).add(door.subresource.casefold())
    for found in topology.endpoints.values():
        for endpoint in found:
            address = endpoint.resource.address
            known = parts.get(endpoint.target)
            if topology.estate.known(endpoint.target) is None:
                says = "it leads to a service outside the estate, which cannot be judged"
                yield Doubt(address, says)
            for name in endpoint.subresources:
                if known is not None and name.casefold() not in known:
                    right = ", ".join(sorted(known))
                    says = (
                        f"it stands for {name}, which its service does not have: there is {right}"
                    )
                    path = "private_service_connection.0.subresource_names"
                    mend = argument(path, [min(known)])
                    yield Finding(address, path, says, mend)


STATEMENTS: Final = (
    Statement(
        "REACH-01",
        "From the Internet, no service is reachable but the declared doors",
        Severity.CRITICAL,
        "A service with a public door can be tried by everybody, and one stolen token is enough.",
        ("MCSB NS-2", "Azure Policy 037eea7a-bd0a-46c5-9a66-03aea78705d3", "Azure Policy 797b37f7-06b8-444c-b1ad-fc62867f335a", "checkov CKV_AZURE_101", "checkov CKV_AZURE_134", "checkov CKV_AZURE_189", "checkov CKV_AZURE_222", "checkov CKV_AZURE_59"),
        _from_internet,
        (*_CLOSED, _SCOPE),
        everything=True,
    ),
    Statement(
        "REACH-02",
        "Every firewall denies by default, and its exceptions are known",
        Severity.HIGH,
        "It is the second lock: the day public access is switched on by mistake, nobody comes in.",
        ("MCSB NS-2", "Azure Policy 55615ac9-af46-4a59-874e-391cc3dfb490", "Azure Policy 34c877ad-507e-4c82-993e-3452a6e0ad3c", "checkov CKV_AZURE_35", "checkov CKV_AZURE_109"),
        _firewalls,
        (*_CLOSED, _BESIDE),
    ),
    Statement(
        "REACH-03",
        "Every service that an application calls is reachable from its subnet",
        Severity.HIGH,
        "A private service that its application cannot reach is opened to the public in its first week.",
        ("MCSB NS-2", "Azure Policy d6759c02-b87f-42b7-892e-71b3f471d782", "Azure Policy 6edd7eda-6dd8-40f7-810d-67160c639cd9", "checkov CKV2_AZURE_33"),
        _callers,
        ("azurerm_private_endpoint", "azurerm_subnet", "azurerm_route", "azurerm_route_table", "azurerm_subnet_route_table_association"),
        relations=True,
    ),
    Statement(
        "REACH-04",
        "A closed service has a private endpoint, and every endpoint stands for a service",
        Severity.HIGH,
        "Without one nobody reaches it, and somebody will open it.",
        ("MCSB NS-2", "Azure Policy 58440f8a-10c5-4151-bdce-dfbaad4a20b7", "Azure Policy a6abeaec-4d90-4a02-805f-6b26c4d3fbe9", "checkov CKV2_AZURE_32"),
        _closed_but_called,
        ("azurerm_private_endpoint",),
        relations=True,
    ),
    Statement(
        "REACH-10",
        "Telemetry is taken in and read by the private network only",
        Severity.HIGH,
        "Traces name people and deployments, and a public query door needs one token.",
        ("MCSB NS-2", "Azure Policy 1bc02227-0cb6-4e11-8f53-eb0b22eab7e8", "Azure Policy 6c53d030-cc64-46f0-906d-2bc061cd1334"),
        settings(
            Setting(("azurerm_application_insights",), "internet_ingestion_enabled", (False,), True),
            Setting(("azurerm_application_insights",), "internet_query_enabled", (False,), True),
            Setting(("azurerm_log_analytics_workspace",), "internet_ingestion_access_type", ("Disabled",), "Enabled"),
            Setting(("azurerm_log_analytics_workspace",), "internet_query_access_type", ("Disabled",), "Enabled"),
        ),
        ("azurerm_application_insights", "azurerm_log_analytics_workspace"),
    ),
)  # fmt: skip
