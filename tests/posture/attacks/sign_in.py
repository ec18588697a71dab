"""Doors that believe too much."""

from __future__ import annotations

from tests.posture.attacks.changes import (
    APPLICATION,
    COMMAND_LINE,
    FUNCTION,
    SOMEBODY,
    WEB,
    both,
    of_command_line,
    resource,
)
from tests.posture.mutants import Change, added, put

STAGING = "module.app.azurerm_linux_web_app_slot.staging"
LOGIN = "https://login.microsoftonline.com/common/v2.0"


def twice(name: str, value: str) -> Change:
    """Put one setting into the application and its slot, so that a swap changes nothing."""
    return both(*(put(app, f"app_settings/{name}", value) for app in (WEB, STAGING)))


SIGN_IN: dict[str, tuple[str, Change]] = {
    "everybody's tenant": ("SIGNIN-02", put(FUNCTION, "auth_settings_v2/0/active_directory_v2/0/tenant_auth_endpoint", LOGIN)),
    "another tenant": ("SIGNIN-02", put(FUNCTION, "auth_settings_v2/0/active_directory_v2/0/tenant_auth_endpoint", LOGIN.replace("common", SOMEBODY))),
    "another login beside": ("SIGNIN-02", put(FUNCTION, "auth_settings_v2/0/google_v2", [{"client_id": "x"}])),
    "the first login": ("SIGNIN-02", put(FUNCTION, "auth_settings", [{"enabled": True, "unauthenticated_client_action": "AllowAnonymous"}])),
    "a tenant of the attacker's": (
        "SIGNIN-01",
        both(
            put(WEB, "app_settings/SECURE_OPENAI_TENANT_ID", SOMEBODY),
            put(WEB, "app_settings/SECURE_OPENAI_AUTHORITY", LOGIN.replace("common", SOMEBODY)),
        ),
    ),
    "an answer that may be played again": ("SIGNIN-02", put(FUNCTION, "auth_settings_v2/0/login/0/validate_nonce", False)),
    "a host that the caller names": ("SIGNIN-02", put(FUNCTION, "auth_settings_v2/0/forward_proxy_convention", "Standard")),
    "any website in people's name": ("SIGNIN-01", put(WEB, "site_config/0/cors", [{"allowed_origins": ["*"], "support_credentials": True}])),
    "any website in a job's name": ("SIGNIN-02", put(FUNCTION, "site_config/0/cors", [{"allowed_origins": ["*"]}])),
    "tokens for a page of somebody's": (
        "SIGNIN-01",
        put(APPLICATION, "single_page_application", [{"redirect_uris": ["https://evil.example/"]}]),
    ),
    "tokens for a program of somebody's": (
        "SIGNIN-01",
        put(APPLICATION, "public_client", [{"redirect_uris": ["https://evil.example/native"]}]),
    ),
    **{
        f"a program's tokens for {name}": (
            "SIGNIN-03",
            put(COMMAND_LINE, "public_client", [{"redirect_uris": ["http://localhost", address]}]),
        )
        for name, address in {
            "somebody": "https://evil.example/native",
            "somebody in the clear": "http://evil.example",
            "a path of this machine": "http://localhost/callback",
            "a port of this machine": "http://localhost:8400",
            "a name like this machine's": "http://localhost.evil.example",
            "this machine as somebody": "http://localhost@evil.example",
            "this machine by TLS": "https://localhost",
            "this machine in capitals": "http://LOCALHOST",
            "this machine by its number": "http://127.0.0.1",
            "another machine by its number": "http://10.0.0.9",
            "whoever registers a scheme": "myapp://auth",
            "whoever reads the page": "https://login.microsoftonline.com/common/oauth2/nativeclient",
            "a copied code": "urn:ietf:wg:oauth:2.0:oob",
        }.items()
    },
    "a program's tokens from a page": ("SIGNIN-03", put(COMMAND_LINE, "web", [{"redirect_uris": ["https://evil.example/x"], "implicit_grant": []}])),
    "a program with a password": (
        "SIGNIN-03",
        of_command_line("azuread_application_password"),
    ),
    "a program with a certificate": (
        "SIGNIN-03",
        of_command_line("azuread_application_certificate"),
    ),
    "a program that another system vouches for": (
        "SIGNIN-03",
        of_command_line("azuread_application_federated_identity_credential", issuer="https://token.actions.githubusercontent.com", subject="repo:evil/evil:ref:refs/heads/main", audiences=["api://AzureADTokenExchange"]),
    ),
    "a program with a right of its own": ("SIGNIN-03", put(COMMAND_LINE, "required_resource_access/0/resource_access/0/type", "Role")),
    "a program that asks for people's mail": ("SIGNIN-03", put(COMMAND_LINE, "required_resource_access/0/resource_app_id", "00000003-0000-0000-c000-000000000000")),
    "a program with roles": ("SIGNIN-03", put(COMMAND_LINE, "app_role", [{"value": "user", "allowed_member_types": ["User"]}])),
    "code from elsewhere": ("SIGNIN-04", put(WEB, "app_settings/PYTHONPATH", "/home/evil")),
    "a shell that reads a file first": ("SIGNIN-04", twice("BASH_ENV", "/home/evil.sh")),
    "a proxy in small letters": ("SIGNIN-04", twice("https_proxy", "10.0.0.9:3128")),
    "packages from elsewhere": ("SIGNIN-04", twice("PIP_EXTRA_INDEX_URL", "//evil.example/simple")),
    "a way past the network": ("SIGNIN-04", twice("WEBSITE_VNET_ROUTE_ALL", "0")),
    "a package that Terraform puts in": ("SIGNIN-04", put(WEB, "zip_deploy_file", "evil.zip")),
    "a library loaded before all others": ("SIGNIN-04", put(WEB, "app_settings/LD_PRELOAD", "/home/x.so")),
    "certificates of somebody's own": ("SIGNIN-04", put(WEB, "app_settings/SSL_CERT_FILE", "/home/ca.pem")),
    "a container under the application's command": ("SIGNIN-04", put(WEB, "site_config/0/application_stack/0/docker_image_name", "evil/image")),
    "an address behind a gateway of another name": (
        "SIGNIN-01",
        both(
            resource("azurerm_application_gateway", "a", id="/g", name="g", http_listener=[{"name": "x", "protocol": "Https", "host_name": "chat.contoso.com"}], ssl_policy=[{"policy_name": "AppGwSslPolicy20220101S"}]),
            put(WEB, "app_settings/SECURE_OPENAI_PUBLIC_URL", "https://elsewhere.example.com"),
            put(APPLICATION, "web/0/redirect_uris", ["https://elsewhere.example.com/auth/callback"]),
        ),
    ),
    "a gateway without TLS": ("SIGNIN-06", added("azurerm_application_gateway", id="/g", name="g", http_listener=[{"name": "x", "protocol": "Http"}], ssl_policy=[{"policy_name": "AppGwSslPolicy20220101S"}])),
    "a gateway with an old policy": ("SIGNIN-06", added("azurerm_application_gateway", id="/g", name="g", http_listener=[], ssl_policy=[])),
    "a wall that only watches": ("SIGNIN-06", added("azurerm_web_application_firewall_policy", id="/w", name="w", policy_settings=[{"mode": "Detection"}])),
    "a setting of another application that is swapped": (
        "SIGNIN-04",
        both(
            resource("azurerm_linux_web_app", "a", id="/w", name="w", app_settings={"DB": "a"}, identity=[{"type": "SystemAssigned"}], site_config=[{}]),
            resource("azurerm_linux_web_app_slot", "a", id="/w/slots/s", name="s", app_service_id="/w", app_settings={"DB": "b"}, identity=[{"type": "SystemAssigned"}], site_config=[{}]),
        ),
    ),
}  # fmt: skip
