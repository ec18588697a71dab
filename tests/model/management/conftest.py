"""A server in Resource Manager's shapes, and our client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from secure_openai.model.management.azure import AzureDeployments
from tests.certificates import Certificate
from tests.model.management.resource_manager import ResourceManager
from tests.model.management.running import azure, running_manager

pytest.register_assert_rewrite("secure_openai.testing.management_contract")


@pytest.fixture
async def manager(certificate: Certificate) -> AsyncIterator[ResourceManager]:
    """The server."""
    async with running_manager(certificate) as made:
        yield made


@pytest.fixture
async def management(
    manager: ResourceManager, certificate: Certificate
) -> AsyncIterator[AzureDeployments]:
    """Our client."""
    made = azure(manager.url, certificate.authority)
    yield made
    await made.aclose()
