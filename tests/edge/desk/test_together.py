"""Two administrators and a user at once: nothing is lost, and each act has its actor."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from secure_openai.local.identity_provider.directory import COMMAND_LINE_CLIENT_ID
from secure_openai.store.audit import AuditEvent
from secure_openai.testing.person import named
from secure_openai.types import PrincipalId
from tests.edge.desk.test_figures import ask, key_of, read
from tests.world import World

BORIS = replace(
    named("Ada"),
    oid="5ec0de00-0000-4000-8000-0000000000b1",
    name="Boris Beside",
    username="boris@contoso.example",
)
"""Another administrator, whom the issuer's page does not offer."""


async def test_two_administrators_and_a_user_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both act on the same person, who goes on; what can be done once is done once."""
    path = f"/api/admin/principals/{key_of(world, 'Uma')}"
    token = world.provider.issuance.access_token(BORIS, COMMAND_LINE_CLIENT_ID, for_api=True)
    async with (
        world.browser("Ada") as ada,
        world.client(Authorization=f"Bearer {token}", **world.own) as boris,
        world.browser("Uma") as there,
        world.client(**world.bearer("Uma")) as uma,
    ):
        both = (ada, boris)
        placed, looked, counted, answered, listed = await asyncio.gather(
            together(*(hold(one, path, f"{at}") for at in range(5) for one in both)),
            together(*(one.get(path) for _ in range(5) for one in both)),
            together(*(one.post("/api/admin/usage/roll-up") for _ in range(2) for one in both)),
            asyncio.gather(*(ask(uma) for _ in range(4))),
            together(*(there.get("/api/conversations") for _ in range(5))),
        )
        assert set(placed + looked + counted + answered + listed) == {200}
        (kept,) = (await read(ada, "/api/admin/holds"))["items"]

        lifted = await together(*(one.delete(f"{path}/hold") for _ in range(3) for one in both))
        assert sorted(lifted) == [204, *([404] * 5)]
        ended = await asyncio.gather(*(one.delete(f"{path}/sessions") for one in both))
        assert sorted(one.json()["sessions"] for one in ended) == [0, 1]
        assert (await there.get("/api/me")).status_code == 401
        wishes = await asyncio.gather(
            *(one.post(f"{path}/erase", json={"confirm": named("Uma").oid}) for one in both),
            *(one.post(f"{path}/export") for one in both),
        )
        erasures, exports = [
            {one.json()["id"] for one in pair} for pair in (wishes[:2], wishes[2:])
        ]
        assert (len(erasures), len(exports)) == (1, 1)
        asked, keys = asyncio.Event(), world.assembly.signer.public_keys

        async def once_both_have_asked() -> Any:
            await asked.wait()
            return await keys()

        # So few records are verified before the second has asked.
        monkeypatch.setattr(world.assembly.signer, "public_keys", once_both_have_asked)
        begun = await together(*(one.post("/api/admin/audit/verification") for one in both))
        asked.set()
        assert begun == [202, 202]
        assert await ask(uma) == 200
    await world.settled()
    events = await world.events()
    acts = {
        action: Counter(called(one) for one in events if one.action == action)
        for action in {one.action for one in events}
    }
    assert acts["hold.placed"] == acts["principal.viewed"] == {"Ada": 5, "Boris": 5}
    assert acts["usage.rolled_up"] == {"Ada": 2, "Boris": 2}
    assert acts["hold.lifted"].total() == 1
    assert acts["session.revoked"] == acts["erasure.asked"] == {"Ada": 1, "Boris": 1}
    assert acts["export.asked"] == {"Ada": 1, "Boris": 1}
    assert acts["audit.verification.started"].total() == 1
    assert acts["completion.admitted"] == acts["completion.settled"] == {"Uma": 5}
    assert kept["by"] in {key_of(world, "Ada"), f"{world.settings.tenant_id}/{BORIS.oid}"}
    on_uma = [
        one for one in events if one.action in {"hold.placed", "hold.lifted", "erasure.asked"}
    ]
    assert {one.subject for one in on_uma} == {key_of(world, "Uma")}


async def hold(http: httpx2.AsyncClient, path: str, reference: str) -> httpx2.Response:
    """Hold everything of a person."""
    return await http.put(f"{path}/hold", json={"reference": reference})


async def together(*asked: Awaitable[httpx2.Response]) -> list[int]:
    """Ask all at once; return the statuses in their order."""
    return [one.status_code for one in await asyncio.gather(*asked)]


def called(event: AuditEvent) -> str:
    """Return who acted."""
    people = {named(name).oid: name for name in ("Ada", "Uma", "Nora")} | {BORIS.oid: "Boris"}
    assert isinstance(event.principal, PrincipalId)
    return people[event.principal.oid]
