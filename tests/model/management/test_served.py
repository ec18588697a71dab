"""A model server's deployments."""

from __future__ import annotations

import pytest

from secure_openai.errors import NotManaged
from secure_openai.model.management.interface import Wanted
from secure_openai.model.management.served import ACCOUNT, ServedDeployments
from secure_openai.testing.management_contract import ManagementContract
from secure_openai.types import Deployment

SERVED = [Deployment("small", "gemma-3-270m"), Deployment("large", "qwen3-4b")]


@pytest.fixture
def management() -> ServedDeployments:
    """Two deployments."""
    return ServedDeployments(lambda: SERVED)


class TestServedDeployments(ManagementContract):
    """The contract."""


async def test_nothing_changes_here(management: ServedDeployments) -> None:
    """Creating and deleting are refused with a sentence that says what to do instead."""
    (large, _) = await management.deployments(ACCOUNT)
    with pytest.raises(NotManaged, match="secure-openai up --model"):
        await management.create(Wanted(ACCOUNT, "fine", "gemma-3-270m"))
    with pytest.raises(NotManaged, match="secure-openai up --model"):
        await management.delete(ACCOUNT, "large", confirm="large", etag=large.etag)


async def test_what_is_served_is_shown(management: ServedDeployments) -> None:
    """Models and deployments are the server's, without a quota."""
    assert [one.name for one in await management.models(ACCOUNT)] == ["gemma-3-270m", "qwen3-4b"]
    assert [one.name for one in await management.deployments(ACCOUNT)] == ["large", "small"]
    assert await management.quota(ACCOUNT) == ()
    await management.aclose()
