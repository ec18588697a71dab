"""How one stands with each deployment."""

from __future__ import annotations

from datetime import datetime, timedelta

import httpx2

from secure_openai.types import utc_now
from tests.edge.test_refusals import problem
from tests.world import World

HELLO = [{"role": "user", "content": "hello"}]


async def standing(http: httpx2.AsyncClient) -> dict[str, dict[str, dict[str, int]]]:
    """Return how one stands with the only deployment."""
    answer = await http.get("/api/me/quota")
    assert answer.status_code == 200
    (found,) = answer.json()["items"]
    assert found.pop("deployment") == "scripted"
    found["under_way"] = {"streams": found["under_way"]}
    return dict(found)


async def test_without_a_role_there_is_no_quota(world: World) -> None:
    """Whoever may use nothing is told so."""
    async with world.client(**world.bearer("Nora")) as http:
        problem(await http.get("/api/me/quota"), 403)


async def test_quota(world: World) -> None:
    """Limits are the role's; what is used counts at either door, is one's own, and turns in UTC."""
    async with world.client(**world.bearer("Uma")) as http:
        before = await standing(http)
        turns = (await http.get("/api/me/quota")).json()["resets"]
        asked = {"model": "scripted", "messages": HELLO}
        assert (await http.post("/openai/v1/chat/completions", json=asked)).status_code == 200
        (end,) = await world.settled()
        after = await standing(http)
    async with world.client(**world.bearer("Ada")) as http:
        hers = await standing(http)
    now = utc_now()

    assert before["minute"]["requests"] == {"limit": 30, "used": 0, "left": 30}
    assert before["day"]["requests"] == {"limit": 3_000, "used": 0, "left": 3_000}
    assert after["day"]["requests"] == {"limit": 3_000, "used": 1, "left": 2_999}
    assert before["day"]["tokens"] == {"limit": 1_000_000, "used": 0, "left": 1_000_000}
    assert before["under_way"]["streams"] == {"limit": 4, "used": 0, "left": 4}
    assert end.facts is not None
    took = end.facts["prompt_tokens"] + end.facts["completion_tokens"]
    assert took > 0
    assert after["day"]["tokens"] == {
        "limit": 1_000_000,
        "used": took,
        "left": 1_000_000 - took,
    }
    assert hers["day"]["tokens"] == {"limit": 2_000_000, "used": 0, "left": 2_000_000}
    day, minute = (datetime.fromisoformat(turns[name]) for name in ("day", "minute"))
    assert (day.hour, day.minute, day.second, minute.second) == (0, 0, 0, 0)
    assert timedelta() < day - now <= timedelta(days=1)
    assert minute - now <= timedelta(minutes=1)
