"""Azure as far as an application sees it: every service under its own name, each keyless.

A proxy leads Azure's names to servers of loopback, whose certificate the CA bundle vouches for: an
application is told of both by settings. Each service takes nothing but a token of the managed
identity that is meant for it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote

from aiohttp import web
from azure.storage.blob.aio import ContainerClient
from joserfc.jwk import RSAKey
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from secure_openai.local.identity_provider.__main__ import identity_provider
from secure_openai.local.identity_provider.app import IdentityProvider
from secure_openai.local.identity_provider.client_assertion import FederatedCredential
from secure_openai.local.identity_provider.directory import (
    COMMAND_LINE_CLIENT_ID,
    TENANT_ID,
    WEB_CLIENT_ID,
)
from secure_openai.model.scripted_server import Served, scripted_model_app
from secure_openai.outbound import Outbound
from secure_openai.store.azure.transport import Transport
from secure_openai.testing.managed_identity import ManagedIdentity
from secure_openai.testing.person import named
from tests.cosmosdb.bridge import Bridge, bridged
from tests.cosmosdb.estate import make_database, server_context
from tests.hosted.door import Door, standing_before
from tests.ingestion import KEY
from tests.servers import listening, port_of, served
from tests.store.azure.estate import STORAGE, VAULT, Identity
from tests.store.azure.tunnel import Tunnel, tunnel
from tests.store.azure.vault import Vault, running_vault
from tests.system import free_ports
from tests.tls import Tls

COSMOS = "cosmos-test.documents.azure.com"
COSMOS_REGION = "cosmos-test-swedencentral.documents.azure.com"
"""Where the account says that its region is: the client goes there with everything else."""

MODELS = ("oai-first.openai.azure.com", "oai-second.openai.azure.com")
INGESTION = "swedencentral-0.in.applicationinsights.azure.com"
NAMES = ("localhost", COSMOS, COSMOS_REGION, STORAGE, VAULT, INGESTION, *MODELS)
"""What the certificate of the estate is good for."""

FEDERATION = "api://AzureADTokenExchange"
MODEL_RESOURCE = "https://cognitiveservices.azure.com"
DEPLOYMENTS = {"chat": "gpt-5.4-mini"}


@dataclass(frozen=True)
class Servers:
    """What one run of the tests shares.

    Attributes:
        cosmos: The emulator's address.
        azurite: Its port.
        tls: The certificate of everything.
        identity_folder: An issuer's data folder with its keys in place.
        key: What the managed identity's tokens are signed with.
    """

    cosmos: str
    azurite: int
    tls: Tls
    identity_folder: Path
    key: RSAKey


@dataclass
class Estate:
    """A running estate, empty at its beginning.

    Attributes:
        port: Of the application, which people reach at `url`.
        cosmos: The database account.
        vault: The key vault.
        identity: The managed identity and its endpoint.
        identity_url: Where that endpoint is.
        provider: Who signs people in.
        door: What stands before that, and may be closed.
        models: Both accounts, the first before the second.
        network: What leads to all of them.
        tls: Their certificate.
        database: The slot's own.
        slot: What its containers end with.
    """

    port: int
    cosmos: Bridge
    vault: Vault
    identity: ManagedIdentity
    identity_url: str
    provider: IdentityProvider
    door: Door
    models: list[Served]
    network: Tunnel
    tls: Tls
    database: str
    slot: str

    @property
    def url(self) -> str:
        """Return where people go."""
        return f"http://localhost:{self.port}"

    def token(self, name: str) -> str:
        """Return a person's access token for the command line."""
        return self.provider.issuance.access_token(
            named(name), COMMAND_LINE_CLIENT_ID, for_api=True
        )

    def telemetry_to(self, port: int) -> str:
        """Lead telemetry to a port of loopback; return the connection string that names it."""
        self.network.routes[INGESTION] = port
        place = f"IngestionEndpoint=https://{INGESTION}/;LiveEndpoint=https://{INGESTION}/"
        return f"InstrumentationKey={KEY};{place}"

    def settings(self) -> dict[str, str]:
        """Return the settings that Terraform would write, and what App Service sets."""
        accounts = {
            host.partition(".")[0]: {
                "url": f"https://{host}/",
                "priority": turn,
                "deployments": DEPLOYMENTS,
            }
            for turn, host in enumerate(MODELS)
        }
        ours = {
            "ATTACHMENTS_CONTAINER": f"attachments-{self.slot}",
            "AUTHORITY": self.provider.issuer,
            "BLOB_URL": f"https://{STORAGE}/",
            "CA_BUNDLE": str(self.tls.ca),
            "CLIENT_ID": WEB_CLIENT_ID,
            "CLOUD": "public",
            "CONTACT": "Ada Admin",
            "COSMOS_DATABASE": self.database,
            "COSMOS_URL": f"https://{COSMOS}:443/",
            "EVIDENCE_KEY_URL": self.vault.evidence_url,
            "EXPORTS_CONTAINER": f"exports-{self.slot}",
            "FEDERATION_AUDIENCE": FEDERATION,
            "MODEL_ACCOUNTS": json.dumps(accounts),
            "MODEL_SOURCE": "azure",
            "PROXY": self.network.url,
            "PUBLIC_URL": self.url,
            "SEALS_CONTAINER": f"seals-{self.slot}",
            "SEAL_KEY_URL": self.vault.url,
            "TENANT_ID": TENANT_ID,
        }
        return {
            **{f"SECURE_OPENAI_{name}": value for name, value in ours.items()},
            **self.identity.environment(self.identity_url),
            "WEBSITE_SITE_NAME": "chat",
        }


