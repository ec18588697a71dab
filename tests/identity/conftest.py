"""The real issuer, served."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest

from secure_openai.identity.keys import KeySource
from secure_openai.identity.tokens import TokenValidator
from secure_openai.local.identity_provider.__main__ import identity_provider
from secure_openai.local.identity_provider.app import IdentityProvider
from secure_openai.local.identity_provider.directory import TENANT_ID, WEB_CLIENT_ID
from tests.servers import listening, port_of, served

APPLICATION_URL = "http://localhost:1"


class Clock:
    """Seconds that go on when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now


@pytest.fixture
async def provider(identity_folder: Path) -> AsyncIterator[IdentityProvider]:
    """The laptop's issuer over real HTTP."""
    bound = listening()
    made = identity_provider(
        identity_folder,
        public_url=f"http://localhost:{port_of(bound)}",
        application_url=APPLICATION_URL,
    )
    async with served(made.app(), bound):
        yield made


@pytest.fixture
def monotonic() -> Clock:
    """The clock of the key source."""
    return Clock()


@pytest.fixture
async def keys(provider: IdentityProvider, monotonic: Clock) -> AsyncIterator[KeySource]:
    """What the issuer publishes."""
    async with aiohttp.ClientSession() as http:
        source = KeySource(provider.issuer, http=http, now=monotonic)
        yield source
        await source.aclose()


def validating(
    issuer: str, keys: KeySource, clock: Callable[[], float] = time.time
) -> TokenValidator:
    """Return the validator as the application makes it, by a clock."""
    return TokenValidator(
        issuer=issuer,
        tenant_id=TENANT_ID,
        client_id=WEB_CLIENT_ID,
        audience=WEB_CLIENT_ID,
        scope="access_as_user",
        keys=keys,
        clock=clock,
    )


@pytest.fixture
def validator(provider: IdentityProvider, keys: KeySource) -> TokenValidator:
    """The validator as the application makes it."""
    return validating(provider.issuer, keys)
