"""The page of the pool, with deployments that are managed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from html import unescape

import httpx2
import pytest

from secure_openai.model.management import operations
from tests.edge.desk.test_pages import PAGE, send, shown
from tests.model.management.resource_manager import ResourceManager, arm_error
from tests.model.management.running import azure, running_manager
from tests.tls import Tls
from tests.world import World

ACCOUNT = {"account": "main"}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask again at once."""
    monkeypatch.setattr(operations, "LEAST_PAUSE_SECONDS", 0.001)


@pytest.fixture
async def manager(world: World, tls: Tls) -> AsyncIterator[ResourceManager]:
    """Resource Manager, with the application's management on it."""
    async with running_manager(tls) as made:
        management = azure(made.url, tls.ca)
        world.assembly.deployments.management = management
        yield made
        await world.assembly.deployments.aclose()
        await management.aclose()


async def test_without_management_the_page_says_so(world: World) -> None:
    """Where nothing manages deployments, none are listed and no form offers to change them."""
    async with world.browser("Ada") as http:
        text = await shown(http, "/admin/pool")
    assert "No management of deployments is configured" in text
    assert "/admin/pool/" not in text


async def test_what_azure_refuses_is_told_on_the_page(
    world: World, manager: ResourceManager
) -> None:
    """Where Azure cannot be asked, the page says why, and shows everything else."""
    manager.answer("GET", "deployments", arm_error(403, "AuthorizationFailed"), times=3)
    async with world.browser("Ada") as http:
        text = await shown(http, "/admin/pool")
    assert 'class="notice danger"' in text
    assert "scripted" in text


async def test_a_deployment_is_made_and_removed(world: World, manager: ResourceManager) -> None:
    """By forms alone: refused where it cannot be, followed, removed once its name is written."""
    async with world.browser("Ada") as http:
        text = await shown(http, "/admin/pool")
        assert "gpt-5.1" in text
        for form in (
            {"name": "../x", "model": "gpt-5.1"},
            {"name": "answers", "model": "gpt-9"},
            {"name": "answers", "model": "gpt-5.1", "capacity": "much"},
            {},
        ):
            refused = await http.post("/admin/pool/deploy", data=ACCOUNT | form, headers=PAGE)
            assert refused.status_code == 400, form
        assert manager.writes == []

        begun = await send(
            http, "/admin/pool/deploy", **ACCOUNT, name="answers", model="gpt-5.1", capacity="20"
        )
        assert begun.status_code == 303
        text = await followed(http, begun.headers["location"])
        assert "answers in main is being created" in text
        (found,) = re.findall(
            r'name="name" value="answers"><input type="hidden" name="etag" value="([^"]*)"', text
        )
        etag = unescape(found)
        wrong = await send(
            http, "/admin/pool/remove", **ACCOUNT, name="answers", etag=etag, confirm="yes"
        )
        assert wrong.status_code == 400
        removed = await send(
            http, "/admin/pool/remove", **ACCOUNT, name="answers", etag=etag, confirm="answers"
        )
        assert removed.status_code == 303, removed.text
        text = await followed(http, removed.headers["location"])
        assert "answers in main is being deleted" in text
        assert 'value="answers"' not in text
        assert "is being" not in await shown(http, "/admin/pool?operation=x")
    acts = [one.action for one in await world.events()]
    assert acts.count("deployment.create.refused") == 3
    assert acts.count("deployment.create.asked") == 4
    assert acts.count("deployment.delete.refused") == 1


async def followed(http: httpx2.AsyncClient, address: str) -> str:
    """Return the page once the operation that it follows has ended."""
    async with asyncio.timeout(60):
        while True:
            text = await shown(http, address)
            if "under way." not in text:
                return text
            await asyncio.sleep(0.01)
