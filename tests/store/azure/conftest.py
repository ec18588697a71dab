"""Azure's names in tests: a proxy that leads them to real servers of loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from azure.keyvault.keys._shared import http_challenge_cache

from secure_openai.outbound import Outbound
from secure_openai.store.azure.blobs import AzureBlobs
from secure_openai.store.azure.key_vault import KeyVaultSigner
from tests.store.azure.estate import STORAGE, VAULT, Identity, make_certificate, running_azurite
from tests.store.azure.tunnel import Tunnel, tunnel
from tests.store.azure.vault import Vault, running_vault


@pytest.fixture(scope="session")
def azure_certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return the certificate of the servers, and its key."""
    return make_certificate(tmp_path_factory.mktemp("azure"), STORAGE, VAULT)


@pytest.fixture(scope="session")
def azurite(
    tmp_path_factory: pytest.TempPathFactory, azure_certificate: tuple[Path, Path]
) -> Iterator[int]:
    """Run Azurite; return its port."""
    with running_azurite(tmp_path_factory.mktemp("azurite"), *azure_certificate) as port:
        yield port


@pytest.fixture
async def network() -> AsyncIterator[Tunnel]:
    """Run the proxy; who serves a name enters it."""
    async with tunnel({}) as running:
        yield running


Place = Callable[..., Awaitable[AzureBlobs]]


@pytest.fixture
async def place(
    azurite: int, network: Tunnel, azure_certificate: tuple[Path, Path]
) -> AsyncIterator[Place]:
    """Return what opens the test's container, which it makes the first time as Terraform would."""
    network.routes[STORAGE] = azurite
    opened: list[AzureBlobs] = []
    name = f"test-{uuid4().hex}"

    async def open_place(**options: object) -> AzureBlobs:
        blobs = AzureBlobs(
            f"https://{STORAGE}",
            name,
            **{  # type: ignore[arg-type]
                "credential": Identity(),
                "outbound": Outbound(proxy=network.url, ca_bundle=azure_certificate[0]),
                **options,
            },
        )
        if not opened:
            await blobs._client.create_container()
        opened.append(blobs)
        return blobs

    yield open_place
    for blobs in opened:
        await blobs.aclose()


@pytest.fixture
async def blobs(place: Place) -> AzureBlobs:
    """Return the place of blobs under test."""
    return await place()


@pytest.fixture
async def small(blobs: AzureBlobs, place: Place) -> AzureBlobs:
    """Return the same place with a bound of ten bytes."""
    return await place(largest=10)


@pytest.fixture
async def vault(network: Tunnel, azure_certificate: tuple[Path, Path]) -> AsyncIterator[Vault]:
    """Run a vault; what the client learnt of others is forgotten."""
    http_challenge_cache.clear()
    async with running_vault(azure_certificate) as running:
        network.routes[VAULT] = running.port
        yield running


Opened = Callable[..., KeyVaultSigner]


@pytest.fixture
async def opened(
    vault: Vault, network: Tunnel, azure_certificate: tuple[Path, Path]
) -> AsyncIterator[Opened]:
    """Return what opens a signer."""
    signers: list[KeyVaultSigner] = []

    def open_signer(url: str = vault.url, **options: object) -> KeyVaultSigner:
        signer = KeyVaultSigner(
            url,
            **{  # type: ignore[arg-type]
                "credential": Identity(),
                "outbound": Outbound(proxy=network.url, ca_bundle=azure_certificate[0]),
                **options,
            },
        )
        signers.append(signer)
        return signer

    yield open_signer
    for signer in signers:
        await signer.aclose()


@pytest.fixture
async def key_vault_signer(opened: Opened) -> KeyVaultSigner:
    """Return a signer whose key is in the vault."""
    return opened()
