"""The chat under this folder's policy, with its identity provider, both real: refusals first."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from secure_openai.testing.laptop import Laptop, laptop

POLICY = Path(__file__).parent.parent / "policy.toml"
HELLO = {"model": "scripted", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[Laptop]:
    """Return the chat, running under this folder's policy."""
    async with laptop(None, tmp_path, policy=POLICY) as running:
        yield running


async def test_without_sign_in_nothing_answers(system: Laptop) -> None:
    """Neither a page, nor the interface, nor the gateway."""
    async with system.anyone(Accept="text/html") as http:
        assert (await http.get("/")).headers["location"] == "/sign-in?return_to=/"
    async with system.anyone() as http:
        assert (await http.get("/api/conversations")).status_code == 401
        assert (await http.post("/openai/v1/chat/completions", json=HELLO)).status_code == 401


async def test_without_a_role_nothing_is_shown(system: Laptop) -> None:
    """Nora is known and has no role."""
    async with system.signed_in("Nora") as http:
        assert (await http.get("/")).status_code == 403
    async with system.with_token("Nora") as http:
        assert (await http.post("/openai/v1/chat/completions", json=HELLO)).status_code == 403


async def test_a_field_that_is_on_no_list_is_refused(system: Laptop) -> None:
    """What would make Azure keep or fetch something passes for nobody."""
    async with system.with_token("Uma") as http:
        asked = await http.post("/openai/v1/chat/completions", json=HELLO | {"store": True})
        assert asked.status_code in {400, 403}
    assert [one for one in await system.audit() if one.action == "completion.admitted"] == []


async def test_a_person_asks_and_is_answered(system: Laptop) -> None:
    """By any OpenAI client, and the audit says why that was allowed."""
    async with system.with_token("Uma") as http:
        asked = await http.post("/openai/v1/chat/completions", json=HELLO)
        assert asked.json()["choices"][0]["message"]["content"]
    (admitted,) = [one for one in await system.audit() if one.action == "completion.admitted"]
    assert admitted.reason == "admitted"
