"""Where everything is kept: complete, in the slot's own part of Azure, and nowhere else."""

from __future__ import annotations

import pytest

from secure_openai.credential_settings import CredentialKind
from secure_openai.settings import Settings
from secure_openai.store_settings import FEATURES, StoreSettings
from tests.test_settings import AZURE, LAPTOP, problems

STORES = {
    "SECURE_OPENAI_COSMOS_URL": "https://cosmos-x.documents.azure.com:443/",
    "SECURE_OPENAI_COSMOS_DATABASE": "production",
    "SECURE_OPENAI_BLOB_URL": "https://stx.blob.core.windows.net/",
    "SECURE_OPENAI_SEALS_CONTAINER": "seals-production",
    "SECURE_OPENAI_EXPORTS_CONTAINER": "exports-production",
    "SECURE_OPENAI_ATTACHMENTS_CONTAINER": "attachments-production",
    "SECURE_OPENAI_SEAL_KEY_URL": "https://kv-x.vault.azure.net/keys/audit-seal-production",
}
GOVERNMENT = {
    "SECURE_OPENAI_CLOUD": "usgovernment",
    "SECURE_OPENAI_AUTHORITY": "https://login.microsoftonline.us/tenant/v2.0",
    "SECURE_OPENAI_COSMOS_URL": "https://cosmos-x.documents.azure.us:443/",
    "SECURE_OPENAI_BLOB_URL": "https://stx.blob.core.usgovcloudapi.net/",
    "SECURE_OPENAI_SEAL_KEY_URL": "https://kv-x.vault.usgovcloudapi.net/keys/seal",
}
LOOPBACK = {
    "SECURE_OPENAI_COSMOS_URL": "https://127.0.0.1:8081",
    "SECURE_OPENAI_BLOB_URL": "https://127.0.0.1:10000/devstoreaccount1",
    "SECURE_OPENAI_SEAL_KEY_URL": "https://localhost:8443/keys/seal",
}


@pytest.mark.parametrize("field", FEATURES)
def test_what_is_missing_is_told_with_what_it_is_for(field: str) -> None:
    """Data in Azure needs each of them; without one the start stops and says why it matters."""
    name = f"SECURE_OPENAI_{field.upper()}"
    said = problems(AZURE | STORES | {name: ""})

    assert said == f"{name} is missing: without it {FEATURES[field]}"


