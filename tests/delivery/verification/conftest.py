"""An estate with its application, running once for all tests of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from azure.keyvault.keys._shared import http_challenge_cache
from starlette.requests import Request
from starlette.responses import Response

from tests.delivery.verification.front import Front
from tests.hosted.application import application, in_a_thread
from tests.hosted.conftest import servers
from tests.hosted.estate import Estate, Servers, running_estate
from tests.servers import listening, port_of, served
from tests.store.azure.estate import STORAGE

__all__ = ["servers"]


@pytest.fixture(scope="package")
def living(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    """Run them, in a thread of their own."""
    folder = tmp_path_factory.mktemp("living")
    http_challenge_cache.clear()

    @asynccontextmanager
    async def both() -> AsyncIterator[Estate]:
        async with (
            running_estate(servers, uuid4().hex[:12]) as estate,
            _guarded(estate),
            application(estate, folder),
        ):
            yield estate

    with in_a_thread(both()) as estate:
        yield estate


@asynccontextmanager
async def _guarded(estate: Estate) -> AsyncIterator[None]:
    """Have vault and storage look at signatures, as Azure's do and their stand-ins do not."""

    def refused(request: Request) -> Response | None:
        header = request.headers.get("authorization", "")
        held = estate.identity.accepts(header, "https://storage.azure.com")
        return None if held else Response(status_code=401)

    bound = listening()
    before = Front(
        f"https://127.0.0.1:{estate.network.routes[STORAGE]}",
        refused,
        name=STORAGE,
        tls=estate.tls,
    )
    estate.vault._authorized = lambda request: estate.identity.accepts(  # type: ignore[method-assign]
        request.headers.get("Authorization", ""), "https://vault.azure.net"
    )
    async with served(before.app(), bound, tls=estate.tls):
        estate.network.routes[STORAGE] = port_of(bound)
        yield
