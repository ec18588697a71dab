"""How we prove ourselves to Azure: never by a key.

    credential = credential_of(settings, outbound)
    await credential.bearer(settings.cloud_facts.model_scope)      # "Bearer eyJ..."
    CosmosClient(url, credential=credential)                       # or any other Azure client

On an Azure host it is the managed identity, in a pipeline the token that GitHub vouches with, on a
laptop the developer's own sign-in: which one is a setting, nothing is tried in turn. Tokens are
kept in memory, renewed before they expire, and appear in no log and no repr.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Protocol

import aiohttp
from azure.core.credentials import AccessToken, AccessTokenInfo, TokenRequestOptions
from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.core.pipeline.transport import AioHttpTransport
from azure.identity.aio import (
    AzureCliCredential,
    AzureDeveloperCliCredential,
    ChainedTokenCredential,
    ClientAssertionCredential,
    ManagedIdentityCredential,
)

from secure_openai.credential_settings import CredentialKind, CredentialSettings
from secure_openai.errors import CredentialUnavailable
from secure_openai.outbound import Outbound, body_of

logger = logging.getLogger(__name__)

# What it writes of a failure quotes what the endpoint answered; whoever asked is told by us.
logging.getLogger("azure.identity").setLevel(logging.ERROR)

MARGIN_SECONDS = 300.0
"""How long before its end a token is renewed, unless its issuer says an earlier time."""

USABLE_SECONDS = 30.0
"""A token with less left than this is waited for: it could end on the way."""

RETRY_SECONDS = 30.0
"""How long after a failed renewal the next one is tried, while the token at hand still holds."""

PATIENCE_SECONDS = 20.0
"""How long one renewal may take, retries included."""

LARGEST_ANSWER_BYTES = 65_536

UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""What reading an answer ends with that is none of a token's issuer."""

_TOKEN = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
"""What may stand in a header's value (RFC 9110, 5.5): a line feed would begin another header."""

Key = tuple[tuple[str, ...], str | None, bool, str | None]
"""What a token is for: scopes, tenant, continuous evaluation, and the claims that were demanded."""