class OnlyFor:
    """Lets those through whose token is the identity's and meant for this service."""

    def __init__(self, app: ASGIApp, accepts: Callable[[str], bool]) -> None:
        self._app = app
        self._accepts = accepts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 401 to anybody else."""
        if scope["type"] == "http" and not self._accepts(
            Headers(scope=scope).get("authorization", "")
        ):
            await JSONResponse({"error": {"code": "401"}}, 401)(scope, receive, send)
            return
        await self._app(scope, receive, send)


@asynccontextmanager
async def running_estate(servers: Servers, slot: str) -> AsyncIterator[Estate]:
    """Run an estate with nothing in it until the block is left."""
    identity = ManagedIdentity(servers.key)
    port = free_ports(3)
    async with AsyncExitStack() as stack:
        network = await stack.enter_async_context(tunnel({STORAGE: servers.azurite}))
        context = server_context(servers.tls.certificate, servers.tls.key)
        cosmos = await stack.enter_async_context(bridged(servers.cosmos, context))
        database = await make_database(cosmos.url)
        # From here on it is reached by its names in Azure, through the proxy.
        cosmos.url = f"https://{COSMOS_REGION}"
        network.routes |= dict.fromkeys((COSMOS, COSMOS_REGION), cosmos.port)
        cosmos.gate = lambda request: _refused_by_cosmos(request, identity)
        vault = await stack.enter_async_context(
            running_vault((servers.tls.certificate, servers.tls.key))
        )
        network.routes[VAULT] = vault.port
        models = []
        for name in MODELS:
            app, bound = scripted_model_app(), listening()
            guarded = OnlyFor(app, lambda header: identity.accepts(header, MODEL_RESOURCE))
            await stack.enter_async_context(served(guarded, bound, tls=servers.tls))
            network.routes[name] = port_of(bound)
            models.append(app.state.served)
        issuer, endpoint = listening(), listening()
        door = await stack.enter_async_context(standing_before(port_of(issuer)))
        provider = replace(
            identity_provider(
                servers.identity_folder,
                public_url=f"https://localhost:{door.port}",
                application_url=f"http://localhost:{port}",
            ),
            federated=FederatedCredential(
                identity.key, identity.issuer, identity.subject, FEDERATION
            ),
        )
        await stack.enter_async_context(served(provider.app(), issuer, tls=servers.tls))
        await stack.enter_async_context(served(identity.app(), endpoint))
        for kind in ("attachments", "exports", "seals"):
            await _make_container(network, servers.tls, f"{kind}-{slot}")
        cosmos.calls.clear()
        yield Estate(
            port=port,
            cosmos=cosmos,
            vault=vault,
            identity=identity,
            identity_url=f"http://127.0.0.1:{port_of(endpoint)}",
            provider=provider,
            door=door,
            models=models,
            network=network,
            tls=servers.tls,
            database=database,
            slot=slot,
        )


def _refused_by_cosmos(request: web.Request, identity: ManagedIdentity) -> int | None:
    """Return 401 for whoever carries no token for this account.

    Source: Azure Cosmos DB REST API, "Access control": `type=aad&ver=1.0&sig=TOKEN`, in percents.
    """
    kind, _, token = unquote(request.headers.get("Authorization", "")).partition("&sig=")
    holds = identity.accepts(f"Bearer {token}", f"https://{COSMOS}")
    return None if kind == "type=aad&ver=1.0" and holds else 401


async def _make_container(network: Tunnel, tls: Tls, name: str) -> None:
    """Make a container of blobs as Terraform would."""
    transport = Transport(Outbound(proxy=network.url, ca_bundle=tls.ca), f"https://{STORAGE}")
    async with ContainerClient(
        f"https://{STORAGE}", name, credential=Identity(), **transport.options()
    ) as client:
        await client.create_container()
    await transport.aclose()
