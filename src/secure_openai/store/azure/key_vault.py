"""Seals and evidence signed by a key that never leaves Azure Key Vault."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from azure.core.exceptions import AzureError, HttpResponseError
from azure.keyvault.keys import KeyType, KeyVaultKeyIdentifier
from azure.keyvault.keys.aio import KeyClient
from azure.keyvault.keys.crypto import SignatureAlgorithm
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from secure_openai.errors import StoreError
from secure_openai.outbound import Outbound
from secure_openai.store.azure.transport import Transport
from secure_openai.store.signing import ALGORITHM, CURVE, TYPE

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from azure.keyvault.keys import KeyVaultKey

logger = logging.getLogger(__name__)

CALL_SECONDS = 60.0
"""How long one operation takes at most, whatever the vault asks to wait for."""

RETRIES = 3


class KeyVaultSigner:
    """Implements `Signer` with a P-256 key of a vault, the current version of it.

    `kid` is the version's identifier, `https://VAULT/keys/NAME/VERSION`. Every version that the
    vault lists as enabled is trusted to have signed: rotation adds one, and disabling one withdraws
    the trust in what it signed.

    Args:
        key_url: The key's address, with a version to sign with that one.
        credential: How we prove ourselves; there is no other way in.
        outbound: The way out.

    Raises:
        StoreError: The address is not a key's.
    """

    def __init__(
        self,
        key_url: str,
        *,
        credential: AsyncTokenCredential,
        outbound: Outbound | None = None,
    ) -> None:
        try:
            key = KeyVaultKeyIdentifier(key_url)
        except ValueError:
            key = None
        if key is None or not key_url.startswith(f"https://{urlsplit(key_url).netloc}/keys/"):
            raise StoreError(f"{key_url} is not the address of a key in Key Vault.")
        self._name = key.name
        self._version = key.version
        self._transport = Transport(outbound or Outbound(), key.vault_url)
        self._client = KeyClient(
            key.vault_url, credential, retry_total=RETRIES, **self._transport.options()
        )
        self._known: dict[str, ECKey] = {}

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.close()
        await self._transport.aclose()

    async def sign(self, payload: bytes, *, kind: str = TYPE) -> str:
        """Return a compact JWS, signed in the vault and verified here; `kind` is its type."""
        with self._translated():
            async with asyncio.timeout(CALL_SECONDS):
                bundle = await self._client.get_key(self._name, self._version)
                key = self._public(bundle)
                version = bundle.properties.version
                client = self._client.get_cryptography_client(self._name, key_version=version)
                header = {"alg": ALGORITHM, "kid": key.kid, "typ": kind}
                signed = f"{_text(json.dumps(header).encode())}.{_text(payload)}"
                digest = hashlib.sha256(signed.encode()).digest()
                result = await client.sign(SignatureAlgorithm.es256, digest)
        token = f"{signed}.{_text(result.signature)}"
        try:
            # Where it is kept it stays for years: what would not verify is not handed out.
            jws.deserialize_compact(token, key, algorithms=[ALGORITHM])
        except JoseError:
            raise StoreError("Key Vault gave a signature that does not hold.") from None
        return token

    async def public_keys(self) -> list[ECKey]:
        """Return the public half of every enabled version."""
        with self._translated():
            async with asyncio.timeout(CALL_SECONDS):
                return [
                    await self._version_key(one.version)
                    async for one in self._client.list_properties_of_key_versions(self._name)
                    if one.enabled and one.version
                ]

    async def _version_key(self, version: str) -> ECKey:
        if version not in self._known:
            self._known[version] = self._public(await self._client.get_key(self._name, version))
        return self._known[version]

    def _public(self, bundle: KeyVaultKey) -> ECKey:
        found: Any = bundle.key
        if bundle.key_type not in {KeyType.ec, KeyType.ec_hsm} or found.crv != CURVE:
            raise StoreError(f"The key {self._name} is not a key on {CURVE}.")
        return ECKey.import_key(
            {
                "kty": "EC",
                "crv": CURVE,
                "x": _text(found.x),
                "y": _text(found.y),
                "kid": str(bundle.id),
            }
        )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except HttpResponseError as error:
            raise StoreError(
                f"The key {self._name} cannot be used: Key Vault answers {error.status_code}."
            ) from error
        except (AzureError, TimeoutError, ValueError) as error:
            # A challenge that names another service than the vault's own is a ValueError.
            logger.warning("Key Vault could not be reached: %s", type(error).__name__)
            raise StoreError(f"The key {self._name} cannot be reached.") from error


def _text(value: bytes) -> str:
    """Return bytes as base64url without padding (RFC 7515, appendix C)."""
    return base64.urlsafe_b64encode(value).decode().rstrip("=")