class Source(Protocol):
    """Whom tokens come from: one of azure-identity's asynchronous credentials."""

    async def get_token_info(
        self, *scopes: str, options: TokenRequestOptions | None = None
    ) -> AccessTokenInfo:
        """Ask for a token."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...


class Credential:
    """Keeps the tokens of a source; passes as `AsyncTokenCredential` and `AsyncSupportsTokenInfo`.

    One renewal of a token is under way at a time, whoever waits for it, and whoever stops waiting.
    A token is renewed in the background while it still holds; if that fails it goes on being used
    until its end.

    Args:
        source: Whom tokens come from; closed with this.
        name: What it is, for people to read.
        mend: What they do where it has no token, as a sentence.
        assertion: Asks the managed identity for a token of an audience, past every cache of ours.
        now: Seconds since the epoch.
    """

    def __init__(
        self,
        source: Source,
        *,
        name: str,
        mend: str = "Tell your administrator.",
        assertion: Callable[[str], Awaitable[str]] | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._mend = mend
        self._source = source
        self._assertion = assertion
        self._now = now
        self._kept: dict[Key, AccessTokenInfo] = {}
        self._renewing: dict[Key, asyncio.Task[AccessTokenInfo]] = {}
        self._not_before: dict[Key, float] = {}

    def __repr__(self) -> str:
        return f"Credential({self.name})"

    async def bearer(self, scope: str) -> str:
        """Return the value of an `Authorization` header.

        Raises:
            CredentialUnavailable: There is no token, and none can be had.
        """
        try:
            return f"Bearer {(await self.get_token_info(scope)).token}"
        except (AzureError, TimeoutError, ValueError) as error:
            raise CredentialUnavailable(
                f"Azure gives no token to our {self.name} ({type(error).__name__}). {self._mend}"
            ) from None

    async def assertion(self, audience: str) -> str:
        """Return a token with which the managed identity vouches for an application.

        It is asked for each time and never kept (RFC 7523, 2.2).

        Raises:
            CredentialUnavailable: None can be had, or this is no managed identity.
        """
        if self._assertion is None:
            raise CredentialUnavailable(f"Our {self.name} cannot vouch for an application.")
        try:
            return await self._assertion(audience)
        except (AzureError, TimeoutError, ValueError) as error:
            raise CredentialUnavailable(
                f"Our {self.name} cannot vouch for the application ({type(error).__name__}). "
                "Tell your administrator."
            ) from None

    async def get_token(
        self,
        *scopes: str,
        claims: str | None = None,
        tenant_id: str | None = None,
        enable_cae: bool = False,
        **more: Any,  # noqa: ARG002 - part of AsyncTokenCredential
    ) -> AccessToken:
        """Return a token, as Azure's clients ask for it; raises what azure-identity raises."""
        options = TokenRequestOptions(enable_cae=enable_cae)
        if claims is not None:
            options["claims"] = claims
        if tenant_id is not None:
            options["tenant_id"] = tenant_id
        found = await self.get_token_info(*scopes, options=options)
        return AccessToken(found.token, found.expires_on)

    async def get_token_info(
        self, *scopes: str, options: TokenRequestOptions | None = None
    ) -> AccessTokenInfo:
        """Return a token, as Azure's clients ask for it; raises what azure-identity raises."""
        asked = options or TokenRequestOptions()
        key: Key = (scopes, asked.get("tenant_id"), bool(asked.get("enable_cae")), None)
        kept, now = self._kept.get(key), self._now()
        if claims := asked.get("claims"):
            # A service that demands claims refuses the token at hand.
            return await asyncio.shield(self._renew((*key[:3], claims), asked))
        if kept is None or kept.expires_on <= now:
            return await asyncio.shield(self._renew(key, asked))
        renewal = kept.refresh_on or kept.expires_on - MARGIN_SECONDS
        if now >= max(renewal, self._not_before.get(key, renewal)):
            renewing = self._renew(key, asked)
            if kept.expires_on - now <= USABLE_SECONDS:
                with suppress(AzureError, TimeoutError, ValueError):
                    return await asyncio.shield(renewing)
        return kept

    def _renew(self, key: Key, options: TokenRequestOptions) -> asyncio.Task[AccessTokenInfo]:
        renewing = self._renewing.get(key)
        if renewing is None:
            renewing = asyncio.ensure_future(self._ask(key, options))
            self._renewing[key] = renewing
            renewing.add_done_callback(lambda task: self._renewed(key, task))
        return renewing

    async def _ask(self, key: Key, options: TokenRequestOptions) -> AccessTokenInfo:
        async with asyncio.timeout(PATIENCE_SECONDS):
            found = await _sound(self._source.get_token_info(*key[0], options=options))
        self._kept[*key[:3], None] = found
        return found

    def _renewed(self, key: Key, task: asyncio.Task[AccessTokenInfo]) -> None:
        self._renewing.pop(key, None)
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            self._not_before.pop(key, None)
            return
        self._not_before[key] = self._now() + RETRY_SECONDS
        if key in self._kept:
            # Whoever has no token is told; whoever goes on with the old one would not know.
            logger.warning("no new token for %s (%s)", " ".join(key[0]), type(error).__name__)

    async def close(self) -> None:
        """Stop renewals and close connections."""
        under_way = tuple(self._renewing.values())
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        await self._source.close()

    async def __aenter__(self) -> Credential:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        # Azure's clients close a credential that is given to them; this one serves several.
        return None


async def _sound(asking: Awaitable[AccessTokenInfo]) -> AccessTokenInfo:
    """Return a token that can be sent as one.

    Raises:
        ClientAuthenticationError: What answered is no token, whatever else it may be. Azure's
            clients know this error; azure-identity lets through what reading an answer ends with.
    """
    try:
        found = await asking
    except UNREADABLE as error:
        raise ClientAuthenticationError(
            f"the answer is no token ({type(error).__name__})"
        ) from None
    if not isinstance(found.token, str) or not _TOKEN.fullmatch(found.token):
        raise ClientAuthenticationError("the answer is no token")
    return found


