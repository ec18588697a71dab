"""Sign-in: that every door asks who is there, and knows what to believe."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from secure_openai.posture.applications import identities_of, is_ours, settings_of
from secure_openai.posture.estate import UNKNOWN, Resource, fold
from secure_openai.posture.hcl import argument, entry, remark
from secure_openai.posture.private_link import APPS, FUNCTIONS, LOGIN, SITES, SLOTS, WEB
from secure_openai.posture.statements.easy_auth import easy_auth, origins, tenants_of
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
    witnessed,
)
from secure_openai.posture.topology import Topology
from secure_openai.tables import table

_START: Final = "python -m secure_openai.cli serve"
_STICKY: Final = (
    "AZURE_CLIENT_ID",
    "SECURE_OPENAI_CLIENT_ID",
    "SECURE_OPENAI_COSMOS_DATABASE",
    "SECURE_OPENAI_PUBLIC_URL",
)
# Settings that Python, the loader, TLS or the build read before the application does.
_MEDDLING: Final = frozenset(
    {
        "ALL_PROXY",
        "BASH_ENV",
        "CURL_CA_BUNDLE",
        "CUSTOM_BUILD_COMMAND",
        "ENV",
        "GUNICORN_CMD_ARGS",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "LD_AUDIT",
        "LD_LIBRARY_PATH",
        "LD_PRELOAD",
        "OPENSSL_CONF",
        "PATH",
        "PIP_CONFIG_FILE",
        "PIP_EXTRA_INDEX_URL",
        "PIP_FIND_LINKS",
        "PIP_INDEX_URL",
        "PIP_TRUSTED_HOST",
        "POST_BUILD_COMMAND",
        "POST_BUILD_SCRIPT_PATH",
        "PRE_BUILD_COMMAND",
        "PRE_BUILD_SCRIPT_PATH",
        "PYTHONBREAKPOINT",
        "PYTHONHOME",
        "PYTHONINSPECT",
        "PYTHONPATH",
        "PYTHONPLATLIBDIR",
        "PYTHONSTARTUP",
        "PYTHONUSERBASE",
        "REQUESTS_CA_BUNDLE",
        "SSLKEYLOGFILE",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "UV_DEFAULT_INDEX",
        "UV_INDEX",
        "UV_INDEX_URL",
        "WEBSITE_VNET_ROUTE_ALL",
    }
)
_GATEWAY: Final = "azurerm_application_gateway"
_WALL: Final = "azurerm_web_application_firewall_policy"
_TLS_POLICIES: Final = (
    "AppGwSslPolicy20170401S",
    "AppGwSslPolicy20220101",
    "AppGwSslPolicy20220101S",
)
_STICKY_WEB: Final = (*_STICKY, "SECURE_OPENAI_ALLOWED_HOSTS")


def _doors(topology: Topology) -> Iterator[Outcome]:
    applications = {
        one.values.get("client_id"): one for one in topology.estate.every("azuread_application")
    }
    tenants = tenants_of(topology)
    for app in topology.estate.every(*WEB):
        if not is_ours(app):
            yield from easy_auth(topology, app)
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
        if tenants and fold(tenant) not in tenants:
            says = "it believes another tenant than the estate's"
            mend = "SECURE_OPENAI_TENANT_ID = var.entra.tenant_id"
            yield Finding(app.address, "app_settings.SECURE_OPENAI_TENANT_ID", says, mend)
        yield from origins(app)
        url = str(values.get("SECURE_OPENAI_PUBLIC_URL") or "")
        named = url.removeprefix("https://").rstrip("/")
        gateways = {
            str(listener.get("host_name")).casefold()
            for one in topology.estate.every("azurerm_application_gateway")
            for listener in one.blocks("http_listener")
        }
        if not url.startswith("https://") or (named != host and named not in gateways):
            yield Finding(
                app.address,
                "app_settings.SECURE_OPENAI_PUBLIC_URL",
                "its address is not its hostname",
                entry("app_settings", "SECURE_OPENAI_PUBLIC_URL", f"https://{host}"),
            )
        allowed = {
            one.strip() for one in str(values.get("SECURE_OPENAI_ALLOWED_HOSTS") or "").split(",")
        }
        behind = host if named in gateways else named
        if "*" in allowed or not allowed & {named, behind} or not allowed <= {host, named}:
            yield Finding(
                app.address,
                "app_settings.SECURE_OPENAI_ALLOWED_HOSTS",
                "it answers to names that are not its own",
                entry("app_settings", "SECURE_OPENAI_ALLOWED_HOSTS", host),
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


def _web(topology: Topology) -> Iterator[Outcome]:
    says = "its authority is its tenant in this cloud, and its address its hostname"
    ours = [app for app in topology.estate.every(*WEB) if is_ours(app)]
    return witnessed(_doors(topology), *(Seen(app.address, says) for app in ours))


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
            argument("web.0.redirect_uris", [f"https://{named}/auth/callback"]),
        )
    else:
        yield Seen(application.address, f"it sends people back to {named} alone")
    for kind in ("public_client", "single_page_application"):
        for block in application.blocks(kind):
            for uri in block.get("redirect_uris") or ():
                if uri is None:
                    yield Doubt(application.address, f"{kind}: where tokens go is not known yet")
                    continue
                says = f"whoever answers at {uri} is handed tokens too"
                path = f"{kind}.0.redirect_uris"
                yield Finding(application.address, path, says, f"# remove the block {kind}")
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
    else:
        yield Seen(application.address, f"it trusts {app.name}'s identity alone")


def _functions(topology: Topology) -> Iterator[Outcome]:
    for app in topology.estate.every(*FUNCTIONS):
        yield from easy_auth(topology, app)


def _start(topology: Topology) -> Iterator[Outcome]:
    for app in topology.apps:
        if not is_ours(app):
            yield Doubt(app.address, "what it runs is not this framework's application")
        elif app.unsure("app_settings"):
            yield Doubt(app.address, "some of its settings are not known yet")
        if is_ours(app) and app.type in WEB:
            yield from held(app, "site_config.0.app_command_line", (_START,))
            # Proxies are read in either case.
            for name in sorted(one for one in settings_of(app) if one.upper() in _MEDDLING):
                says = f"setting {name} changes what runs, or whom it believes"
                yield Finding(app.address, f"app_settings.{name}", says, remark(f"remove {name}"))
            image = app.get("site_config.0.application_stack.0.docker_image_name")
            if image is UNKNOWN or image:
                says = "it runs a container image, of which nobody can say what is in it"
                path = "site_config.0.application_stack.0.docker_image_name"
                yield Finding(app.address, path, says, "docker_image_name = null")
            if app.get("zip_deploy_file") not in (None, ""):
                says = "Terraform puts a package into it, and what is in that is not read"
                yield Doubt(app.address, says)
    slots_of: dict[str, list[Resource]] = {}
    for one in topology.estate.every(*SLOTS):
        parent = one.refers("app_service_id") or one.refers("function_app_id")
        slots_of.setdefault(parent, []).append(one)
    for app in topology.estate.every(*APPS):
        slots = slots_of.get(fold(app.id), [])
        if not slots:
            continue
        sticky = set(app.get("sticky_settings.0.app_setting_names") or ())
        wanted = set()
        if is_ours(app):
            wanted = set(_STICKY_WEB if app.type in WEB else _STICKY)
        values = settings_of(app)
        for slot in slots:
            if slot.unsure("app_settings") or app.unsure("app_settings", "sticky_settings"):
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
                argument("sticky_settings.0.app_setting_names", [name]),
            )


def _routes(topology: Topology) -> Iterator[Outcome]:
    for app in topology.apps:
        if not is_ours(app):
            yield Doubt(app.address, "its routes stand in no table: it is not this framework's")
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


_VERSIONS: Final = settings(
    Setting(SITES, "https_only", (True,), False),
    Setting(SITES, "site_config.0.minimum_tls_version", ("1.2", "1.3"), "1.2"),
    Setting(SITES, "site_config.0.scm_minimum_tls_version", ("1.2", "1.3"), "1.2"),
    Setting(("azurerm_storage_account",), "https_traffic_only_enabled", (True,), True),
    Setting(("azurerm_storage_account",), "min_tls_version", ("TLS1_2", "TLS1_3"), "TLS1_2"),
    Setting(("azurerm_cosmosdb_account",), "minimal_tls_version", ("Tls12",), "Tls12"),
)  # fmt: skip


def _encrypted(topology: Topology) -> Iterator[Outcome]:
    yield from _VERSIONS(topology)
    for one in topology.estate.every(_GATEWAY):
        redirected = {
            rule.get("http_listener_name")
            for rule in one.blocks("request_routing_rule")
            if rule.get("redirect_configuration_name")
        }
        for listener in one.blocks("http_listener"):
            if listener.get("protocol") != "Https" and listener.get("name") not in redirected:
                says = f"listener {listener.get('name')} takes people in without TLS"
                yield Finding(one.address, "http_listener", says, 'protocol = "Https"')
        policy = one.get("ssl_policy.0.policy_name")
        least = one.get("ssl_policy.0.min_protocol_version")
        if policy not in _TLS_POLICIES and least not in ("TLSv1_2", "TLSv1_3"):
            says = "its TLS policy takes versions below 1.2, or is not set"
            mend = 'ssl_policy {\n  policy_type = "Predefined"\n  policy_name = "AppGwSslPolicy20220101S"\n}'
            yield Finding(one.address, "ssl_policy.0.policy_name", says, mend)
    for one in topology.estate.every(_WALL):
        yield from held(one, "policy_settings.0.enabled", (True,), True)
        yield from held(one, "policy_settings.0.mode", ("Prevention",), "Prevention")


STATEMENTS: Final = (
    Statement(
        "SIGNIN-01",
        "Every web door signs people in with this tenant, under its own name, without a secret",
        Severity.CRITICAL,
        "An application that believes another tenant, or answers to another name, lets strangers in.",
        ("MCSB IM-1", "MCSB IM-6", "checkov CKV_AZURE_13"),
        _web,
        ("azuread_application", *WEB),
        relations=True,
        everything=True,
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
        "SIGNIN-04",
        "What runs is the application, and a swap moves code and nothing else",
        Severity.HIGH,
        "A setting that is swapped with the code puts test data and test identities in production.",
        ("MCSB PV-2",),
        _start,
        SITES,
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
        ("MCSB DP-3", "Azure Policy a4af4a39-4135-47fb-b175-47fbdf85311d", "Azure Policy f0e6e85b-9b9f-4a4b-b67b-f730d42f1b0b", "Azure Policy 404c3081-a854-4457-ae30-26a93ef643f9", "checkov CKV_AZURE_14", "checkov CKV_AZURE_15", "checkov CKV_AZURE_44"),
        _encrypted,
        (*SITES, "azurerm_storage_account", "azurerm_cosmosdb_account", _GATEWAY, _WALL),
        everything=True,
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
