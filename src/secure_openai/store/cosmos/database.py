"""One database of a Cosmos DB account, opened with a credential."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from azure.core.exceptions import AzureError
from azure.core.pipeline.transport import AioHttpTransport
from azure.cosmos.aio import CosmosClient

from secure_openai.errors import StoreError
from secure_openai.outbound import Outbound
from secure_openai.store.cosmos.container import Container
from secure_openai.store.cosmos.translation import translated
from secure_openai.tables import table

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

CONNECT_SECONDS = 3.0
READ_SECONDS = 5.0
"""How long one attempt waits for the next piece of an answer."""

CONNECTIONS = 100


class CosmosDatabase:
    """A database whose containers exist: Terraform makes them, this never does.

    Opening it asks nothing of the network: the first call does, and a call that fails is no reason
    to open it again.

    Args:
        url: The account's address, https.
        name: The database.
        credential: How we prove ourselves; there is no other way in.
        outbound: The way out.
    """

    def __init__(
        self,
        url: str,
        name: str,
        *,
        credential: AsyncTokenCredential,
        outbound: Outbound | None = None,
    ) -> None:
        # One TLS context for all calls: given the bundle, the client would read it for each, and
        # share no connection between two.
        self._session = (outbound or Outbound()).session(
            url, decompress=False, connections=CONNECTIONS
        )
        self._client = CosmosClient(
            url,
            credential,
            connection_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            # Attempts are counted and bounded in `Container`: the client's own would repeat writes
            # that were done, and wait for as long as a server says.
            retry_connect=0,
            retry_read=0,
            retry_status=0,
            enable_compact_utf8_item_writes=True,
            transport=AioHttpTransport(
                session=self._session, session_owner=False, use_env_settings=False
            ),
        )
        retries = self._client.client_connection.connection_policy.RetryOptions
        retries._max_retry_attempt_count = 0  # noqa: SLF001 - as a keyword, 0 would mean 9
        self._database = self._client.get_database_client(name)
        self._opening = asyncio.Lock()
        self._opened = False
        self._closed = False

    def container(self, name: str) -> Container:
        """Return one of the containers of `tables/containers.json`."""
        partition_key = str(table("containers")[name]["partition_key"]).removeprefix("/")
        return Container(
            self._database.get_container_client(name), partition_key, ready=self._ready
        )

    async def _ready(self) -> None:
        """Learn the account's regions and its consistency, once.

        Raises:
            StoreError: It cannot be reached, or the database was closed.
        """
        if self._closed:
            raise StoreError("The store is closed.")
        if self._opened:
            return
        async with self._opening:
            if not self._opened:
                try:
                    await self._client.__aenter__()
                except AzureError as error:
                    raise translated(error) from error
                self._opened = True

    async def aclose(self) -> None:
        """Close every connection; closing twice is no error."""
        if self._closed:
            return
        self._closed = True
        await self._client.close()
        await self._session.close()
