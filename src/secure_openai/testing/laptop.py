"""An application and the laptop's identity provider, both real, for the tests of one's own.

    async with laptop(application, tmp_path) as system:
        async with system.signed_in("Uma") as http:
            page = await http.get("/")

Everything is as `secure-openai up` has it, on free ports, with scripted answers for a model.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
from fastapi import FastAPI

from secure_openai.app import create_app
from secure_openai.applications import Application
from secure_openai.assembly import Assembly
from secure_openai.local.identity_provider.__main__ import identity_provider
from secure_openai.local.identity_provider.app import IdentityProvider
from secure_openai.local.identity_provider.directory import (
    COMMAND_LINE_CLIENT_ID,
    TENANT_ID,
    WEB_CLIENT_ID,
)
from secure_openai.outbound import Outbound
from secure_openai.settings import Settings
from secure_openai.store.audit import AuditEvent
from secure_openai.testing.person import named, sign_in
from secure_openai.testing.server import listening, port_of, served

PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Laptop:
    """A running application with its issuer.

    Attributes:
        url: The application's origin.
        app: The application.
        provider: The issuer.
    """

    url: str
    app: FastAPI
    provider: IdentityProvider

    def anyone(self, **headers: str) -> httpx2.AsyncClient:
        """Return a client that carries nothing."""
        return httpx2.AsyncClient(
            verify=Outbound().ssl_context,
            base_url=self.url,
            headers=headers,
            timeout=PATIENCE_SECONDS,
            trust_env=False,
        )

    def with_token(self, name: str) -> httpx2.AsyncClient:
        """Return a client that carries a person's access token, as a program does."""
        token = self.provider.issuance.access_token(
            named(name), COMMAND_LINE_CLIENT_ID, for_api=True
        )
        return self.anyone(Authorization=f"Bearer {token}")

    def as_service(self) -> httpx2.AsyncClient:
        """Return a client that carries the token of another application, which has a role."""
        token = self.provider.issuance.application_token()
        return self.anyone(Authorization=f"Bearer {token}")

    @asynccontextmanager
    async def signed_in(self, name: str) -> AsyncIterator[httpx2.AsyncClient]:
        """Yield a client that signed in as a browser does: Ada Admin, Uma User or Nora Norole."""
        headers = {"Origin": self.url, "Sec-Fetch-Site": "same-origin", "Accept": "text/html"}
        async with self.anyone(**headers) as http:
            await sign_in(http, self.url, name)
            yield http

    async def audit(self) -> Sequence[AuditEvent]:
        """Return what the audit holds."""
        assembly = self.app.state.assembly
        assert isinstance(assembly, Assembly)
        await assembly.audit.flush()
        return [
            record.event
            for head in await assembly.audit.heads()
            for record in (await assembly.audit.records(head.chain, limit=10_000)).items
        ]


@asynccontextmanager
async def laptop(
    application: Application | None, folder: Path, **settings: object
) -> AsyncIterator[Laptop]:
    """Run an application with its issuer until the block is left.

    Args:
        application: One's own, or `None` for the framework's chat.
        folder: Where both keep their data; an empty one.
        settings: Settings by name, such as `policy`.
    """
    ours, issuers = listening(), listening()
    url = f"http://localhost:{port_of(ours)}"
    provider = identity_provider(
        folder / "identity",
        public_url=f"http://localhost:{port_of(issuers)}",
        application_url=url,
    )
    chosen: dict[str, object] = {
        "public_url": url,
        "authority": provider.issuer,
        "tenant_id": TENANT_ID,
        "client_id": WEB_CLIENT_ID,
        "data": folder / "data",
        "model_source": "scripted",
        **settings,
    }
    loaded = Settings.load({}, **chosen)
    app = create_app(loaded) if application is None else application.create(loaded)
    async with served(provider.app(), issuers), served(app, ours):
        yield Laptop(url, app, provider)
