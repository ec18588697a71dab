"""What is taken for a secret, and what is not."""

from __future__ import annotations

import base64

import pytest

from secure_openai.posture.secrets import forms, script, setting

KEY = "q7Zt+3v/Kw0pXy9LmN2bRs4D"
KEYS = frozenset({KEY})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALLOWED_HOSTS", "app.azurewebsites.net"),
        ("APPINSIGHTS_INSTRUMENTATIONKEY", "12345678-1234-1234-1234-123456789012"),
        ("APPLICATIONINSIGHTS_CONNECTION_STRING", "InstrumentationKey=1;IngestionEndpoint=x"),
        ("AZURE_CLIENT_ID", "12345678-1234-1234-1234-123456789012"),
        ("AZURE_KEY_VAULT", "kv-chat"),
        ("AZURE_KEYVAULT_NAME", "kv-chat"),
        ("AzureWebJobsStorage__credential", "managedidentity"),
        ("COLOUR_KEY", "$COLOUR"),
        ("HOTKEYS_ENABLED", "true"),
        ("IMAGE", "registry.azurecr.io/chat@sha256:" + "0a" * 32),
        ("KEY_NAME", "signing"),
        ("MAX_TOKENS", "4096"),
        ("PACKAGE_SHA256", "0a" * 32),
        ("SEAL_KEY_URL", "https://kv-chat.vault.azure.net/keys/seal/0123456789abcdef"),
        ("SECRET_NAME", "database"),
        ("SSH_KEY", "<none>"),
        ("TOKEN_ENDPOINT", "https://login.microsoftonline.com/x/oauth2/v2.0/token"),
        ("WEBSITE_RUN_FROM_PACKAGE", "1"),
        ("key", "chat.tfstate"),
        (
            "SUBNET",
            "/subscriptions/0/resourceGroups/Rg-Chat1/providers/Microsoft.Network/virtualNetworks/v",
        ),
        ("GREETING", "The password of the day is not written here."),
        ("PUBLIC", "AAAAB3NzaC1yc2EAAAADAQABAAABgQC7aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
    ],
)
def test_what_opens_nothing_is_no_secret(name: str, value: str) -> None:
    """Names, addresses, numbers and identities stand in settings by right."""
    assert not setting(name, value, KEYS)


@pytest.mark.parametrize(
    "value",
    [KEY, f"K={KEY}", f"a;b={KEY};c", base64.b64encode(KEY.encode()).decode(), f'["{KEY}"]'],
)
def test_a_copied_key_is_recognised_in_every_wrapping(value: str) -> None:
    """Under whatever name."""
    assert setting("THEME", value, KEYS)


def test_wrappings_are_opened_to_a_depth() -> None:
    """Somebody who wraps more often hides it from his own code too; nothing is opened for ever."""
    text = "x" * 40
    for _ in range(12):
        text = base64.b64encode(text.encode()).decode()
    assert len(forms(text)) == 4


@pytest.mark.parametrize(
    "text",
    [
        "#cloud-config\npackage_update: true\nssh_pwauth: false\nusers:\n  - lock_passwd: true\n",
        "#!/bin/sh\nTOKEN=$(az account get-access-token --query accessToken)\n",
        'export API_KEY="$(cat /run/secrets/key)"\n',
        "apt-key: {keyid: F4A80EB5, keyserver: keyserver.ubuntu.com}\n",
        "ssh_authorized_keys:\n  - ssh-rsa AAAAB3NzaC1yc2E operator\n",
    ],
)
def test_what_a_machine_starts_with_may_speak_of_keys(text: str) -> None:
    """As long as it holds none."""
    assert not script(text, KEYS)
    assert not script(base64.b64encode(text.encode()).decode(), KEYS)