def transport_of(outbound: Outbound, url: str) -> AioHttpTransport:
    """Return the transport to give to an Azure client that talks to `url`; the client closes it."""
    return AioHttpTransport(session=outbound.session(url, decompress=False), use_env_settings=False)


def credential_of(settings: CredentialSettings, outbound: Outbound) -> Credential:
    """Return the credential that the settings name; an event loop must be running."""
    match settings.credential_kind:
        case CredentialKind.MANAGED_IDENTITY:
            return _managed_identity(settings)
        case CredentialKind.PIPELINE:
            return Credential(_Pipeline(settings, outbound), name="pipeline")
        case CredentialKind.DEVELOPER:
            tenant = settings.azure_tenant_id
            chain = ChainedTokenCredential(
                AzureCliCredential(tenant_id=tenant), AzureDeveloperCliCredential(tenant_id=tenant)
            )
            return Credential(
                chain, name="developer's sign-in", mend="Sign in: az login, or azd auth login."
            )


def _managed_identity(settings: CredentialSettings) -> Credential:
    # Its endpoint is this machine's own: no proxy ever leads there.
    quick: dict[str, Any] = {
        "use_env_settings": False,
        "retry_total": 3,
        "retry_backoff_factor": 0.2,
        "connection_timeout": 5,
        "read_timeout": 10,
    }
    identity = ManagedIdentityCredential(client_id=settings.azure_client_id or None, **quick)

    async def assertion(audience: str) -> str:
        # azure-identity keeps what it was given: one that has been given nothing asks.
        async with (
            ManagedIdentityCredential(client_id=settings.azure_client_id or None, **quick) as fresh,
            asyncio.timeout(PATIENCE_SECONDS),
        ):
            found = await _sound(fresh.get_token_info(f"{audience}/.default"))
            return str(found.token)

    return Credential(identity, name="managed identity", assertion=assertion)


class _Pipeline:
    """Exchanges the token that GitHub gives a job for one of Azure's (workload federation).

    Source: GitHub, "OpenID Connect reference"; Microsoft identity platform, "OAuth 2.0 client
    credentials flow", third case.
    """

    def __init__(self, settings: CredentialSettings, outbound: Outbound) -> None:
        self._settings = settings
        self._outbound = outbound
        self._vouched = ""
        authority = settings.cloud_facts.authority
        self._exchange = ClientAssertionCredential(
            settings.azure_tenant_id,
            settings.azure_client_id,
            lambda: self._vouched,
            authority=authority,
            transport=transport_of(outbound, authority),
            disable_instance_discovery=True,
        )

    async def get_token_info(
        self, *scopes: str, options: TokenRequestOptions | None = None
    ) -> AccessTokenInfo:
        self._vouched = await self._token()
        return await self._exchange.get_token_info(*scopes, options=options)

    async def _token(self) -> str:
        """Ask GitHub for a token of the job; it lives for minutes, so it is asked for each time.

        Raises:
            ValueError: GitHub gave none.
        """
        url = self._settings.pipeline_token_url
        secret = self._settings.pipeline_token_request.get_secret_value()
        try:
            async with (
                self._outbound.session(url) as session,
                session.get(
                    url,
                    params={"audience": self._settings.cloud_facts.federation_audience},
                    headers={"Authorization": f"Bearer {secret}"},
                    allow_redirects=False,
                    raise_for_status=True,
                ) as response,
            ):
                body = await body_of(response, largest_bytes=LARGEST_ANSWER_BYTES)
                value: object = json.loads(body)["value"]
        except (aiohttp.ClientError, OSError, KeyError, TypeError):
            raise ValueError("GitHub gives this job no token") from None
        if not isinstance(value, str):
            raise ValueError("GitHub gives this job no token")  # noqa: TRY004 - as for a missing one
        return value

    async def close(self) -> None:
        await self._exchange.close()
