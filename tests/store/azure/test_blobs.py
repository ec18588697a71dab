"""Blobs in Azure Storage: the real client against the real Azurite, with tokens over TLS."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest
from azure.core.exceptions import ResourceExistsError
from azure.storage.blob.aio import ContainerClient

from secure_openai.errors import PreconditionFailed, StoreError
from secure_openai.outbound import Outbound
from secure_openai.store.azure import blobs as azure_blobs
from secure_openai.store.azure.blobs import BLOCK_BYTES, AzureBlobs
from secure_openai.store.blobs import TYPES
from secure_openai.store.seals import Seals
from secure_openai.testing.blobs_contract import BlobStoreContract, names
from secure_openai.testing.seals_contract import HEADS, NOW, SealsContract, made, new_signer, sealed
from tests.store.azure.conftest import Place
from tests.store.azure.estate import Identity
from tests.store.azure.tunnel import Tunnel


class TestAzureBlobs(BlobStoreContract):
    """The contract, in a container."""


class TestSealsInAzure(SealsContract):
    """The contract of seals, in a container."""


@pytest.fixture
def once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try once, instead of for ten seconds."""
    monkeypatch.setattr(azure_blobs, "RETRIES", 0)


Operation = Callable[[AzureBlobs], Awaitable[object]]

OPERATIONS: list[Operation] = [
    lambda blobs: blobs.put("a.json", b"1"),
    lambda blobs: blobs.put("a.json", b"1", replace=True),
    lambda blobs: blobs.get("a.json"),
    lambda blobs: blobs.exists("a.json"),
    lambda blobs: blobs.delete("a.json"),
    names,
]
EACH = pytest.mark.parametrize(
    "operation", OPERATIONS, ids=["put", "replace", "get", "exists", "delete", "list"]
)


@EACH
async def test_no_container(blobs: AzureBlobs, operation: Operation) -> None:
    """A container that does not exist is a fault of the estate, not a blob that is missing."""
    await blobs._client.delete_container()

    with pytest.raises(StoreError):
        await operation(blobs)


@EACH
@pytest.mark.usefixtures("once")
async def test_away(blobs: AzureBlobs, network: Tunnel, operation: Operation) -> None:
    """An account that cannot be reached is an error, not a blob that is missing."""
    network.away = True

    with pytest.raises(StoreError):
        await operation(blobs)


@EACH
async def test_not_allowed(
    blobs: AzureBlobs, place: Place, caplog: pytest.LogCaptureFixture, operation: Operation
) -> None:
    """A token that has expired is refused; what is logged is the code of the answer."""
    stranger = await place(credential=Identity(lifetime=-1))
    with caplog.at_level(logging.WARNING), pytest.raises(StoreError):
        await operation(stranger)

    assert "AuthenticationFailed, status 403" in caplog.text
    assert "eyJ" not in caplog.text


async def test_never_answers(blobs: AzureBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call ends after a while, whatever the service does."""
    monkeypatch.setattr(azure_blobs, "CALL_SECONDS", 0.0)

    with pytest.raises(StoreError):
        await blobs.put("a.json", b"1")


@pytest.mark.usefixtures("once")
async def test_certificate_of_nobody(blobs: AzureBlobs, place: Place, network: Tunnel) -> None:
    """A server whose certificate nobody vouches for is not talked to."""
    stranger = await place(outbound=Outbound(proxy=network.url))

    with pytest.raises(StoreError):
        await stranger.exists("a.json")


async def test_token(place: Place) -> None:
    """The token is one for storage, asked of the credential and of nothing else."""
    identity = Identity()
    blobs = await place(credential=identity)
    await blobs.put("a.json", b"1")

    assert set(identity.asked) == {"https://storage.azure.com/.default"}


@pytest.mark.parametrize("size", [BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES + 7])
async def test_blocks(blobs: AzureBlobs, size: int) -> None:
    """A large blob goes in blocks, comes back whole, and is not written over either."""
    content = bytes(range(256)) * (size // 256 + 1)
    await blobs.put("a.bin", content[:size])
    with pytest.raises(PreconditionFailed):
        await blobs.put("a.bin", content[: size - 1])

    assert await blobs.get("a.bin") == content[:size]
    await blobs.put("a.bin", content[1 : size + 1], replace=True)
    assert await blobs.get("a.bin") == content[1 : size + 1]


async def test_content_types(blobs: AzureBlobs) -> None:
    """Each blob carries the type that its name means."""
    found = {}
    for ending in TYPES:
        await blobs.put(f"a.{ending}", b"x")
        properties = await blobs._client.get_blob_client(f"a.{ending}").get_blob_properties()
        found[ending] = properties.content_settings.content_type

    assert found == TYPES


async def test_many(blobs: AzureBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fills several pages of a list is listed whole; what is no name is passed over."""
    real = ContainerClient.list_blobs
    monkeypatch.setattr(
        ContainerClient, "list_blobs", lambda *given: real(*given, results_per_page=3)
    )
    kept = [f"{number}.json" for number in range(8)]
    for name in kept:
        await blobs.put(name, b"")
    await blobs._client.upload_blob("run.sh", b"")

    assert await names(blobs) == kept


async def test_lost_answer(blobs: AzureBlobs, network: Tunnel) -> None:
    """A blob whose answer was lost is written once: the second try is told that it is there."""
    assert not await blobs.exists("a.json")
    network.lose = 1

    with pytest.raises(PreconditionFailed):
        await blobs.put("a.json", b"1")
    assert await blobs.get("a.json") == b"1"


async def test_seal_whose_answer_was_lost(
    blobs: AzureBlobs, network: Tunnel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A seal whose answer was lost is made, once, and known as our own."""
    seals, signer = Seals(blobs), new_signer()
    first = await made(seals, HEADS, signer)
    place = await seals.place([signer.public_key])
    [key] = [name for name in await names(blobs) if name.endswith(".jwk")]
    assert await blobs.exists(key)
    real = blobs.put

    async def put(name: str, content: bytes, *, replace: bool = False) -> None:
        network.lose = 1
        await real(name, content, replace=replace)

    monkeypatch.setattr(blobs, "put", put)
    second = await seals.put(place, HEADS, signer, now=NOW)
    assert network.lose == 0
    assert second is not None
    assert await sealed(seals) == [first, second]


async def test_comes_back(blobs: AzureBlobs, network: Tunnel) -> None:
    """An account that comes back while a call is tried again is written to."""
    network.away = True
    putting = asyncio.ensure_future(blobs.put("a.json", b"1"))
    asked = len(network.asked)
    while len(network.asked) == asked:
        await asyncio.sleep(0.01)
    network.away = False
    await putting

    assert await blobs.get("a.json") == b"1"


@pytest.mark.parametrize(
    ("method", "operation"),
    [("upload_blob", OPERATIONS[1]), ("delete_blob", OPERATIONS[4])],
    ids=["replace", "delete"],
)
async def test_immutable(
    blobs: AzureBlobs, monkeypatch: pytest.MonkeyPatch, method: str, operation: Operation
) -> None:
    """What an immutable container keeps is said to be kept, whatever was asked.

    Azurite has no immutability: the answer is that of Azure Storage ("Blob service error codes").
    """

    async def refused(*_: object, **__: object) -> None:
        error = ResourceExistsError("immutable")
        error.error_code = "BlobImmutableDueToPolicy"  # type: ignore[attr-defined]
        error.status_code = 409
        raise error

    monkeypatch.setattr(blobs._client, method, refused)
    with pytest.raises(StoreError, match="its container is immutable"):
        await operation(blobs)
