"""Every administrator's address, taken from the application's own routes, refused to the others."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx2

from secure_openai.edge.access import ADMIN, access_of
from secure_openai.types import PrincipalId
from tests.world import World

PAGE = {"Accept": "text/html"}


def addresses(world: World) -> Iterator[tuple[str, str]]:
    """Yield method and path of every route under an administrator's address."""
    for route in world.app.routes:
        path = str(getattr(route, "path", ""))
        if re.match(r"/(api/)?admin(/|$)", path):
            for method in sorted(getattr(route, "methods", set()) - {"HEAD"}):
                yield method, re.sub(r"\{\w+\}", "x", path)


async def test_every_address_asks_for_the_role(world: World) -> None:
    """Nothing under an administrator's address is for anybody else, and nothing elsewhere is."""
    for route in world.app.routes:
        access = access_of(route)
        path = str(getattr(route, "path", ""))
        administrative = bool(re.match(r"/(api/)?admin(/|$)", path))
        if access is not None:
            assert administrative == (access.roles == {ADMIN}), path


async def test_others_are_refused_and_recorded(world: World) -> None:
    """A user, somebody without a role and an application are refused everywhere, each recorded."""
    known = list(addresses(world))
    assert len(known) > 40
    service = world.provider.issuance.application_token()
    for headers in (
        {**world.bearer("Uma"), **world.own},
        {**world.bearer("Nora"), **world.own},
        {"Authorization": f"Bearer {service}"},
    ):
        before = await refused(world)
        async with world.client(**headers) as http:
            me = (await http.get("/api/me")).json()
            for method, path in known:
                answer = await http.request(method, path)
                assert answer.status_code == 403, (method, path)
                assert answer.headers["content-type"] == "application/problem+json"
        after = [event for event in await world.events() if event.action == "route.refused"]
        assert len(after) == before + len(known)
        assert {event.principal for event in after[before:]} == {PrincipalId(me["tid"], me["oid"])}
        assert {(event.decision, event.reason) for event in after} == {("refused", "no_role")}


async def test_a_user_with_a_browser_is_refused(world: World) -> None:
    """The pages answer a signed-in user with a page that says so, and nothing of what they show."""
    async with world.browser("Uma") as http:
        for method, path in addresses(world):
            answer = await http.request(method, path, headers=PAGE)
            assert answer.status_code == 403, (method, path)
            assert not re.search(r"Ada|contoso", answer.text)


async def test_strangers_sign_in(world: World) -> None:
    """Without a credential data answers 401, and a page leads to sign-in."""
    async with world.client(**PAGE) as http:
        for method, path in addresses(world):
            answer = await http.request(method, path)
            expected = 303 if method == "GET" and path.startswith("/admin") else 401
            assert answer.status_code == expected, (method, path)


async def test_forged_forms_do_nothing(world: World) -> None:
    """A form that another site sends with the administrator's cookie is refused."""
    async with world.browser("Ada") as http:
        foreign = {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}
        for method, path in addresses(world):
            if method != "GET":
                answer: httpx2.Response = await http.request(method, path, headers=foreign)
                assert answer.status_code == 403, (method, path)
    assert [event for event in await world.events() if event.action.startswith("hold")] == []


async def refused(world: World) -> int:
    """Return how many refusals of routes are recorded."""
    return [event.action for event in await world.events()].count("route.refused")
