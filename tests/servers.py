"""Real servers in the test's own event loop."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import ASGIApp

from secure_openai.testing.server import listening, port_of
from secure_openai.testing.server import served as served_with
from tests.tls import Tls

__all__ = ["listening", "port_of", "served"]


@asynccontextmanager
async def served(
    app: ASGIApp,
    bound: socket.socket,
    *,
    tls: Tls | None = None,
    context: ssl.SSLContext | None = None,
) -> AsyncIterator[None]:
    """Serve `app` until the block is left; `context` speaks TLS as it was made to."""
    if context is None and tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls.certificate, tls.key)
    async with served_with(app, bound, context=context):
        yield
