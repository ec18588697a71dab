"""Easy Auth: the login that App Service puts before applications which have none of their own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from secure_openai.posture.estate import UNKNOWN, Resource, fold
from secure_openai.posture.hcl import remark
from secure_openai.posture.private_link import LOGIN
from secure_openai.posture.statements.statement import Doubt, Finding, Outcome, held
from secure_openai.posture.topology import Topology

_PROVIDERS: Final = (
    "apple_v2",
    "azure_static_web_app_v2",
    "custom_oidc_v2",
    "facebook_v2",
    "github_v2",
    "google_v2",
    "microsoft_v2",
    "twitter_v2",
)
_TENANT: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


def easy_auth(topology: Topology, app: Resource) -> Iterator[Outcome]:
    """Yield where an application that leaves sign-in to App Service lets somebody in unasked."""
    yield from origins(app)
    if app.get("auth_settings.0.enabled") is UNKNOWN:
        yield Doubt(app.address, "whether its first login counts is not known yet")
    if app.blocks("auth_settings") and app.get("auth_settings.0.enabled") is True:
        yield from _first_version(app)
        return
    enabled = app.get("auth_settings_v2.0.auth_enabled")
    if enabled is UNKNOWN:
        yield Doubt(app.address, "whether it asks who comes in is not known yet")
        return
    if enabled is not True:
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
        ("login.0.validate_nonce", (True,), True),
    ):
        yield from held(app, f"auth_settings_v2.0.{path}", accepted, default)
    if not topology.estate.every("azurerm_application_gateway"):
        # Who is no proxy writes such headers himself.
        path = "auth_settings_v2.0.forward_proxy_convention"
        yield from held(app, path, ("NoProxy",), "NoProxy")
    excluded = app.get("auth_settings_v2.0.excluded_paths")
    if excluded is UNKNOWN:
        yield Doubt(app.address, "which paths ask nobody is not known yet")
    elif excluded:
        yield Finding(
            app.address,
            "auth_settings_v2.0.excluded_paths",
            "some paths ask nobody",
            "excluded_paths = []",
        )
    block = app.blocks("auth_settings_v2")[0]
    if not block.get("active_directory_v2"):
        yield Finding(
            app.address,
            "auth_settings_v2.0.active_directory_v2",
            "it does not ask Entra ID",
            "active_directory_v2 {}",
        )
    for name in _PROVIDERS:
        if app.get(f"auth_settings_v2.0.{name}") is UNKNOWN:
            yield Doubt(app.address, f"whether it believes {name} is not known yet")
        if block.get(name):
            says = f"it believes {name.removesuffix('_v2').replace('_', ' ')} too, where anybody has an account"
            yield Finding(app.address, f"auth_settings_v2.0.{name}", says, remark(f"remove {name}"))
    yield from _tenant(topology, app)


def _first_version(app: Resource) -> Iterator[Outcome]:
    for path, accepted, default in (
        ("unauthenticated_client_action", ("RedirectToLoginPage",), "AllowAnonymous"),
    ):
        yield from held(app, f"auth_settings.0.{path}", accepted, default)
    says = "its login is of the first version, which asks whatever tenant its issuer is, or any"
    issuer = str(app.get("auth_settings.0.issuer") or "")
    if not app.get("auth_settings.0.active_directory") or not _TENANT.search(issuer):
        yield Finding(app.address, "auth_settings.0.issuer", says, "# auth_settings_v2 instead")
    for name in ("facebook", "github", "google", "microsoft", "twitter"):
        if app.get(f"auth_settings.0.{name}"):
            says = f"it believes {name} too, where anybody has an account"
            yield Finding(app.address, f"auth_settings.0.{name}", says, remark(f"remove {name}"))


def _tenant(topology: Topology, app: Resource) -> Iterator[Outcome]:
    """Yield where a door asks another cloud's Entra ID, or lets every tenant in."""
    path = "auth_settings_v2.0.active_directory_v2.0.tenant_auth_endpoint"
    endpoint = app.get(path)
    if endpoint is UNKNOWN:
        yield Doubt(app.address, f"{path} is not known yet")
        return
    if not endpoint:
        return
    mend = f'tenant_auth_endpoint = "https://{LOGIN[topology.cloud]}/${{var.tenant_id}}/v2.0"'
    if not str(endpoint).startswith(f"https://{LOGIN[topology.cloud]}/"):
        yield Finding(app.address, path, "it asks another cloud's Entra ID", mend)
        return
    tenant = str(endpoint).removeprefix(f"https://{LOGIN[topology.cloud]}/").partition("/")[0]
    known = tenants_of(topology)
    if not _TENANT.fullmatch(tenant):
        says = f"it lets people of every tenant in: its endpoint is {tenant}'s"
        yield Finding(app.address, path, says, mend)
    elif known and tenant.casefold() not in known:
        yield Finding(app.address, path, "it asks another tenant than the estate's", mend)


def tenants_of(topology: Topology) -> frozenset[str]:
    """Return the tenants that the estate's own identities and vaults belong to."""
    kinds = ("azurerm_user_assigned_identity", "azurerm_key_vault")
    found = {fold(one.values.get("tenant_id")) for one in topology.estate.every(*kinds)}
    return frozenset(found - {""})


def origins(app: Resource) -> Iterator[Outcome]:
    """Yield where any website may call an application in the name of whoever visits it."""
    path = "site_config.0.cors.0.allowed_origins"
    allowed = app.get(path)
    if allowed is UNKNOWN:
        yield Doubt(app.address, f"{path} is not known yet")
    elif "*" in (allowed or ()):
        says = "any website may call it in people's name"
        yield Finding(app.address, path, says, "# name the origins, or remove the block")
