"""The application and the issuer, both real, in the test's own event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
from fastapi import FastAPI

from secure_openai.app import create_app
from secure_openai.assembly import Assembly
from secure_openai.local.identity_provider.__main__ import identity_provider
from secure_openai.local.identity_provider.app import IdentityProvider
from secure_openai.local.identity_provider.directory import (
    COMMAND_LINE_CLIENT_ID,
    TENANT_ID,
    WEB_CLIENT_ID,
)
from secure_openai.settings import Settings
from secure_openai.store.audit import AuditEvent
from secure_openai.testing.person import named, sign_in
from tests.servers import listening, port_of, served


@dataclass(frozen=True)
class World:
    """A running application with its issuer."""

    url: str
    app: FastAPI
    provider: IdentityProvider
    settings: Settings

    @property
    def assembly(self) -> Assembly:
        """Return what the application is made of."""
        assembly = self.app.state.assembly
        assert isinstance(assembly, Assembly)
        return assembly

    @property
    def own(self) -> dict[str, str]:
        """Return the headers that our own page's scripts send."""
        return {"Origin": self.url, "Sec-Fetch-Site": "same-origin"}

    def token(self, name: str) -> str:
        """Return a person's access token for the command line."""
        return self.provider.issuance.access_token(
            named(name), COMMAND_LINE_CLIENT_ID, for_api=True
        )

    def bearer(self, name: str) -> dict[str, str]:
        """Return the header that carries a person's access token."""
        return {"Authorization": f"Bearer {self.token(name)}"}

    def client(self, **more: str) -> httpx2.AsyncClient:
        """Return a client without credentials."""
        return httpx2.AsyncClient(base_url=self.url, headers=more, timeout=60, trust_env=False)

    @asynccontextmanager
    async def browser(self, name: str) -> AsyncIterator[httpx2.AsyncClient]:
        """Yield a client signed in by cookie, which sends what our page sends."""
        async with self.client(**self.own) as http:
            page = await sign_in(http, self.url, name)
            assert page.url.path == "/"
            yield http

    async def events(self) -> list[AuditEvent]:
        """Return every audit event."""
        audit = self.assembly.audit
        await audit.flush()
        return [
            record.event
            for head in await audit.heads()
            for record in (await audit.records(head.chain, limit=10_000)).items
        ]

    async def settled(self) -> list[AuditEvent]:
        """Return the end of every completion that was admitted, once each has one.

        A client may see the end of a stream before it is recorded.
        """
        async with asyncio.timeout(60):
            while True:
                actions = [event.action for event in await self.events()]
                if actions.count("completion.settled") == actions.count("completion.admitted"):
                    break
                await asyncio.sleep(0.02)
        return [event for event in await self.events() if event.action == "completion.settled"]

    async def noted(self) -> None:
        """Return once whoever came is written down, which is done a moment after they did."""
        await self.assembly.background.drain()


@asynccontextmanager
async def running_world(
    tmp_path: Path, identity_folder: Path, **settings: object
) -> AsyncIterator[World]:
    """Run both until the block is left."""
    application, issuer = listening(), listening()
    url = f"http://localhost:{port_of(application)}"
    provider = identity_provider(
        identity_folder,
        public_url=f"http://localhost:{port_of(issuer)}",
        application_url=url,
    )
    chosen = {
        "public_url": url,
        "authority": provider.issuer,
        "tenant_id": TENANT_ID,
        "client_id": WEB_CLIENT_ID,
        "data": tmp_path / "data",
        "model_source": "scripted",
        "contact": "Ada Admin",
        **settings,
    }
    loaded = Settings.load({}, **chosen)
    app = create_app(loaded)
    async with served(provider.app(), issuer), served(app, application):
        yield World(url, app, provider, loaded)
