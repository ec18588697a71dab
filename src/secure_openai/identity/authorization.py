"""Sign people in: authorization code with PKCE (RFC 6749, 4.1; RFC 7636; OpenID Connect Core 1.0).

Authlib's plain client makes the requests. There is no client secret: in Azure each exchange carries
a fresh assertion (RFC 7523, 2.2) of the managed identity; locally the client is public.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx2
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client

from secure_openai.errors import (
    CredentialUnavailable,
    IdentityProviderUnavailable,
    SignInFailed,
    Unauthenticated,
)
from secure_openai.identity.keys import KeySource
from secure_openai.identity.tokens import TokenValidator
from secure_openai.types import Principal

SCOPE = "openid profile offline_access"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
PATIENCE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class SignedIn:
    """What the identity provider said.

    Attributes:
        principal: Who signed in, with roles as of now.
        refresh_token: To ask again later, where one was given.
    """

    principal: Principal
    refresh_token: str | None


class AuthorizationClient:
    """Asks the authority to sign people in.

    Args:
        authority: The issuer.
        client_id: Ours.
        tokens: Validates every ID token.
        keys: Knows the endpoints.
        client_assertion: Gives a fresh assertion for each exchange, in Azure.
        proxy: The proxy to leave by, if any.
        ssl_context: Whose certificates to trust; the system's unless given.
    """

    def __init__(
        self,
        *,
        authority: str,
        client_id: str,
        tokens: TokenValidator,
        keys: KeySource,
        client_assertion: Callable[[], Awaitable[str]] | None = None,
        proxy: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._authority = authority
        self._tokens = tokens
        self._keys = keys
        self._client_assertion = client_assertion
        self._client = AsyncOAuth2Client(
            client_id=client_id,
            scope=SCOPE,
            token_endpoint_auth_method="none",  # noqa: S106 - a method's name
            code_challenge_method="S256",
            timeout=httpx2.Timeout(PATIENCE_SECONDS),
            follow_redirects=False,
            trust_env=False,
            proxy=proxy,
            verify=True if ssl_context is None else ssl_context,
        )

    async def authorization_address(
        self, *, state: str, nonce: str, code_verifier: str, redirect_uri: str
    ) -> str:
        """Return where to send the browser.

        Raises:
            IdentityProviderUnavailable: The authority cannot be reached.
        """
        metadata = await self._keys.metadata()
        address, _ = self._client.create_authorization_url(
            metadata.authorization_endpoint,
            state=state,
            nonce=nonce,
            code_verifier=code_verifier,
            redirect_uri=redirect_uri,
            response_mode="query",
        )
        return str(address)

    async def redeem(
        self, *, code: str, code_verifier: str, nonce: str, redirect_uri: str
    ) -> SignedIn:
        """Exchange a code for who signed in.

        Raises:
            SignInFailed: The code, or the ID token that it gave, does not hold.
            IdentityProviderUnavailable: The authority cannot be reached.
        """
        response = await self._exchange(
            grant_type="authorization_code",
            code=code,
            code_verifier=code_verifier,
            redirect_uri=redirect_uri,
        )
        return await self._signed_in(response, nonce=nonce)

    async def refresh(self, refresh_token: str) -> SignedIn:
        """Ask again who someone is and which roles they hold.

        Raises:
            SignInFailed: The authority refuses: the person must sign in again.
            IdentityProviderUnavailable: The authority cannot be reached.
        """
        response = await self._exchange(grant_type="refresh_token", refresh_token=refresh_token)
        signed_in = await self._signed_in(response, nonce=None)
        return SignedIn(signed_in.principal, signed_in.refresh_token or refresh_token)

    async def sign_out_address(self, *, return_to: str) -> str:
        """Return where to send the browser to end the authority's own session.

        The person goes back to `return_to` afterwards (OpenID Connect RP-Initiated Logout 1.0).
        """
        try:
            endpoint = (await self._keys.metadata()).end_session_endpoint
        except IdentityProviderUnavailable:
            endpoint = None
        if endpoint is None:
            return return_to
        query = urlencode(
            {"post_logout_redirect_uri": return_to, "client_id": self._client.client_id}
        )
        return f"{endpoint}?{query}"

    async def _exchange(self, **parameters: str) -> dict[str, Any]:
        metadata = await self._keys.metadata()
        if self._client_assertion is not None:
            parameters["client_assertion_type"] = ASSERTION_TYPE
            try:
                parameters["client_assertion"] = await self._client_assertion()
            except CredentialUnavailable as error:
                raise IdentityProviderUnavailable(error.detail) from None
        try:
            response: dict[str, Any] = await self._client.fetch_token(
                metadata.token_endpoint, **parameters
            )
        except OAuthError:
            raise SignInFailed("The sign-in was refused. Try again.") from None
        except (httpx2.HTTPError, OSError, ValueError):
            raise IdentityProviderUnavailable(
                "The sign-in service cannot be reached. Try again."
            ) from None
        finally:
            # The client is shared by everyone: it must not remember anyone's tokens.
            self._client.token = None
        return response

    async def _signed_in(self, response: dict[str, Any], *, nonce: str | None) -> SignedIn:
        token = response.get("id_token")
        if not isinstance(token, str):
            raise SignInFailed("The sign-in service sent no ID token.")
        try:
            principal = await self._tokens.id_token(token, nonce=nonce)
        except Unauthenticated as error:
            raise SignInFailed(error.detail) from None
        refresh_token = response.get("refresh_token")
        return SignedIn(principal, refresh_token if isinstance(refresh_token, str) else None)

    async def aclose(self) -> None:
        """Close connections."""
        await self._client.aclose()
