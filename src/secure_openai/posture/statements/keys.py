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
from secure_openai.posture.estate import UNKNOWN, Estate, Resource, leaves
from secure_openai.posture.hcl import Expression, entry
from secure_openai.posture.private_link import FUNCTIONS, MACHINES, SITES
from secure_openai.posture.secrets import (
    LEAST,
    argument,
    copied,
    gives_out,
    named_values,
    published,
    script,
    setting,
    telling,
)
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
from secure_openai.posture.topology import Topology

_WRITTEN_SECRETS: Final = (
    "azuread_application_password",
    "azuread_service_principal_password",
    "azuread_application_certificate",
)
_VAULTED: Final = "azurerm_key_vault_secret"
_EXTENSION: Final = "azurerm_virtual_machine_extension"
_REFERENCE: Final = Expression(
    '"@Microsoft.KeyVault(SecretUri=${azurerm_key_vault_secret.this.versionless_id})"'
)
_REMOVE: Final = "# remove it: the identity of the application is its credential"
# What a machine runs or starts with, by the argument that holds it.
_SCRIPTS: Final = (
    "commands", "commandToExecute", "custom_data", "custom_data_base64", "protected_settings", "script",
    "settings", "user_data", "user_data_base64",
)  # fmt: skip
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
_SHORTEST: Final = 4
_ENTRA_ONLY: Final = settings(
    Setting(("azurerm_cognitive_account",), "local_auth_enabled", (False,), True),
    Setting(("azurerm_search_service",), "local_authentication_enabled", (False,), True),
    Setting(("azurerm_container_registry",), "admin_enabled", (False,), False),
    Setting(("azurerm_container_registry",), "anonymous_pull_enabled", (False,), False),
    Setting(("azurerm_postgresql_flexible_server",), "authentication.0.password_auth_enabled", (False,), True),
)  # fmt: skip


def _stored(topology: Topology) -> Iterator[Outcome]:
    estate = topology.estate
    keys = published(estate)
    for app in topology.apps:
        yield from _in_settings(estate, app, keys)
    for name, value in sorted(estate.outputs.items()):
        if value is UNKNOWN:
            yield Doubt(f"output.{name}", "the output is not known yet")
        elif any(_given_out(name, steps, one, keys) for steps, one in leaves(value)):
            says = f"output {name} holds a secret"
            yield Finding(f"output.{name}", "value", says, "# give out names, not secrets")
    for one in estate.every(_VAULTED):
        yield from _in_vault(one, keys)
    for one in estate.resources:
        if one.type not in SITES and one.type != _VAULTED and one.type not in _WRITTEN_SECRETS:
            yield from _anywhere(estate, one, keys)


def _in_settings(estate: Estate, app: Resource, keys: frozenset[str]) -> Iterator[Outcome]:
    if app.unsure("app_settings", "backup", "connection_string", "storage_account"):
        yield Doubt(app.address, "some of its settings are not known yet")
    yield from _given_later(app)
    marked = app.sensitive.get("app_settings")
    for name, value in sorted(settings_of(app).items()):
        hidden = isinstance(marked, dict) and marked.get(name) is True and _hidden(name, value)
        if reference(value) is None and (hidden or setting(name, value, keys)):
            yield Finding(
                app.address, f"app_settings.{name}", f"setting {name} holds a secret", _REMOVE
            )
    for block in app.blocks("connection_string"):
        if block.get("value") and reference(block.get("value")) is None:
            says = f"connection string {block.get('name')} holds a secret"
            yield Finding(app.address, "connection_string", says, _REMOVE)
    for block in app.blocks("storage_account"):
        if block.get("access_key"):
            says = f"share {block.get('name')} is opened with a key"
            yield Finding(app.address, "storage_account", says, _REMOVE)
    for steps, value in estate.leaves_of(app):
        if steps[0] in ("app_settings", "connection_string", "site_credential", "storage_account"):
            continue
        if isinstance(value, str) and (
            argument(app, steps, value) or copied(value, keys) or telling(value)
        ):
            path = ".".join(map(str, steps))
            yield Finding(app.address, path, f"{path} holds a secret", _REMOVE)


