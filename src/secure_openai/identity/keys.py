"""The identity provider's metadata and signing keys (OpenID Connect Discovery 1.0; RFC 7517).

Keys are fetched in the background and by one task at a time. A token with an unknown `kid` may ask
for a refresh, but only a few times a minute for all tokens together, so that invented `kid`s cannot
exhaust the provider or us; tokens with known keys never wait.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

import aiohttp
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from secure_openai.errors import IdentityProviderUnavailable, Unauthenticated

logger = logging.getLogger(__name__)

DISCOVERY_PATH = "/.well-known/openid-configuration"
FRESH_SECONDS = 3600.0
"""After how long known keys are fetched again, in the background."""

REFRESHES = 3
REFILL_SECONDS = 20.0
"""How many refreshes unknown `kid`s may cause, and how long until one more."""

WAIT_SECONDS = 5.0
SMALLEST_KEY_BITS = 2048
LARGEST_DOCUMENT_BYTES = 262_144


@dataclass(frozen=True, slots=True)
class Metadata:
    """The endpoints of an identity provider."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    end_session_endpoint: str | None
    device_authorization_endpoint: str | None


class KeySource:
    """Fetches and keeps what the authority publishes.

    Args:
        authority: The issuer, exactly as its tokens write it.
        http: Whose connections to use; not closed here.
        proxy: The proxy to leave by, if any.
        now: Monotonic seconds.
    """

    def __init__(
        self,
        authority: str,
        *,
        http: aiohttp.ClientSession,
        proxy: str | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._authority = authority
        self._http = http
        self._proxy = proxy
        self._now = now
        self._metadata: Metadata | None = None
        self._keys: dict[str, RSAKey] = {}
        self._fetched = float("-inf")
        self._refreshing: asyncio.Task[None] | None = None
        self._tokens = float(REFRESHES)
        self._refilled = now()
        self._listeners: list[Callable[[str], None]] = []
        self.refreshes = 0

    def on_removed(self, listener: Callable[[str], None]) -> None:
        """Call `listener` with the `kid` of each key that is no longer published."""
        self._listeners.append(listener)

    async def metadata(self) -> Metadata:
        """Return the endpoints, fetched once.

        Raises:
            IdentityProviderUnavailable: The authority does not answer, or as someone else.
        """
        if self._metadata is None:
            document = await self._fetch(self._authority + DISCOVERY_PATH)
            self._metadata = self._checked(document)
        return self._metadata

    async def key(self, kid: str) -> RSAKey:
        """Return a signing key.

        Raises:
            Unauthenticated: There is no such key.
            IdentityProviderUnavailable: No key is known at all, and none can be fetched.
        """
        known = self._keys.get(kid)
        if known is not None:
            if self._now() - self._fetched > FRESH_SECONDS and self._may_refresh():
                self._refresh()
            return known
        if self._refreshing is not None or self._may_refresh():
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._refresh()), WAIT_SECONDS)
        found = self._keys.get(kid)
        if found is not None:
            return found
        if not self._keys:
            raise IdentityProviderUnavailable("The sign-in service cannot be reached. Try again.")
        raise Unauthenticated("The token is signed by a key that is not known.")

    def _may_refresh(self) -> bool:
        now = self._now()
        self._tokens = min(float(REFRESHES), self._tokens + (now - self._refilled) / REFILL_SECONDS)
        self._refilled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _refresh(self) -> asyncio.Task[None]:
        if self._refreshing is None:
            self._refreshing = asyncio.ensure_future(self._fetch_keys())
        return self._refreshing

    async def _fetch_keys(self) -> None:
        try:
            self.refreshes += 1
            document = await self._fetch((await self.metadata()).jwks_uri)
            keys = _signing_keys(document)
        except IdentityProviderUnavailable:
            # What is known stays in use: the provider's absence must not sign everyone out.
            logger.warning("the identity provider's keys cannot be fetched")
            return
        finally:
            self._refreshing = None
        if not keys:
            logger.warning("the identity provider publishes no signing keys")
            return
        removed = self._keys.keys() - keys.keys()
        self._keys = keys
        self._fetched = self._now()
        for kid in removed:
            for listener in self._listeners:
                listener(kid)

    async def _fetch(self, url: str) -> dict[str, Any]:
        try:
            async with self._http.get(
                url,
                allow_redirects=False,
                proxy=self._proxy,
                timeout=aiohttp.ClientTimeout(total=WAIT_SECONDS),
            ) as response:
                response.raise_for_status()
                document = json.loads(await _body(response))
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError, RecursionError):
            raise IdentityProviderUnavailable(
                "The sign-in service cannot be reached. Try again."
            ) from None
        if not isinstance(document, dict):
            raise IdentityProviderUnavailable("The sign-in service does not answer as one.")
        return document

    def _checked(self, document: dict[str, Any]) -> Metadata:
        """Take the endpoints, if they belong to the authority's own world.

        The issuer must be the one asked (OpenID Connect Discovery 1.0, 4.3). An https authority
        cannot send anyone to an http endpoint; one on http, which is a laptop's, only to itself.
        """
        if document.get("issuer") != self._authority:
            raise IdentityProviderUnavailable("The sign-in service says that it is another one.")
        authority = urlsplit(self._authority)
        endpoints: dict[str, str | None] = {}
        for name in (
            "authorization_endpoint",
            "token_endpoint",
            "jwks_uri",
            "end_session_endpoint",
            "device_authorization_endpoint",
        ):
            value = document.get(name)
            if value is not None and (not isinstance(value, str) or not _near(value, authority)):
                raise IdentityProviderUnavailable(f"The sign-in service's {name} is not usable.")
            endpoints[name] = value
        required = [
            endpoints[name] for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")
        ]
        if None in required:
            raise IdentityProviderUnavailable("The sign-in service's metadata is not complete.")
        return Metadata(issuer=self._authority, **endpoints)  # type: ignore[arg-type]

    async def aclose(self) -> None:
        """Stop a refresh that is under way."""
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.gather(self._refreshing, return_exceptions=True)


async def _body(response: aiohttp.ClientResponse) -> bytes:
    text = bytearray()
    async for chunk in response.content.iter_any():
        text += chunk
        if len(text) > LARGEST_DOCUMENT_BYTES:
            raise ValueError("the document is too large")
    return bytes(text)


def _near(url: str, authority: SplitResult) -> bool:
    parts = urlsplit(url)
    if parts.scheme != authority.scheme:
        return False
    return parts.scheme == "https" or parts.netloc == authority.netloc


def _signing_keys(document: dict[str, Any]) -> dict[str, RSAKey]:
    keys: dict[str, RSAKey] = {}
    published = document.get("keys")
    for item in published if isinstance(published, list) else []:
        if not isinstance(item, dict) or item.get("kty") != "RSA":
            continue
        if item.get("use", "sig") != "sig" or not isinstance(item.get("kid"), str):
            continue
        # Measured before it is read: base64url carries six bits a character (RFC 7518, 6.3.1.1).
        modulus = item.get("n")
        if not isinstance(modulus, str) or len(modulus) * 6 < SMALLEST_KEY_BITS:
            continue
        public = {name: item[name] for name in ("kty", "n", "e", "kid") if name in item}
        with suppress(JoseError, ValueError, KeyError, TypeError):
            keys[item["kid"]] = RSAKey.import_key(public)
    return keys
