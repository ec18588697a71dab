"""An estate for each test; the emulators are one for all."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest
from azure.keyvault.keys._shared import http_challenge_cache
from joserfc.jwk import RSAKey

from secure_openai.local.identity_provider.signing_keys import FILE_NAME
from tests.cosmosdb.server import running_server
from tests.hosted.estate import NAMES, Estate, Servers, running_estate
from tests.store.azure.estate import running_azurite
from tests.tls import make_tls


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory, signing_keys: bytes) -> Iterator[Servers]:
    """Run the emulators."""
    tls = make_tls(tmp_path_factory.mktemp("hosted-tls"), *NAMES)
    folder = tmp_path_factory.mktemp("hosted-issuer") / "identity"
    folder.mkdir(mode=stat.S_IRWXU)
    (folder / FILE_NAME).write_bytes(signing_keys)
    (folder / FILE_NAME).chmod(stat.S_IRUSR | stat.S_IWUSR)
    azurite_folder = tmp_path_factory.mktemp("hosted-azurite")
    with (
        running_server() as cosmos,
        running_azurite(azurite_folder, tls.certificate, tls.key) as azurite,
    ):
        key = RSAKey.generate_key(2048, {"kid": "managed identity"})
        yield Servers(cosmos, azurite, tls, folder, key)


@pytest.fixture
async def estate(servers: Servers) -> AsyncIterator[Estate]:
    """Run an estate of the test's own."""
    http_challenge_cache.clear()
    async with running_estate(servers, uuid4().hex[:12]) as running:
        yield running