def test_one_alone_asks_for_the_others() -> None:
    """Nobody believes his data in Cosmos DB that is not: what would be ignored is refused."""
    said = problems(AZURE | {"SECURE_OPENAI_COSMOS_DATABASE": "production"})

    assert [line.split()[0] for line in said.splitlines()] == [
        f"SECURE_OPENAI_{field.upper()}" for field in FEATURES if field != "cosmos_database"
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"COSMOS_URL": "http://cosmos-x.documents.azure.com"}, "COSMOS_URL is https and its host"),
        ({"COSMOS_URL": "https://evil.example"}, "ends with documents.azure.com in the cloud pub"),
        ({"COSMOS_URL": "https://evildocuments.azure.com"}, "COSMOS_URL is https and its host"),
        ({"COSMOS_URL": "https://documents.azure.com.evil.example"}, "COSMOS_URL is https and its"),
        ({"COSMOS_URL": "https://u:p@x.documents.azure.com"}, "COSMOS_URL is https and its host"),
        ({"COSMOS_URL": "https://x.documents.azure.com:8443"}, "COSMOS_URL is https and its host"),
        ({"COSMOS_URL": "https://x.documents.azure.com:port"}, "COSMOS_URL is https and its host"),
        ({"COSMOS_URL": "https://x.documents.azure.us"}, "COSMOS_URL is https and its host"),
        ({"COSMOS_URL": "https://[x.documents.azure.com"}, "COSMOS_URL is https and its host"),
        ({"COSMOS_URL": "https://x.documents.azure.com/dbs"}, "without path, query or fragment"),
        ({"COSMOS_URL": "https://127.0.0.1:8081"}, "COSMOS_URL is https and its host"),
        ({"BLOB_URL": "https://x.blob.core.windows.net/seals"}, "BLOB_URL is an address without"),
        ({"BLOB_URL": "https://x.blob.core.windows.net/?sig=x"}, "BLOB_URL is an address without"),
        ({"BLOB_URL": "https://x.dfs.core.windows.net/"}, "ends with blob.core.windows.net"),
        ({"EVIDENCE_KEY_URL": "https://evil.example/keys/a"}, "ends with vault.azure.net"),
        (
            {"EVIDENCE_KEY_URL": "https://kv-x.vault.azure.net/keys/audit-seal-production"},
            "whoever signs evidence could sign seals",
        ),
        ({"SEAL_KEY_URL": "https://evil.example/keys/seal"}, "ends with vault.azure.net"),
        ({"SEAL_KEY_URL": "https://x.vault.azure.net/secrets/a"}, "is a key's address: https://VA"),
        ({"SEAL_KEY_URL": "https://x.vault.azure.net"}, "is a key's address: https://VAULT.vault"),
        ({"SEALS_CONTAINER": "Seals"}, "SEALS_CONTAINER: a container's name has 3 to 63"),
        ({"SEALS_CONTAINER": "a--b"}, "SEALS_CONTAINER: a container's name has 3 to 63"),
        ({"EXPORTS_CONTAINER": "../x"}, "EXPORTS_CONTAINER: a container's name has 3 to 63"),
        ({"EXPORTS_CONTAINER": "seals-production"}, "EXPORTS_CONTAINER is the container of the se"),
        ({"ATTACHMENTS_CONTAINER": "a/b"}, "ATTACHMENTS_CONTAINER: a container's name has 3 to 63"),
        ({"ATTACHMENTS_CONTAINER": "seals-production"}, "ATTACHMENTS_CONTAINER is the container o"),
        ({"ATTACHMENTS_CONTAINER": "exports-production"}, "the exports: what lies there is delet"),
    ],
)
def test_our_credential_goes_nowhere_else(change: dict[str, str], said: str) -> None:
    """Only the cloud's own domains get it, over TLS; loopback does not on an Azure host."""
    asked = AZURE | STORES | {f"SECURE_OPENAI_{name}": value for name, value in change.items()}

    assert said in problems(asked)


@pytest.mark.parametrize(
    "environment", [AZURE | STORES, AZURE | STORES | GOVERNMENT, LAPTOP | STORES | LOOPBACK]
)
def test_complete_settings_load(environment: dict[str, str]) -> None:
    """Both clouds, and stand-ins on loopback; each uses our credential and no key."""
    settings = Settings.load(environment)

    assert settings.kept_in_azure
    assert settings.uses_credential
    assert settings.credential_kind is (
        CredentialKind.MANAGED_IDENTITY if settings.azure_host else CredentialKind.DEVELOPER
    )


def test_addresses_belong_to_their_cloud() -> None:
    """A public address in the government's cloud is three sentences."""
    said = problems(AZURE | STORES | {"SECURE_OPENAI_CLOUD": "usgovernment"})

    for domain in ("documents.azure.us", "blob.core.usgovcloudapi.net", "vault.usgovcloudapi.net"):
        assert f"ends with {domain} in the cloud usgovernment" in said


def test_everything_is_told_at_once() -> None:
    """What is missing of the stores is told beside what is missing of everything else."""
    said = problems(
        {
            "SECURE_OPENAI_COSMOS_URL": "https://evil.example",
            "SECURE_OPENAI_LISTEN_PORT": "x",
            "SECURE_OPENAI_MODEL_SOURCE": "azure",
        }
    )

    assert "SECURE_OPENAI_PUBLIC_URL is missing" in said
    assert "SECURE_OPENAI_LISTEN_PORT: " in said
    assert "SECURE_OPENAI_SEAL_KEY_URL is missing: without it no key signs" in said
    assert "model_accounts is missing: name the accounts that answer" in said
    assert "SECURE_OPENAI_COSMOS_URL is https and its host ends with" in said
    assert len(said.splitlines()) == len(set(said.splitlines()))


def test_a_laptop_keeps_everything_in_its_folder() -> None:
    """Without any of them nothing asks Azure."""
    assert not Settings.load(LAPTOP).kept_in_azure
    assert not StoreSettings.load({}).uses_credential
