"""How Azure's clients reach their services: over one TLS context, and a proxy if there is one."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import aiohttp
from azure.core.pipeline.transport import AioHttpTransport

CONNECT_SECONDS = 5.0
READ_SECONDS = 20.0
"""How long one attempt waits for the next piece of an answer."""

CONNECTIONS = 20


class Transport:
    """The connections of one client; made where an event loop runs.

    Args:
        ca_bundle: The certificates to trust instead of the system's.
        proxy: The address of an HTTP proxy to go through.
    """

    def __init__(self, *, ca_bundle: Path | None = None, proxy: str | None = None) -> None:
        # One TLS context for all calls: given the bundle, the client would read it for each, and
        # share no connection between two.
        self._session = aiohttp.ClientSession(
            auto_decompress=False,
            connector=aiohttp.TCPConnector(
                ssl=ssl.create_default_context(cafile=ca_bundle), limit=CONNECTIONS
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self._proxy = proxy

    def options(self) -> dict[str, Any]:
        """Return what one of Azure's clients is given."""
        return {
            "transport": AioHttpTransport(session=self._session, session_owner=False),
            "proxies": {"https": self._proxy} if self._proxy else {},
            "connection_timeout": CONNECT_SECONDS,
            "read_timeout": READ_SECONDS,
        }

    async def aclose(self) -> None:
        """Close every connection."""
        await self._session.close()
