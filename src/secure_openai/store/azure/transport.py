"""How Azure's clients reach their services: by the way out that settings name."""

from __future__ import annotations

from typing import Any

from azure.core.pipeline.transport import AioHttpTransport

from secure_openai.outbound import Outbound

CONNECT_SECONDS = 5.0
READ_SECONDS = 20.0
"""How long one attempt waits for the next piece of an answer."""

CONNECTIONS = 20


class Transport:
    """The connections of one client; made where an event loop runs.

    Args:
        outbound: The way out.
        url: The service's address.
    """

    def __init__(self, outbound: Outbound, url: str) -> None:
        # One TLS context for all calls: given the bundle, the client would read it for each, and
        # share no connection between two.
        self._session = outbound.session(url, decompress=False, connections=CONNECTIONS)

    def options(self) -> dict[str, Any]:
        """Return what one of Azure's clients is given."""
        return {
            "transport": AioHttpTransport(
                session=self._session, session_owner=False, use_env_settings=False
            ),
            "connection_timeout": CONNECT_SECONDS,
            "read_timeout": READ_SECONDS,
        }

    async def aclose(self) -> None:
        """Close every connection."""
        await self._session.close()
