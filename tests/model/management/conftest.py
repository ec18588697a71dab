"""A server in Resource Manager's shapes, and our client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from secure_openai.model.management.resource_manager.deployments import AzureDeployments
from tests.model.management.resource_manager import ResourceManager
from tests.model.management.running import azure, running_manager
from tests.tls import Tls


@pytest.fixture
async def manager(tls: Tls) -> AsyncIterator[ResourceManager]:
    """The server."""
    async with running_manager(tls) as made:
        yield made


@pytest.fixture
async def management(manager: ResourceManager, tls: Tls) -> AsyncIterator[AzureDeployments]:
    """Our client."""
    made = azure(manager.url, tls.ca)
    yield made
    await made.aclose()
