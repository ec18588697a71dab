"""How each part of an estate outlives a zone, what is kept of it, and how it comes back.

Where a setting decides, the words come from the setting; where the platform decides, Microsoft's
page is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from secure_openai.posture.architecture.services import label, title_of
from secure_openai.posture.estate import Estate, Resource

_LEARN: Final = "https://learn.microsoft.com/azure"
_PAGES: Final = {
    "Application Insights": f"{_LEARN}/azure-monitor/logs/availability-zones",
    "App Service": f"{_LEARN}/reliability/reliability-app-service",
    "Application Gateway": f"{_LEARN}/reliability/reliability-application-gateway-v2",
    "Azure OpenAI": f"{_LEARN}/ai-services/openai/how-to/business-continuity-disaster-recovery",
    "Bastion": f"{_LEARN}/reliability/reliability-bastion",
    "Cosmos DB": f"{_LEARN}/reliability/reliability-cosmos-db",
    "DNS": f"{_LEARN}/reliability/reliability-dns",
    "DNS Private Resolver": f"{_LEARN}/reliability/reliability-dns-private-resolver",
    "Functions": f"{_LEARN}/reliability/reliability-functions",
    "Key Vault": f"{_LEARN}/reliability/reliability-key-vault",
    "Log Analytics": f"{_LEARN}/azure-monitor/logs/availability-zones",
    "NAT gateway": f"{_LEARN}/reliability/reliability-nat-gateway",
    "Private Link": f"{_LEARN}/reliability/reliability-private-link-service",
    "Storage": f"{_LEARN}/storage/common/storage-redundancy",
    "Virtual Machines": f"{_LEARN}/reliability/reliability-virtual-machines",
    "Virtual Network": f"{_LEARN}/reliability/reliability-virtual-network",
}
"""Microsoft's page on each service's zones, by what the service is called there."""

_REPLICATION: Final = {
    "GZRS": "three zones keep a copy each, and the paired region another, a little later",
    "ZRS": "three zones keep a copy each; another region keeps none",
    "GRS": "this zone's copies go with it; the paired region keeps another, a little later",
    "LRS": "all copies are in this zone and go with it",
}
"""What a kind of replication of Azure Storage means."""

_MADE_AGAIN: Final = "made again from Terraform"
_NOTHING: Final = "holds no data"


@dataclass(frozen=True, slots=True)
class Recovery:
    """What a reviewer asks of one part of an estate.

    Attributes:
        title: What it is, for people.
        zone: What happens when a zone fails.
        kept: What is kept of it, and for how long.
        restored: How it comes back.
    """

    title: str
    zone: str
    kept: str
    restored: str


def recoveries(estate: Estate) -> list[Recovery]:
    """Return what is said of each service, and of what carries them."""
    return [
        *(_SERVICES[kind](estate, one) for kind in _SERVICES for one in estate.every(kind)),
        *carriers(estate),
    ]


def carriers(estate: Estate) -> list[Recovery]:
    """Return what is said of what carries the services: network, names, ways in."""
    found = []
    for kind, (title, say) in _CARRIERS.items():
        every = estate.every(kind)
        if every:
            zone = say(every)
            many = title if len(every) == 1 else f"{title} ({len(every)})"
            found.append(Recovery(many, zone, _NOTHING, _MADE_AGAIN))
    return found


def _says(page: str, text: str) -> str:
    return f"{text} ([{page}]({_PAGES[page]}))"


def _plan_of(estate: Estate, app: Resource) -> Resource:
    return estate.with_id(str(app.values["service_plan_id"]))


def _workers(plan: Resource) -> str:
    many, size = plan.values["worker_count"], plan.values["sku_name"]
    if plan.values["zone_balancing_enabled"]:
        return f"its plan's {many} workers ({size}) stand in different zones; those left answer"
    return f"its plan's {many} workers ({size}) stand where Azure puts them, perhaps in one zone"


def _web(estate: Estate, app: Resource) -> Recovery:
    return Recovery(
        title_of(app),
        _says("App Service", _workers(_plan_of(estate, app))),
        f"{_NOTHING}; the package that it runs is kept in package storage",
        f"{_MADE_AGAIN}, and its package deployed again; the slot swapped back undoes a release",
    )


def _functions(estate: Estate, app: Resource) -> Recovery:
    name = app.values["storage_account_name"]
    host = next(one for one in estate.every("azurerm_storage_account") if one.name == name)
    how = host.values["account_replication_type"]
    return Recovery(
        title_of(app),
        _says("Functions", f"{_workers(_plan_of(estate, app))}; its host storage is {how}"),
        f"{_NOTHING}; which timers ran is in its host storage",
        f"{_MADE_AGAIN}, and its package deployed again; every job may run twice",
    )


_COMPUTED: Final = {
    "Global": "wherever Azure has capacity",
    "DataZone": "in the regions of its data zone",
}


def _model(estate: Estate, account: Resource) -> Recovery:
    deployments = _deployments(estate, account)
    said = []
    for sku in dict.fromkeys(deployments.values()):
        names = ", ".join(f"`{name}`" for name, one in deployments.items() if one == sku)
        where = next((say for start, say in _COMPUTED.items() if sku.startswith(start)), "")
        said.append(f"{names} ({sku}) is computed {where or 'in this region only'}")
    others = [
        f"`{label(one)}` in {one.values['location']} answers for "
        + ", ".join(f"`{name}`" for name in shared)
        for one in estate.every("azurerm_cognitive_account")
        if one.address != account.address
        and (shared := [name for name in _deployments(estate, one) if name in deployments])
    ]
    alone = "nobody answers: no other account has a deployment of the same name"
    zone = f"no setting: Azure places the account; {'; '.join(said)}"
    return Recovery(
        title_of(account),
        _says("Azure OpenAI", zone),
        _NOTHING,
        f"{_MADE_AGAIN}; meanwhile {'; '.join(others) or alone}",
    )


def _deployments(estate: Estate, account: Resource) -> dict[str, str]:
    """Return the kind of each deployment of an account, by name."""
    return {
        one.name: str(one.values["sku"][0]["name"])
        for one in estate.every("azurerm_cognitive_deployment")
        if one.values["cognitive_account_id"] == account.id
    }


def _cosmos(_: Estate, account: Resource) -> Recovery:
    values = account.values
    places = [
        f"{place['location']}: "
        + ("replicas in several zones" if place["zone_redundant"] else "replicas in one zone")
        for place in sorted(values["geo_location"], key=lambda one: one["failover_priority"])
    ]
    backup = values["backup"][0]
    days = str(backup["tier"]).removeprefix("Continuous").removesuffix("Days")
    return Recovery(
        title_of(account),
        _says("Cosmos DB", "; ".join(places)),
        f"{str(backup['type']).lower()} backup, {days} days",
        f"to any second of {days} days: a deleted database or container into the same account "
        "(`az cosmosdb sql database restore`), a lost or damaged account as another one "
        "(`az cosmosdb restore`), from which what is missing is copied",
    )


def _storage(estate: Estate, account: Resource) -> Recovery:
    values = account.values
    how, blobs = values["account_replication_type"], values["blob_properties"][0]
    days = blobs["delete_retention_policy"][0]["days"]
    gone = blobs["container_delete_retention_policy"][0]["days"]
    kept = [f"deleted blobs {days} days, deleted containers {gone} days"]
    if blobs["versioning_enabled"]:
        kept.insert(0, "every version of a blob")
    periods = {
        one.values["immutability_period_in_days"]
        for one in estate.every("azurerm_storage_container_immutability_policy")
        if str(one.values["storage_container_resource_manager_id"]).startswith(f"{account.id}/")
    }
    kept += [f"seals cannot be changed or deleted for {period} days" for period in sorted(periods)]
    failover = "; the paired region takes over by `az storage account failover`"
    return Recovery(
        title_of(account),
        _says("Storage", f"{how}: {_REPLICATION[how]}"),
        ", ".join(kept),
        "a version is made the current one, a deletion undone (`az storage blob undelete`)"
        + (failover if how.startswith("G") else ""),
    )


def _vault(_: Estate, vault: Resource) -> Recovery:
    days = vault.values["soft_delete_retention_days"]
    purge = "and cannot be purged before" if vault.values["purge_protection_enabled"] else ""
    return Recovery(
        title_of(vault),
        _says("Key Vault", "no setting: Azure spreads it over the region's zones"),
        f"a deleted vault or key {days} days {purge}".rstrip() + "; the seal keys are in no backup",
        "`az keyvault recover`, `az keyvault key recover`",
    )


def _workspace(_: Estate, workspace: Resource) -> Recovery:
    where = f"no setting: whether {workspace.values['location']} keeps logs in several zones"
    return Recovery(
        title_of(workspace),
        _says("Log Analytics", f"{where}, and takes them in meanwhile, is in Microsoft's list"),
        f"logs {workspace.values['retention_in_days']} days",
        "a workspace deleted within 14 days: `az monitor log-analytics workspace recover`",
    )


def _insights(_: Estate, insights: Resource) -> Recovery:
    return Recovery(
        title_of(insights),
        _says("Application Insights", "as its workspace"),
        "its data is in Log Analytics",
        _MADE_AGAIN,
    )


def _scope(_: Estate, scope: Resource) -> Recovery:
    return Recovery(
        title_of(scope),
        _says("Private Link", "a global resource; its endpoint is spread over zones"),
        _NOTHING,
        _MADE_AGAIN,
    )


_SERVICES: Final[dict[str, Callable[[Estate, Resource], Recovery]]] = {
    "azurerm_linux_web_app": _web,
    "azurerm_linux_function_app": _functions,
    "azurerm_cognitive_account": _model,
    "azurerm_cosmosdb_account": _cosmos,
    "azurerm_storage_account": _storage,
    "azurerm_key_vault": _vault,
    "azurerm_log_analytics_workspace": _workspace,
    "azurerm_application_insights": _insights,
    "azurerm_monitor_private_link_scope": _scope,
}


def _plan(every: list[Resource]) -> str:
    (plan,) = every
    return _says("App Service", _workers(plan).removeprefix("its plan's "))


def _zoned(every: list[Resource]) -> list[str]:
    return sorted({zone for one in every for zone in one.values.get("zones") or ()})


def _gateway(every: list[Resource]) -> str:
    zones = _zoned(every)
    where = f"in zones {', '.join(zones)}" if zones else "where Azure puts it"
    least = every[0].values["autoscale_configuration"][0]["min_capacity"]
    return _says(
        "Application Gateway",
        f"{where}, two instances at least (asked for: {least}); the rest answer",
    )


def _nat(every: list[Resource]) -> str:
    size, zones = every[0].values["sku_name"], _zoned(every)
    where = f"in zone {', '.join(zones)}" if zones else "in one zone that Azure chooses"
    stops = "with it stops what leaves the network, sign-in among it, and not the services inside"
    return _says("NAT gateway", f"{size}, {where}: {stops}")


def _bastion(every: list[Resource]) -> str:
    zones = _zoned(every)
    where = f"in zones {', '.join(zones)}" if zones else "in one zone that Azure chooses"
    return _says("Bastion", f"{where}: with it stops administration")


def _machines(every: list[Resource]) -> str:
    zones = sorted({str(one.values["zone"]) for one in every if one.values.get("zone")})
    where = f"in zone {', '.join(zones)}" if zones else "in a zone that Azure chooses"
    return _says("Virtual Machines", f"{where}; another is made from Terraform")


def _fixed(page: str, text: str) -> Callable[[list[Resource]], str]:
    return lambda _: _says(page, text)


_CARRIERS: Final[dict[str, tuple[str, Callable[[list[Resource]], str]]]] = {
    "azurerm_service_plan": ("App Service plan", _plan),
    "azurerm_virtual_network": (
        "Virtual network",
        _fixed("Virtual Network", "no setting: it and its subnets span the zones"),
    ),
    "azurerm_private_endpoint": (
        "Private endpoints",
        _fixed("Private Link", "no setting: Azure spreads each over the zones"),
    ),
    "azurerm_private_dns_zone": (
        "Private DNS zones",
        _fixed("DNS", "no setting: a global service"),
    ),
    "azurerm_nat_gateway": ("NAT gateway", _nat),
    "azurerm_private_dns_resolver": (
        "DNS resolver",
        _fixed("DNS Private Resolver", "no setting: Azure spreads it over the zones"),
    ),
    "azurerm_application_gateway": ("Application gateway", _gateway),
    "azurerm_bastion_host": ("Bastion", _bastion),
    "azurerm_linux_virtual_machine": ("Machines", _machines),
}


def table_of(found: list[Recovery]) -> Iterator[str]:
    """Yield the lines of a Markdown table, one row each."""
    yield "| | a zone fails | kept | restored |"
    yield "|---|---|---|---|"
    for one in found:
        yield f"| {one.title} | {one.zone} | {one.kept} | {one.restored} |"