def _hidden(name: str, value: object) -> bool:
    """Return whether a setting that Terraform marks as sensitive is more than an address of telemetry."""
    return (
        isinstance(value, str)
        and len(value) >= LEAST
        and not value.startswith("https://")
        and not name.startswith(("APPLICATIONINSIGHTS_", "APPINSIGHTS_"))
    )


def _given_out(
    name: str, steps: tuple[str | int, ...], value: object, keys: frozenset[str]
) -> bool:
    inner = next((one for one in reversed(steps) if isinstance(one, str)), name)
    plain = isinstance(value, str) and value.startswith("/")
    return setting("" if plain else inner, value, keys)


def _in_vault(one: Resource, keys: frozenset[str]) -> Iterator[Outcome]:
    value = one.get("value")
    if value is UNKNOWN or (
        not value and (one.values.get("value_wo_version") or one.unsure("value_wo"))
    ):
        yield Doubt(one.address, "its value is written by Terraform and cannot be seen")
    elif isinstance(value, str) and value:
        taken = copied(value, keys)
        says = (
            "a service's key is copied into the vault"
            if taken
            else "its value stands in Terraform's state"
        )
        yield Finding(one.address, "value", says, _REMOVE, None if taken else Severity.MEDIUM)


def _anywhere(estate: Estate, one: Resource, keys: frozenset[str]) -> Iterator[Outcome]:
    """Yield where a resource of any type holds a copy of a key, or an argument that is a secret."""
    found = [
        steps
        for steps, value in estate.leaves_of(one)
        if isinstance(value, str)
        and len(value) >= _SHORTEST
        and not (isinstance(steps[-1], str) and steps[-1].endswith("_id"))
        and _holds(one, steps, value, keys)
    ]
    found += [
        steps
        for steps, name, value in named_values(estate.leaves_of(one))
        if reference(value) is None and setting(name, value, keys)
    ]
    for steps in dict.fromkeys(found):
        path = ".".join(map(str, steps))
        yield Finding(one.address, path, f"{path} holds a secret", _REMOVE)
    for name in _SCRIPTS:
        if one.type in MACHINES and one.unsure(name):
            yield Doubt(one.address, f"{name} is not known yet")
    yield from _given_later(one)


def _given_later(one: Resource) -> Iterator[Outcome]:
    for steps in sorted(one.unknown, key=str):
        if argument(one, steps, "later"):
            yield Doubt(one.address, f"{'.'.join(map(str, steps))} is not known yet")


def _holds(one: Resource, steps: tuple[str | int, ...], value: str, keys: frozenset[str]) -> bool:
    name = next((str(step) for step in reversed(steps) if isinstance(step, str)), "")
    machine = one.type in MACHINES or one.type == _EXTENSION
    if name in _SCRIPTS and (machine or name not in ("settings", "script")):
        return script(value, keys)
    if one.type in MACHINES and name == "admin_password":
        # KEYS-09 says so.
        return False
    if argument(one, steps, value):
        return True
    return not gives_out(one, steps, value) and (copied(value, keys) or telling(value))


def _written(topology: Topology) -> Iterator[Outcome]:
    mend = 'resource "azuread_application_federated_identity_credential" "this" {}'
    for one in topology.estate.every(*_WRITTEN_SECRETS):
        yield Finding(one.address, "", "the application has a secret that can be stolen", mend)
    for one in topology.estate.every("azuread_application"):
        if one.blocks("password"):
            yield Finding(
                one.address, "password", "the application has a secret that can be stolen", mend
            )
        elif ("password",) in one.unknown:
            yield Doubt(one.address, "whether it has a secret is not known yet")


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
        for name, value in sorted(settings_of(app).items()):
            if not refers_to_vault(value):
                continue
            found = reference(value)
            if found is None:
                says = f"setting {name} is no reference that App Service understands"
                mend = entry("app_settings", name, _REFERENCE)
                yield Finding(app.address, f"app_settings.{name}", says, mend)
                continue
            if found.vault not in topology.by_host and found.vault not in vaults:
                yield Doubt(app.address, f"setting {name} refers to a vault outside the estate")
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
        "KEYS-07",
        "No secret is stored in settings, outputs or a vault",
        Severity.CRITICAL,
        "What is stored is read by everybody who may read the portal, the state or a log.",
        ("MCSB IM-8",),
        _stored,
        (*SITES, _VAULTED, _EXTENSION),
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
