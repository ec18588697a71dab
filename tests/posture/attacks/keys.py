"""Keys and secrets under another name, or wrapped."""

from __future__ import annotations

from tests.posture.attacks.changes import (
    VAULT,
    WEB,
    at,
    both,
    compressed,
    encoded,
    key_of,
    literal,
    resource,
    stored,
)
from tests.posture.mutants import Change, added, put

KEYS: dict[str, tuple[str, Change]] = {
    "a key in base64": ("KEYS-07", stored(WEB, "THEME", encoded)),
    "a key in base64, compressed": ("KEYS-07", stored(WEB, "THEME", compressed)),
    "a key with percent signs": ("KEYS-07", stored(WEB, "THEME", lambda key: key.replace("-", "%2D").replace("=", "%3D"))),
    "a key in a sentence": ("KEYS-07", stored(WEB, "THEME", lambda key: f"The key is {key}.")),
    "a key behind its name": ("KEYS-07", stored(WEB, "THEME", lambda key: f"Endpoint=x;K={key};")),
    "a key in JSON": ("KEYS-07", stored(WEB, "THEME", lambda key: '{"a": {"b": ["' + key + '"]}}')),
    "a key in a tag": ("KEYS-07", lambda found: at(found, WEB).update(tags={"note": key_of(found)})),
    "a key in a description": (
        "KEYS-07",
        lambda found: added("azurerm_monitor_activity_log_alert", id="/a", name="a", description=key_of(found), enabled=True)(found),
    ),
    "a key in a container's environment": (
        "KEYS-07",
        lambda found: added("azurerm_container_group", id="/c", name="c", container=[{"environment_variables": {"A": key_of(found)}}])(found),
    ),
    "a name in one word": ("KEYS-07", literal("PGPASSWORD", "correct horse")),
    "a name in camels": ("KEYS-07", literal("AzureOpenAIKey", "abcdefgh12345678")),
    "a name with a number": ("KEYS-07", literal("OPENAI_KEY_1", "abcdefgh12345678")),
    "a name short for a password": ("KEYS-07", literal("DB_PASS", "letmein99")),
    "a connection string by another name": ("KEYS-07", literal("DATABASE", "Server=x;User Id=u;Pwd=Winter2025")),
    "a password in an address": ("KEYS-07", literal("CACHE", "rediss://:Winter2025abc@cache.example.com:6380")),
    "a signature in an address": ("KEYS-07", literal("FILES", "https://x.blob.core.windows.net/c?sv=2024&sig=abc%3D")),
    "a function's key in an address": ("KEYS-07", literal("HOOK", "https://f.azurewebsites.net/api/x?code=AbCdEfGhIjKlMnOpQrStUvWxYz0123456789==")),
    "a token of GitHub": ("KEYS-07", literal("THEME", "ghp_" + "a1B2" * 9)),
    "a secret of Entra ID": ("KEYS-07", literal("THEME", "abc8Q~" + "aB3" * 11 + "a")),
    "a private key": ("KEYS-07", literal("THEME", encoded("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n"))),
    "words before a reference": ("KEYS-07", literal("DB_PASSWORD", "Winter2025 @Microsoft.KeyVault(SecretUri=https://kv-chat-qdf84.vault.azure.net/secrets/x)")),
    "words after a reference": ("KEYS-07", literal("DB_PASSWORD", "@Microsoft.KeyVault(SecretUri=https://kv-chat-qdf84.vault.azure.net/secrets/x)Winter2025")),
    "a reference that holds the secret": ("KEYS-07", literal("THEME", "@Microsoft.KeyVault(AccountKey=Winter2025)")),
    "a reference that names nothing": ("KEYS-10", literal("DB_PASSWORD", "@Microsoft.KeyVault(SecretUri=)")),
    "a reference without a secret's name": ("KEYS-10", literal("DB_PASSWORD", "@Microsoft.KeyVault(VaultName=kv-chat-qdf84)")),
    "a reference past one's own vault": ("KEYS-10", literal("X", "@Microsoft.KeyVault(SecretUri=https://evil.vault.azure.net/secrets/kv-chat-qdf84.vault.azure.net)")),
    "a reference in disguise": ("KEYS-10", literal("X", "@Microsoft.KeyVault(VaultName=evil;SecretName=kv-chat-qdf84)")),
    "a share opened with a key": ("KEYS-07", put(WEB, "storage_account", [{"name": "s", "account_name": "a", "access_key": "k"}])),
    "a registry's password": ("KEYS-07", put(WEB, "site_config/0/application_stack", [{"docker_registry_password": "p", "python_version": "3.13"}])),
    "a backup by signature": ("KEYS-07", put(WEB, "backup", [{"storage_account_url": "https://x.blob.core.windows.net/c?sig=abc"}])),
    "a value written past the state": ("KEYS-07", added("azurerm_key_vault_secret", id="/s", name="s", value=None, value_wo_version=1)),
    "a copied password": (
        "KEYS-07",
        both(
            resource("random_password", "a", result="pG7x-Lw2Q-0sVn-Tt"),
            put(WEB, "app_settings/THEME", "pG7x-Lw2Q-0sVn-Tt"),
        ),
    ),
    "a registry that anybody may pull from": ("KEYS-03", added("azurerm_container_registry", id="/r", name="r", admin_enabled=False, anonymous_pull_enabled=True)),
    "a bus that takes keys": ("KEYS-03", added("azurerm_servicebus_namespace", id="/b", name="b", local_auth_enabled=True)),
    "a database that takes passwords": ("KEYS-03", added("azurerm_postgresql_flexible_server", id="/p", name="p", authentication=[])),
    "a vault that templates read": ("KEYS-11", put(VAULT, "enabled_for_template_deployment", True)),
    "a vault that machines read": ("KEYS-11", put(VAULT, "enabled_for_deployment", True)),
    "a vault by access policy, in other words": (
        "KEYS-11",
        added("azapi_resource", id="/v", name="v", type="Microsoft.KeyVault/vaults@2023-07-01", body={"properties": {"accessPolicies": [{"objectId": "x"}]}}),
    ),
}  # fmt: skip
