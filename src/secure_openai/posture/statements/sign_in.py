"""Sign-in: that every door asks who is there, and knows what to believe."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from secure_openai.posture.applications import identities_of, is_ours, settings_of
from secure_openai.posture.estate import Resource, fold
from secure_openai.posture.private_link import APPS, FUNCTIONS, LOGIN, SLOTS, WEB
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
from secure_openai.tables import table

_SITES: Final = (*APPS, *SLOTS)
_START: Final = "python -m secure_openai.cli serve"
_STICKY: Final = (
    "AZURE_CLIENT_ID",
    "SECURE_OPENAI_CLIENT_ID",
    "SECURE_OPENAI_COSMOS_DATABASE",
    "SECURE_OPENAI_PUBLIC_URL",
)
_STICKY_WEB: Final = (*_STICKY, "SECURE_OPENAI_ALLOWED_HOSTS")


def _doors(topology: Topology) -> Iterator[Outcome]:
    applications = {
        one.values.get("client_id"): one for one in topology.estate.every("azuread_application")
    }
    for app in topology.estate.every(*WEB):
        if not is_ours(app):
            yield from _easy_auth(app)
            continue
        values = settings_of(app)
        host = topology.doors_of[app.address][0].hosts[0]
        tenant = values.get("SECURE_OPENAI_TENANT_ID")
        authority = f"https://{LOGIN[topology.cloud]}/{tenant}/v2.0"
        if values.get("SECURE_OPENAI_AUTHORITY") != authority or not tenant:
            yield Finding(
                app.address,
                "app_settings.SECURE_OPENAI_AUTHORITY",
                "its authority is not its tenant in this cloud",
                f'SECURE_OPENAI_AUTHORITY = "https://{LOGIN[topology.cloud]}/${{var.entra.tenant_id}}/v2.0"',
            )
        url = str(values.get("SECURE_OPENAI_PUBLIC_URL") or "")
        named = url.removeprefix("https://").rstrip("/")
        gateway = bool(topology.estate.every("azurerm_application_gateway"))
        if not url.startswith("https://") or (named != host and not gateway):
            yield Finding(
                app.address,
                "app_settings.SECURE_OPENAI_PUBLIC_URL",
                "its address is not its hostname",
                f'SECURE_OPENAI_PUBLIC_URL = "https://{host}"',
            )
        allowed = {
            one.strip() for one in str(values.get("SECURE_OPENAI_ALLOWED_HOSTS") or "").split(",")
        }
        if "*" in allowed or named not in allowed or not allowed <= {host, named}:
            yield Finding(
                app.address,
                "app_settings.SECURE_OPENAI_ALLOWED_HOSTS",
                "it answers to names that are not its own",
                f'SECURE_OPENAI_ALLOWED_HOSTS = "{host}"',
            )
        if values.get("SECURE_OPENAI_MODEL_SOURCE") != "azure":
            yield Finding(
                app.address,
                "app_settings.SECURE_OPENAI_MODEL_SOURCE",
                "its model is not Azure OpenAI",
                'SECURE_OPENAI_MODEL_SOURCE = "azure"',
            )
        application = applications.get(values.get("SECURE_OPENAI_CLIENT_ID"))
        if application is None:
            yield Doubt(app.address, "its Entra application lies outside the estate")
        else:
            yield from _application(topology, app, application, named)
        if app.blocks("auth_settings_v2") and app.blocks("auth_settings_v2")[0].get("auth_enabled"):
            yield Finding(
                app.address,
                "auth_settings_v2",
                "a second login stands before its own and breaks gateway clients",
                "# remove the block",
            )


def _application(
    topology: Topology, app: Resource, application: Resource, named: str
) -> Iterator[Outcome]:
    redirects = [
        uri for block in application.blocks("web") for uri in block.get("redirect_uris") or ()
    ]
    if redirects != [f"https://{named}/auth/callback"]:
        yield Finding(
            application.address,
            "web.0.redirect_uris",
            f"its redirect addresses are not {named}'s alone",
            f'redirect_uris = ["https://{named}/auth/callback"]',
        )
    own = {
        fold(identity.values.get("principal_id"))
        for one in identities_of(app)
        if (identity := topology.estate.known(one))
    }
    trusted = {
        fold(one.values.get("subject"))
        for one in topology.estate.naming(
            "azuread_application_federated_identity_credential", "application_id", application.id
        )
    }
    if trusted != own:
        yield Finding(
            application.address,
            "",
            f"it does not trust {app.name}'s identity, or trusts another's",
            'resource "azuread_application_federated_identity_credential" "this" {\n  subject = azurerm_user_assigned_identity.this.principal_id\n}',
        )


def _easy_auth(app: Resource) -> Iterator[Outcome]:
    block = app.get("auth_settings_v2.0")
    if not block or app.get("auth_settings_v2.0.auth_enabled") is not True:
        yield Finding(
            app.address,
            "auth_settings_v2",
            "nobody asks who comes in",
            'auth_settings_v2 {\n  auth_enabled           = true\n  require_authentication = true\n  unauthenticated_action = "Return401"\n}',
        )
        return
    for path, accepted, default in (
        ("require_authentication", (True,), False),
        (
            "unauthenticated_action",
            ("Return401", "Return403", "RedirectToLoginPage"),
            "RedirectToLoginPage",
        ),
        ("require_https", (True,), True),
    ):
        yield from held(app, f"auth_settings_v2.0.{path}", accepted, default)
    if app.get("auth_settings_v2.0.excluded_paths"):
        yield Finding(
            app.address,
            "auth_settings_v2.0.excluded_paths",
            "some paths ask nobody",
            "excluded_paths = []",
        )
    if not app.get("auth_settings_v2.0.active_directory_v2"):
        yield Finding(
            app.address,
            "auth_settings_v2.0.active_directory_v2",
            "it does not ask Entra ID",
            "active_directory_v2 {}",
        )


def _functions(topology: Topology) -> Iterator[Outcome]:
    for app in topology.estate.every(*FUNCTIONS):
        yield from _easy_auth(app)
        endpoint = str(
            app.get("auth_settings_v2.0.active_directory_v2.0.tenant_auth_endpoint") or ""
        )
        if endpoint and not endpoint.startswith(f"https://{LOGIN[topology.cloud]}/"):
            yield Finding(
                app.address,
                "auth_settings_v2.0.active_directory_v2.0.tenant_auth_endpoint",
                "it asks another cloud's Entra ID",
                f'tenant_auth_endpoint = "https://{LOGIN[topology.cloud]}/${{var.tenant_id}}/v2.0"',
            )


def _entra(topology: Topology) -> Iterator[Outcome]:
    for one in topology.estate.every("azuread_application"):
        yield from held(one, "sign_in_audience", ("AzureADMyOrg",), "AzureADMyOrg")
        for uri in [
            uri
            for kind in ("web", "single_page_application")
            for block in one.blocks(kind)
            for uri in block.get("redirect_uris") or ()
        ]:
            if uri is None:
                yield Doubt(one.address, "its redirect addresses are not known yet")
                continue
            if not uri.startswith("https://") or "localhost" in uri or "*" in uri:
                yield Finding(
                    one.address,
                    "web.0.redirect_uris",
                    f"{uri} is no address of the estate",
                    "# https and the hostname only",
                )
        for name in ("access_token_issuance_enabled", "id_token_issuance_enabled"):
            if one.get(f"web.0.implicit_grant.0.{name}") is True:
                yield Finding(
                    one.address,
                    f"web.0.implicit_grant.0.{name}",
                    "tokens are given out in the address bar",
                    f"{name} = false",
                )
        public = one.get("fallback_public_client_enabled") is True
        if one.blocks("app_role") or one.blocks("web"):
            if public:
                yield Finding(
                    one.address,
                    "fallback_public_client_enabled",
                    "anybody may ask for tokens in its name",
                    "fallback_public_client_enabled = false",
                )
            if one.get("api.0.requested_access_token_version") != 2:
                yield Finding(
                    one.address,
                    "api.0.requested_access_token_version",
                    "its tokens are of version 1, which say less about who asks",
                    "requested_access_token_version = 2",
                )
            claims = [
                claim.get("name")
                for block in one.blocks("optional_claims")
                for claim in block.get("access_token") or ()
            ]
            if "idtyp" not in claims:
                yield Finding(
                    one.address,
                    "optional_claims.0.access_token",
                    "its tokens do not say whether a person or an application asks",
                    'optional_claims {\n  access_token {\n    name = "idtyp"\n  }\n}',
                )
        for role in one.blocks("app_role"):
            if str(role.get("value")).casefold() in (
                "admin",
                "administrator",
            ) and "Application" in (role.get("allowed_member_types") or ()):
                yield Finding(
                    one.address,
                    "app_role",
                    "an application can be an administrator",
                    'allowed_member_types = ["User"]',
                )
    clients = {
        one.values.get("client_id"): one for one in topology.estate.every("azuread_application")
    }
    for one in topology.estate.every("azuread_service_principal"):
        client = one.values.get("client_id")
        if client is None:
            yield Doubt(one.address, "its Entra application is not known yet")
            continue
        application = clients.get(client)
        if application and application.blocks("app_role"):
            yield from held(one, "app_role_assignment_required", (True,), False)


def _start(topology: Topology) -> Iterator[Outcome]:
    for app in topology.estate.every(*WEB):
        if is_ours(app):
            yield from held(app, "site_config.0.app_command_line", (_START,))
    slots_of: dict[str, list[Resource]] = {}
    for one in topology.estate.every(*SLOTS):
        parent = one.refers("app_service_id") or one.refers("function_app_id")
        slots_of.setdefault(parent, []).append(one)
    for app in topology.estate.every(*APPS):
        slots = slots_of.get(fold(app.id), [])
        if not slots or not is_ours(app):
            continue
        sticky = set(app.get("sticky_settings.0.app_setting_names") or ())
        wanted = set(_STICKY_WEB if app.type in WEB else _STICKY)
        values = settings_of(app)
        for slot in slots:
            if any(path[0] == "app_settings" for path in (*app.unknown, *slot.unknown)):
                yield Doubt(slot.address, "some of its settings are not known yet")
                continue
            others = settings_of(slot)
            wanted |= {
                name
                for name in values.keys() | others.keys()
                if values.get(name) != others.get(name)
            }
        for name in sorted(wanted - sticky):
            yield Finding(
                app.address,
                "sticky_settings.0.app_setting_names",
                f"setting {name} differs between slots and would be swapped with the code",
                f'sticky_settings {{\n  app_setting_names = ["{name}"]\n}}',
            )


def _routes(_: Topology) -> Iterator[Outcome]:
    for route, roles in table("routes").items():
        if not roles:
            yield Finding(
                f"route {route}",
                "",
                "it names no role and is not marked public",
                f'"{route}": ["user"]',
            )
        else:
            yield Seen(f"route {route}", f"asks for {' or '.join(roles)}")


def _models(topology: Topology) -> Iterator[Outcome]:
    known = {f"https://{host}/" for host in topology.by_host}
    for app in topology.apps:
        text = settings_of(app).get("SECURE_OPENAI_MODEL_ACCOUNTS")
        if not isinstance(text, str):
            continue
        try:
            accounts = json.loads(text)
        except ValueError:
            yield Finding(
                app.address,
                "app_settings.SECURE_OPENAI_MODEL_ACCOUNTS",
                "its model accounts cannot be read",
                "# jsonencode the map of accounts",
            )
            continue
        for key, account in sorted(accounts.items()):
            if account.get("url") not in known:
                yield Finding(
                    app.address,
                    "app_settings.SECURE_OPENAI_MODEL_ACCOUNTS",
                    f"account {key} is none of the estate",
                    "# the account's own endpoint",
                )
            else:
                yield Seen(app.address, f"account {key} is {account['url']}, of the estate")


STATEMENTS: Final = (
    Statement(
        "SIGNIN-01",
        "Every web door signs people in with this tenant, under its own name, without a secret",
        Severity.CRITICAL,
        "An application that believes another tenant, or answers to another name, lets strangers in.",
        ("MCSB IM-1", "MCSB IM-6", "checkov CKV_AZURE_13"),
        _doors,
        ("azuread_application", *WEB),
        relations=True,
    ),
    Statement(
        "SIGNIN-02",
        "Every function door refuses whoever is not signed in",
        Severity.CRITICAL,
        "Jobs act for everybody; nobody may start one from outside.",
        ("MCSB IM-1",),
        _functions,
        FUNCTIONS,
    ),
    Statement(
        "SIGNIN-03",
        "Entra applications take this tenant's people, by assignment, without shortcuts",
        Severity.HIGH,
        "Without assignment every guest of the tenant is a user.",
        ("MCSB IM-6", "MCSB PA-1"),
        _entra,
        ("azuread_application", "azuread_service_principal", "azuread_app_role_assignment"),
    ),
    Statement(
        "SIGNIN-04",
        "What runs is the application, and a swap moves code and nothing else",
        Severity.HIGH,
        "A setting that is swapped with the code puts test data and test identities in production.",
        ("MCSB PV-2",),
        _start,
        (*APPS, *SLOTS),
    ),
    Statement(
        "SIGNIN-05",
        "Every route names a role or is public",
        Severity.CRITICAL,
        "The application refuses to start otherwise; the table is held to it.",
        ("MCSB PA-7",),
        _routes,
    ),
    Statement(
        "SIGNIN-06",
        "Every door speaks HTTPS with TLS 1.2 or better, and nothing else",
        Severity.HIGH,
        "A token in the clear is anybody's.",
        ("MCSB DP-3", "Azure Policy a4af4a39", "Azure Policy f0e6e85b", "Azure Policy 404c3081", "checkov CKV_AZURE_14", "checkov CKV_AZURE_15", "checkov CKV_AZURE_44"),
        settings(
            Setting(_SITES, "https_only", (True,), False),
            Setting(_SITES, "site_config.0.minimum_tls_version", ("1.2", "1.3"), "1.2"),
            Setting(_SITES, "site_config.0.scm_minimum_tls_version", ("1.2", "1.3"), "1.2"),
            Setting(("azurerm_storage_account",), "https_traffic_only_enabled", (True,), True),
            Setting(("azurerm_storage_account",), "min_tls_version", ("TLS1_2", "TLS1_3"), "TLS1_2"),
            Setting(("azurerm_cosmosdb_account",), "minimal_tls_version", ("Tls12",), "Tls12"),
        ),
        (*_SITES, "azurerm_storage_account", "azurerm_cosmosdb_account"),
    ),
    Statement(
        "SIGNIN-07",
        "Applications send prompts to the estate's own model accounts only",
        Severity.HIGH,
        "Another account keeps and reads what people write.",
        ("MCSB NS-2",),
        _models,
        relations=True,
    ),
)  # fmt: skip
