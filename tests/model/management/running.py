"""The server of Resource Manager's shapes over TLS, and our client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import AioHttpTransport

from secure_openai.model.management.accounts import AccountId
from secure_openai.model.management.resource_manager.deployments import AzureDeployments
from tests.model.management.resource_manager import ACCOUNT_ID, TOKEN, ResourceManager
from tests.servers import listening, port_of, served
from tests.tls import Tls

TODAY = datetime(2026, 9, 1, tzinfo=UTC)


class Credential:
    """Hands out one token, and remembers the scopes that were asked for."""

    def __init__(self, token: str = TOKEN) -> None:
        self.token = token
        self.scopes: list[str] = []

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        """Return the token."""
        self.scopes.extend(scopes)
        return AccessToken(self.token, 2**40)

    async def close(self) -> None:
        """Do nothing."""

    async def __aenter__(self) -> Credential:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


@asynccontextmanager
async def running_manager(tls: Tls) -> AsyncIterator[ResourceManager]:
    """Serve until the block is left."""
    bound = listening()
    made = ResourceManager(url=f"https://localhost:{port_of(bound)}")
    async with served(made.app(), bound, tls=tls):
        yield made


def azure(
    url: str, authority: Path, credential: Credential | None = None, account: str = ACCOUNT_ID
) -> AzureDeployments:
    """Return our client of a server."""
    return AzureDeployments(
        credential or Credential(),
        {"main": AccountId.parse(account)},
        base_url=url,
        transport=lambda: AioHttpTransport(connection_verify=authority, use_env_settings=False),
        clock=lambda: TODAY,
    )
