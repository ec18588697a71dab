"""Keys: that none is usable, and none is stored."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from secure_openai.posture.applications import identities_of, settings_of
from secure_openai.posture.private_link import APPS, FUNCTIONS, SLOTS
from secure_openai.posture.statements.statement import (
    Doubt,
    Finding,
    Outcome,
    Setting,
    Severity,
    Statement,
    held,
    settings,
)
from secure_openai.posture.topology import Topology, hosts_in

_SITES: Final = (*APPS, *SLOTS)
_REFERENCE: Final = re.compile(r"@Microsoft\.KeyVault\((.+)\)\s*$", re.IGNORECASE)
_SECRET_NAME: Final = re.compile(
    r"(?:^|[_.:-])(?:api_?key|access_?key|account_?key|key|secret|password|passwd|pwd|sas|token|credential)s?$|connection_?string$|apikey|clientsecret",
    re.IGNORECASE,
)
_SECRET_TEXT: Final = re.compile(
    r"AccountKey=|SharedAccess(?:Key|Signature)=|[?&]sig=|Password=|client_secret=|-----BEGIN [A-Z ]*PRIVATE KEY|\b[0-9a-f]{32}\b(?<!-)|^[A-Za-z0-9+/]{43,}={0,2}$",
    re.IGNORECASE,
)
_TOKEN: Final = re.compile(r"[\w+/=.-]{16,}")
_NO_SECRET: Final = ("APPLICATIONINSIGHTS_CONNECTION_STRING", "AzureWebJobsStorage__credential")
_WRITTEN_SECRETS: Final = (
    "azuread_application_password",
    "azuread_service_principal_password",
    "azuread_application_certificate",
)
_KEY_ATTRIBUTE: Final = re.compile(
    r"(?:access_key|_key|_connection_string|shared_key)$|^primary_key$|^secondary_key$"
)
# A connection string of telemetry only names where to send: Entra ID is asked besides (KEYS-04).
_NO_SERVICE: Final = ("azurerm_application_insights", "azurerm_key_vault_secret")
_MACHINES: Final = ("azurerm_linux_virtual_machine", "azurerm_windows_virtual_machine")


def _published(topology: Topology) -> set[str]:
    """Return every key that a service of the estate has, so that a copy of it is recognised."""
    return {
        value
        for one in topology.estate.resources
        for name, value in one.values.items()
        if isinstance(value, str) and len(value) >= 16 and _KEY_ATTRIBUTE.search(name) and one.type.startswith("azurerm_") and one.type not in _NO_SERVICE and one.sensitive.get(name) is not False
        and not value.startswith(("ssh-", "/", "https://"))
    }  # fmt: skip


def _looks_secret(name: str, value: Any, keys: set[str]) -> bool:
    if not isinstance(value, str) or not value or _REFERENCE.search(value):
        return False
    if value in keys or any(token in keys for token in _TOKEN.findall(value)):
        return True
    if name in _NO_SECRET:
        return False
    if _SECRET_TEXT.search(value):
        return True
    return bool(_SECRET_NAME.search(name)) and not value.startswith("https://")


def _stored(topology: Topology) -> Iterator[Outcome]:
    keys = _published(topology)
    remove = "# remove it: the identity of the application is its credential"
    for app in topology.apps:
        for name, value in sorted(settings_of(app).items()):
            if _looks_secret(name, value, keys):
                yield Finding(
                    app.address, f"app_settings.{name}", f"setting {name} holds a secret", remove
                )
        for block in app.blocks("connection_string"):
            value = block.get("value")
            if value and not _REFERENCE.search(str(value)):
                yield Finding(
                    app.address,
                    "connection_string",
                    f"connection string {block.get('name')} holds a secret",
                    remove,
                )
    for name, value in sorted(topology.estate.outputs.items()):
        label = name if isinstance(value, str) and not value.startswith("/") else ""
        if any(_looks_secret(label, text, keys) for text in _texts(value)):
            yield Finding(
                f"output.{name}",
                "value",
                f"output {name} holds a secret",
                "# give out names, not secrets",
            )
    for one in topology.estate.every("azurerm_key_vault_secret"):
        value = one.values.get("value")
        if isinstance(value, str) and value:
            copied = value in keys
            says = (
                "a service's key is copied into the vault"
                if copied
                else "its value stands in Terraform's state"
            )
            yield Finding(one.address, "value", says, remove, None if copied else Severity.MEDIUM)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


def _written(topology: Topology) -> Iterator[Outcome]:
    mend = 'resource "azuread_application_federated_identity_credential" "this" {}'
    for one in topology.estate.every(*_WRITTEN_SECRETS):
        yield Finding(one.address, "", "the application has a secret that can be stolen", mend)
    for one in topology.estate.every("azuread_application"):
        if one.blocks("password"):
            yield Finding(
                one.address, "password", "the application has a secret that can be stolen", mend
            )


def _host(topology: Topology) -> Iterator[Outcome]:
    for one in topology.estate.every(*FUNCTIONS):
        yield from held(one, "storage_uses_managed_identity", (True,), False)
        if one.values.get("storage_account_access_key") or one.values.get(
            "storage_key_vault_secret_id"
        ):
            yield Finding(
                one.address,
                "storage_account_access_key",
                "its storage is opened with a key",
                "storage_uses_managed_identity = true",
            )
        if settings_of(one).get("AzureWebJobsStorage"):
            yield Finding(
                one.address,
                "app_settings.AzureWebJobsStorage",
                "its storage is opened with a key",
                "storage_uses_managed_identity = true",
            )


def _machines(topology: Topology) -> Iterator[Outcome]:
    for one in topology.estate.every(_MACHINES[0]):
        password = one.get("password_authentication_enabled")
        if password is None and one.get("disable_password_authentication") is not None:
            password = one.get("disable_password_authentication") is False
        if password is True or one.values.get("admin_password"):
            yield Finding(
                one.address,
                "admin_password",
                "it lets people in by password",
                "# an SSH key, and sign-in with Entra ID",
            )
    for one in topology.estate.every(_MACHINES[1]):
        yield Finding(
            one.address,
            "admin_password",
            "its administrator has a password in the state",
            "# a Linux machine with sign-in by Entra ID",
        )


def _references(topology: Topology) -> Iterator[Outcome]:
    for app in topology.apps:
        identities = identities_of(app)
        for name, value in sorted(settings_of(app).items()):
            found = _REFERENCE.search(value) if isinstance(value, str) else None
            if not found:
                continue
            text = found.group(1)
            hosts = hosts_in(text)
            vault = re.search(r"VaultName=([\w-]+)", text)
            names = {one.name.casefold() for one in topology.estate.every("azurerm_key_vault")}
            known = any(host in topology.by_host for host in hosts) or bool(
                vault and vault.group(1).casefold() in names
            )
            if not known:
                yield Doubt(app.address, f"setting {name} refers to a vault outside the estate")
            if app.refers("key_vault_reference_identity_id") not in identities:
                says = f"setting {name} refers to a vault that none of its identities opens"
                yield Finding(
                    app.address,
                    "key_vault_reference_identity_id",
                    says,
                    "key_vault_reference_identity_id = azurerm_user_assigned_identity.this.id",
                )


def _policies(topology: Topology) -> Iterator[Outcome]:
    for one in topology.estate.every("azurerm_key_vault"):
        yield from held(one, "rbac_authorization_enabled", (True,), False)
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
        ("MCSB IM-1", "Azure Policy 8c6a50c6", "checkov CKV2_AZURE_40", "checkov CKV_AZURE_244"),
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
        ("MCSB IM-1", "Azure Policy 5450f5bd", "checkov CKV_AZURE_132"),
        settings(
            Setting(("azurerm_cosmosdb_account",), "local_authentication_enabled", (False,), True),
            Setting(("azurerm_cosmosdb_account",), "access_key_metadata_writes_enabled", (False,), True),
        ),
        ("azurerm_cosmosdb_account",),
    ),
    Statement(
        "KEYS-03",
        "Model accounts, search and registries take Entra ID only",
        Severity.CRITICAL,
        "A key to the model works from anywhere that reaches it, for anybody who has read it once.",
        ("MCSB IM-1", "Azure Policy 71ef260a", "checkov CKV_AZURE_236"),
        settings(
            Setting(("azurerm_cognitive_account",), "local_auth_enabled", (False,), True),
            Setting(("azurerm_search_service",), "local_authentication_enabled", (False,), True),
            Setting(("azurerm_container_registry",), "admin_enabled", (False,), False),
        ),
        ("azurerm_cognitive_account", "azurerm_search_service", "azurerm_container_registry"),
    ),
    Statement(
        "KEYS-04",
        "Telemetry takes Entra ID only",
        Severity.HIGH,
        "An instrumentation key lets anybody write history.",
        ("MCSB IM-1", "Azure Policy 199d5677"),
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
        ("MCSB IM-1", "Azure Policy aede300b", "Azure Policy 871b205b", "checkov CKV_AZURE_78", "checkov CKV_AZURE_72"),
        settings(
            Setting(_SITES, "ftp_publish_basic_authentication_enabled", (False,), True),
            Setting(_SITES, "webdeploy_publish_basic_authentication_enabled", (False,), True),
            Setting(_SITES, "site_config.0.ftps_state", ("Disabled",), "Disabled"),
            Setting(_SITES, "site_config.0.remote_debugging_enabled", (False,), False),
        ),
        _SITES,
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
        "KEYS-07",
        "No secret is stored in settings, outputs or a vault",
        Severity.CRITICAL,
        "What is stored is read by everybody who may read the portal, the state or a log.",
        ("MCSB IM-8",),
        _stored,
        (*_SITES, "azurerm_key_vault_secret"),
    ),
    Statement(
        "KEYS-08",
        "No Entra application has a secret",
        Severity.CRITICAL,
        "With an application's secret anybody signs people in, in its name.",
        ("MCSB IM-3", "MCSB IM-8"),
        _written,
        ("azuread_application", *_WRITTEN_SECRETS),
    ),
    Statement(
        "KEYS-09",
        "No machine lets people in by password",
        Severity.HIGH,
        "Passwords are guessed and shared.",
        ("MCSB IM-6", "checkov CKV_AZURE_1", "checkov CKV_AZURE_178"),
        _machines,
        _MACHINES,
    ),
    Statement(
        "KEYS-10",
        "Every reference into a vault resolves",
        Severity.MEDIUM,
        "One that does not is replaced by a literal secret under pressure.",
        ("MCSB IM-8",),
        _references,
        _SITES,
        relations=True,
    ),
    Statement(
        "KEYS-11",
        "Vaults answer to roles, not to access policies",
        Severity.HIGH,
        "Whoever may write an access policy may give himself every key.",
        ("MCSB PA-7", "Azure Policy 12d4fa5e"),
        _policies,
        ("azurerm_key_vault", "azurerm_key_vault_access_policy"),
    ),
)  # fmt: skip
