"""The private zones of Azure, by cloud: those of services with known doors, and all others.

Source: https://learn.microsoft.com/azure/private-link/private-endpoint-dns
"""

from __future__ import annotations

import re
from typing import Final

PUBLIC: Final = "public"
GOVERNMENT: Final = "usgovernment"

_PUBLIC: Final = {
    "account": ("openai.azure.com", "cognitiveservices.azure.com", "services.ai.azure.com"),
    "azuremonitor": (
        "monitor.azure.com",
        "oms.opinsights.azure.com",
        "ods.opinsights.azure.com",
        "agentsvc.azure-automation.net",
        "blob.core.windows.net",
    ),
    "blob": ("blob.core.windows.net",),
    "dfs": ("dfs.core.windows.net",),
    "file": ("file.core.windows.net",),
    "mongodb": ("mongo.cosmos.azure.com",),
    "queue": ("queue.core.windows.net",),
    "registry": ("azurecr.io",),
    "searchService": ("search.windows.net",),
    "sites": ("azurewebsites.net",),
    "sql": ("documents.azure.com",),
    "table": ("table.core.windows.net",),
    "vault": ("vault.azure.net",),
}
_GOVERNMENT: Final = {
    "account": ("openai.azure.us", "cognitiveservices.azure.us"),
    "azuremonitor": (
        "monitor.azure.us",
        "oms.opinsights.azure.us",
        "ods.opinsights.azure.us",
        "agentsvc.azure-automation.us",
        "blob.core.usgovcloudapi.net",
        "adx.monitor.azure.us",
    ),
    "blob": ("blob.core.usgovcloudapi.net",),
    "dfs": ("dfs.core.usgovcloudapi.net",),
    "file": ("file.core.usgovcloudapi.net",),
    "mongodb": ("mongo.cosmos.azure.us",),
    "queue": ("queue.core.usgovcloudapi.net",),
    "registry": ("azurecr.us",),
    "searchService": ("search.azure.us",),
    "sites": ("azurewebsites.us",),
    "sql": ("documents.azure.us",),
    "table": ("table.core.usgovcloudapi.net",),
    "vault": ("vault.usgovcloudapi.net",),
}
DOMAINS: Final = {PUBLIC: _PUBLIC, GOVERNMENT: _GOVERNMENT}
"""The domains in which a subresource answers, by cloud."""

_VAULT_ZONES: Final = {
    "vault.azure.net": "privatelink.vaultcore.azure.net",
    "vault.usgovcloudapi.net": "privatelink.vaultcore.usgovcloudapi.net",
}

# A star stands for a region or a number.
_OTHERS: Final = {
    PUBLIC: """
        adf.azure.com afs.azure.net analysis.windows.net analytics.cosmos.azure.com
        api.adu.microsoft.com api.azureml.ms attest.azure.net azconfig.io azure-api.net
        azure-automation.net
        azure-devices-provisioning.net azure-devices.net azure.com azuredatabricks.net
        azurehdinsight.net
        azureiotcentral.com azurestaticapps.net *.azurestaticapps.net azuresynapse.net *.azmk8s.io
        *.azurecontainerapps.io *.backup.windowsazure.com *.batch.azure.com batch.azure.com
        cassandra.cosmos.azure.com database.windows.net *.database.windows.net datafactory.azure.net
        dev.azuresynapse.net dicom.azurehealthcareapis.com digitaltwins.azure.net
        directline.botframework.com dp.kubernetesconfiguration.azure.com eventgrid.azure.net
        fhir.azurehealthcareapis.com grafana.azure.com gremlin.cosmos.azure.com
        guestconfiguration.azure.com his.arc.azure.com *.kusto.windows.net managedhsm.azure.net
        mariadb.database.azure.com media.azure.net mongocluster.cosmos.azure.com
        mysql.database.azure.com notebooks.azure.net pbidedicated.windows.net
        postgres.cosmos.azure.com postgres.database.azure.com prod.migration.windowsazure.com
        *.prometheus.monitor.azure.com purview.azure.com purviewstudio.azure.com redis.azure.net
        redis.cache.windows.net redisenterprise.cache.azure.net service.signalr.net
        servicebus.windows.net siterecovery.windowsazure.com sql.azuresynapse.net
        table.cosmos.azure.com token.botframework.com ts.eventgrid.azure.net
        web.core.windows.net webpubsub.azure.com workspace.azurehealthcareapis.com
        wvd.microsoft.com
    """,
    GOVERNMENT: """
        adf.azure.us analysis.usgovcloudapi.net api.ml.azure.us azconfig.azure.us azure-api.us
        azure-automation.us azure-devices.us azure-devices-provisioning.us azurehdinsight.us
        azuresynapse.usgovcloudapi.net *.batch.usgovcloudapi.net cassandra.cosmos.azure.us
        *.cx.aks.containerservice.azure.us database.usgovcloudapi.net databricks.azure.us
        datafactory.azure.us dev.azuresynapse.usgovcloudapi.net eventgrid.azure.us
        gremlin.cosmos.azure.us guestconfiguration.azure.us his.arc.azure.us
        *.kusto.usgovcloudapi.net managedhsm.usgovcloudapi.net mariadb.database.usgovcloudapi.net
        mysql.database.usgovcloudapi.net notebooks.usgovcloudapi.net
        postgres.database.usgovcloudapi.net purview.azure.us redis.cache.usgovcloudapi.net
        servicebus.usgovcloudapi.net signalr.azure.us siterecovery.windowsazure.us
        sql.azuresynapse.usgovcloudapi.net table.cosmos.azure.us web.core.usgovcloudapi.net
        *.backup.windowsazure.us
    """,
}


def _pattern(domains: str) -> re.Pattern[str]:
    names = (re.escape(one).replace(r"\*", "[a-z0-9-]+") for one in domains.split())
    return re.compile(rf"privatelink\.(?:{'|'.join(names)})")


_PATTERNS: Final = {cloud: _pattern(domains) for cloud, domains in _OTHERS.items()}


def zone(domain: str) -> str:
    """Return the private zone that answers for a domain."""
    return _VAULT_ZONES.get(domain, f"privatelink.{domain}")


_CLOUDS: Final = {
    zone(domain): cloud
    for cloud, domains in DOMAINS.items()
    for found in domains.values()
    for domain in found
}
_DOMAINS_OF: Final = {
    zone(domain): domain
    for domains in DOMAINS.values()
    for found in domains.values()
    for domain in found
}
_SUFFIXES: Final = tuple(f".{domain}" for domain in _DOMAINS_OF.values())


def cloud_of_zone(name: str) -> str | None:
    """Return the cloud that a private zone belongs to, or None where it is not one of Azure's."""
    folded = name.casefold()
    if folded in _CLOUDS:
        return _CLOUDS[folded]
    return next((cloud for cloud, one in _PATTERNS.items() if one.fullmatch(folded)), None)


def domain_of_zone(name: str) -> str | None:
    """Return the domain that a zone answers for, or None where no door of it is known."""
    return _DOMAINS_OF.get(name.casefold())


def service_domain(host: str) -> bool:
    """Return whether a name lies in a domain of a service with known doors, of any cloud."""
    return host.casefold().endswith(_SUFFIXES)
