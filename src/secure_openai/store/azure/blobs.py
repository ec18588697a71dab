"""Blobs in a container of Azure Storage."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from azure.core.exceptions import AzureError, HttpResponseError
from azure.storage.blob import ContentSettings
from azure.storage.blob.aio import ContainerClient, ExponentialRetry

from secure_openai.errors import NotFound, PreconditionFailed, StoreError
from secure_openai.outbound import Outbound
from secure_openai.store.azure.transport import Transport
from secure_openai.store.blobs import (
    LARGEST_BYTES,
    BlobEntry,
    checked_name,
    checked_prefix,
    checked_size,
    content_type,
    is_name,
)

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

logger = logging.getLogger(__name__)

CALL_SECONDS = 60.0
"""How long one call takes at most, with all its attempts."""

RETRIES = 3

BLOCK_BYTES = 1_000_000
"""How much is sent at once: aiohttp sends 1 MiB without holding up others. A larger blob goes in
blocks, and is there when the last of them is (Azure Storage, "Put Block List")."""

EXISTS = frozenset({"BlobAlreadyExists", "ConditionNotMet"})
"""What If-None-Match: * answers to a name that is taken (Azure Storage, "Blob service error
codes")."""

IMMUTABLE = "BlobImmutableDueToPolicy"


class AzureBlobs:
    """Implements `BlobStore` in a container that exists: Terraform makes it, this never does.

    Where nobody may write over anything, the container's immutability policy says so, too; there
    `delete` and `replace` are refused by the service.

    Args:
        url: The account's address, https.
        container: The container's name.
        credential: How we prove ourselves; there is no other way in.
        largest: How many bytes a blob may have.
        outbound: The way out.
    """

    def __init__(
        self,
        url: str,
        container: str,
        *,
        credential: AsyncTokenCredential,
        largest: int = LARGEST_BYTES,
        outbound: Outbound | None = None,
    ) -> None:
        self._largest = largest
        self._transport = Transport(outbound or Outbound(), url)
        self._client = ContainerClient(
            url,
            container,
            credential=credential,
            max_single_put_size=BLOCK_BYTES,
            max_block_size=BLOCK_BYTES,
            retry_policy=ExponentialRetry(
                initial_backoff=1, increment_base=2, retry_total=RETRIES, random_jitter_range=1
            ),
            **self._transport.options(),
        )

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.close()
        await self._transport.aclose()

    async def put(self, name: str, content: bytes, *, replace: bool = False) -> None:
        """Keep bytes under a name."""
        settings = ContentSettings(content_type=content_type(name))
        checked_size(name, len(content), self._largest)
        try:
            with _translated():
                async with asyncio.timeout(CALL_SECONDS):
                    await self._client.upload_blob(
                        name, content, overwrite=replace, content_settings=settings
                    )
        except _Answered as answer:
            if answer.code in EXISTS:
                raise PreconditionFailed(f"{name} exists already.") from None
            raise answer.failure() from answer.__cause__

    async def get(self, name: str) -> bytes:
        """Return the bytes of a name."""
        checked_name(name)
        try:
            with _translated():
                async with asyncio.timeout(CALL_SECONDS):
                    download = await self._client.download_blob(name)
                    checked_size(name, download.size, self._largest)
                    return await download.readall()
        except _Answered as answer:
            if answer.code == "BlobNotFound":
                raise NotFound(f"There is no {name}.") from None
            raise answer.failure() from answer.__cause__

    async def exists(self, name: str) -> bool:
        """Return whether something bears the name."""
        checked_name(name)
        try:
            with _translated():
                async with asyncio.timeout(CALL_SECONDS):
                    await self._client.get_blob_client(name).get_blob_properties()
        except _Answered as answer:
            if answer.code == "BlobNotFound":
                return False
            raise answer.failure() from answer.__cause__
        return True

    async def list(self, prefix: str = "") -> AsyncIterator[BlobEntry]:
        """Yield what is kept, in the order of the names' characters."""
        try:
            with _translated():
                async for blob in self._client.list_blobs(checked_prefix(prefix) or None):
                    if is_name(blob.name):
                        yield BlobEntry(blob.name, blob.size, blob.last_modified)
        except _Answered as answer:
            raise answer.failure() from answer.__cause__

    async def delete(self, name: str) -> None:
        """Delete what bears the name."""
        checked_name(name)
        try:
            with _translated():
                async with asyncio.timeout(CALL_SECONDS):
                    await self._client.delete_blob(name)
        except _Answered as answer:
            if answer.code != "BlobNotFound":
                raise answer.failure() from answer.__cause__


class _Answered(Exception):
    """The service answered with an error.

    Attributes:
        code: Its error code, empty where it gave none.
        status: The HTTP status.
    """

    def __init__(self, code: str, status: int) -> None:
        super().__init__(code)
        self.code = code
        self.status = status

    def failure(self) -> StoreError:
        """Return the error in our tree."""
        # The text of an answer can hold what was sent: only its code is logged.
        logger.warning("Azure Storage refused: %s, status %d", self.code, self.status)
        if self.code == IMMUTABLE:
            return StoreError("This is kept as it is: its container is immutable.")
        return StoreError()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except HttpResponseError as error:
        code = getattr(error, "error_code", None)
        raise _Answered(str(getattr(code, "value", code) or ""), error.status_code or 0) from error
    except (AzureError, TimeoutError) as error:
        logger.warning("Azure Storage could not be reached: %s", type(error).__name__)
        raise StoreError from error
