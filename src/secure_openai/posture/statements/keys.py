"""Keys: that none is usable, and none is stored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from secure_openai.posture.applications import (
    identities_of,
    names_itself,
    reference,
    refers_to_vault,
    settings_of,
)
from secure_openai.posture.estate import UNKNOWN
from secure_openai.posture.hcl import Expression, entry
from secure_openai.posture.private_link import FUNCTIONS, SITES
from secure_openai.posture.statements.statement import (
    Doubt,
    Finding,
    Outcome,
    Seen,
    Setting,
    Severity,
    Statement,
    held,
    settings,
)
from secure_openai.posture.topology import Topology

_REFERENCE: Final = Expression(
    '"@Microsoft.KeyVault(SecretUri=${azurerm_key_vault_secret.this.versionless_id})"'
)
# How types that no other statement knows write that they take a key. Absent is yes, but for the last.
_KEY_ARGUMENTS: Final = (
    "local_auth_enabled",
    "local_authentication_enabled",
    "access_keys_authentication_enabled",
    "password_auth_enabled",
    "admin_enabled",
)
_JUDGED: Final = (
    "azurerm_application_insights",
    "azurerm_cognitive_account",
    "azurerm_container_registry",
    "azurerm_cosmosdb_account",
    "azurerm_log_analytics_workspace",
    "azurerm_search_service",
)
_ENTRA_ONLY: Final = settings(
    Setting(("azurerm_cognitive_account",), "local_auth_enabled", (False,), True),
    Setting(("azurerm_search_service",), "local_authentication_enabled", (False,), True),
    Setting(("azurerm_container_registry",), "admin_enabled", (False,), False),
    Setting(("azurerm_container_registry",), "anonymous_pull_enabled", (False,), False),
    Setting(("azurerm_postgresql_flexible_server",), "authentication.0.password_auth_enabled", (False,), True),
)  # fmt: skip


def _host(topology: Topology) -> Iterator[Outcome]:
    mend = "storage_uses_managed_identity = true"
    says = "its storage is opened with a key"
    for one in topology.estate.every(*FUNCTIONS):
        yield from held(one, "storage_uses_managed_identity", (True,), False)
        for name in ("storage_account_access_key", "storage_key_vault_secret_id"):
            if one.values.get(name) or one.unsure(name):
                yield Finding(one.address, name, says, mend)
        name = "app_settings.AzureWebJobsStorage"
        if one.get(name) is UNKNOWN:
            yield Doubt(one.address, f"{name} is not known yet")
        elif one.get(name):
            yield Finding(one.address, name, says, mend)


def _references(topology: Topology) -> Iterator[Outcome]:
    vaults = {one.name.casefold() for one in topology.estate.every("azurerm_key_vault")}
    path = "key_vault_reference_identity_id"
    for app in topology.apps:
        if app.unsure("app_settings"):
            yield Doubt(app.address, "some of its settings are not known yet")
        # Without an argument App Service takes the identity that it gave the application itself.
        opener = app.refers(path)
        opens = opener in identities_of(app) or (
            opener in ("", "systemassigned") and names_itself(app)
        )
        references = {
            name: value for name, value in settings_of(app).items() if refers_to_vault(value)
        }
        if not references:
            yield Seen(app.address, "none of its settings refers to a vault")
        for name, value in sorted(references.items()):
            found = reference(value)
            if found is None:
                says = f"setting {name} is no reference that App Service understands"
                mend = entry("app_settings", name, _REFERENCE)
                yield Finding(app.address, f"app_settings.{name}", says, mend)
                continue
            outside = found.vault not in topology.by_host and found.vault not in vaults
            if outside:
                yield Doubt(app.address, f"setting {name} refers to a vault outside the estate")
            elif opens:
                yield Seen(app.address, f"setting {name} refers to a vault that it opens")
            if not opens:
                says = f"setting {name} refers to a vault that none of its identities opens"
                mend = f"{path} = azurerm_user_assigned_identity.this.id"
                yield Finding(app.address, path, says, mend)


def _taken(topology: Topology) -> Iterator[Outcome]:
    """Yield where a type that no other statement knows takes a key."""
    yield from _ENTRA_ONLY(topology)
    for one in topology.estate.resources:
        for name in _KEY_ARGUMENTS if one.type not in _JUDGED else ():
            value = one.get(name)
            if value is UNKNOWN:
                yield Doubt(one.address, f"{name} is not known yet")
            elif name in one.values and value is not False and (value or name != "admin_enabled"):
                yield Finding(one.address, name, "it takes a key or a password", f"{name} = false")


def _policies(topology: Topology) -> Iterator[Outcome]:
    for one in topology.estate.every("azurerm_key_vault"):
        yield from held(one, "rbac_authorization_enabled", (True,), False)
        for name in ("enabled_for_deployment", "enabled_for_template_deployment"):
            yield from held(one, name, (False,), False)
        if one.unsure("access_policy") and one.get("rbac_authorization_enabled") is not True:
            yield Doubt(one.address, "its access policies are not known yet")
        if one.blocks("access_policy"):
            yield Finding(
                one.address,
                "access_policy",
                "access policies bypass roles",
                "rbac_authorization_enabled = true",
            )
    for one in topology.estate.every("azurerm_key_vault_access_policy"):
        yield Finding(
            one.address, "", "access policies bypass roles", "# a role on the secret or key instead"
        )


STATEMENTS: Final = (
    Statement(
        "KEYS-01",
        "No storage account takes a shared key, a SAS made from one, or a local user",
        Severity.CRITICAL,
        "A key is nobody: it cannot be asked who it is, and it works until somebody rotates it.",
        ("MCSB IM-1", "Azure Policy 8c6a50c6-9ffd-4ae7-986f-5fa6111f9a54", "checkov CKV2_AZURE_40", "checkov CKV_AZURE_244"),
        settings(
            Setting(("azurerm_storage_account",), "shared_access_key_enabled", (False,), True),
            Setting(("azurerm_storage_account",), "local_user_enabled", (False,), True),
            Setting(("azurerm_storage_account",), "sftp_enabled", (False,), False),
            Setting(("azurerm_storage_account",), "nfsv3_enabled", (False,), False),
        ),
        ("azurerm_storage_account",),
    ),
    Statement(
        "KEYS-02",
        "Cosmos DB takes Entra ID only",
        Severity.CRITICAL,
        "Its keys read and write everything that anybody ever wrote.",
        ("MCSB IM-1", "Azure Policy 5450f5bd-9c72-4390-a9c4-a7aba4edfdd2", "checkov CKV_AZURE_132"),
        settings(
            Setting(("azurerm_cosmosdb_account",), "local_authentication_enabled", (False,), True),
            Setting(("azurerm_cosmosdb_account",), "access_key_metadata_writes_enabled", (False,), True),
        ),
        ("azurerm_cosmosdb_account",),
    ),
    Statement(
        "KEYS-03",
        "Model accounts, search, registries and all others take Entra ID only",
        Severity.CRITICAL,
        "A key to the model works from anywhere that reaches it, for anybody who has read it once.",
        ("MCSB IM-1", "Azure Policy 71ef260a-8f18-47b7-abcb-62d0673d94dc", "checkov CKV_AZURE_236"),
        _taken,
        ("azurerm_cognitive_account", "azurerm_search_service", "azurerm_container_registry"),
    ),
    Statement(
        "KEYS-04",
        "Telemetry takes Entra ID only",
        Severity.HIGH,
        "An instrumentation key lets anybody write history.",
        ("MCSB IM-1", "Azure Policy 199d5677-e4d9-4264-9465-efe1839c06bd"),
        settings(
            Setting(("azurerm_application_insights",), "local_authentication_enabled", (False,), True),
            Setting(("azurerm_log_analytics_workspace",), "local_authentication_enabled", (False,), True),
        ),
        ("azurerm_application_insights", "azurerm_log_analytics_workspace"),
    ),
    Statement(
        "KEYS-05",
        "No application or slot takes publishing credentials, FTP or a remote debugger",
        Severity.CRITICAL,
        "Publishing credentials replace the code of an application without anybody signing in.",
        ("MCSB IM-1", "Azure Policy aede300b-d67f-480a-ae26-4b3dfb1a1fdc", "Azure Policy 871b205b-57cf-4e1e-a234-492616998bf7", "checkov CKV_AZURE_78", "checkov CKV_AZURE_72"),
        settings(
            Setting(SITES, "ftp_publish_basic_authentication_enabled", (False,), True),
            Setting(SITES, "webdeploy_publish_basic_authentication_enabled", (False,), True),
            Setting(SITES, "site_config.0.ftps_state", ("Disabled",), "Disabled"),
            Setting(SITES, "site_config.0.remote_debugging_enabled", (False,), False),
        ),
        SITES,
    ),
    Statement(
        "KEYS-06",
        "The function host opens its storage with an identity",
        Severity.HIGH,
        "The host's storage holds its code's schedule and its own keys.",
        ("MCSB IM-1", "MCSB IM-3"),
        _host,
        FUNCTIONS,
    ),
    Statement(
        "KEYS-10",
        "Every reference into a vault resolves",
        Severity.MEDIUM,
        "One that does not is replaced by a literal secret under pressure.",
        ("MCSB IM-8",),
        _references,
        SITES,
        relations=True,
    ),
    Statement(
        "KEYS-11",
        "Vaults answer to roles, not to access policies",
        Severity.HIGH,
        "Whoever may write an access policy may give himself every key.",
        ("MCSB PA-7", "Azure Policy 12d4fa5e-1f9f-4c21-97a9-b99b3c6611b5"),
        _policies,
        ("azurerm_key_vault", "azurerm_key_vault_access_policy"),
    ),
)  # fmt: skip
