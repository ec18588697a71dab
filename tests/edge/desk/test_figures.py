"""What an administrator reads: usage and cost, principals, quotas, refusals, policy and pool."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import httpx2
import pytest

from secure_openai.edge.desk.csv_file import cell
from secure_openai.jobs.catalogue import JOBS
from secure_openai.testing.person import named
from secure_openai.types import Principal, PrincipalId, PrincipalKind, utc_now
from tests.edge.test_refusals import problem
from tests.world import World, running_world

POLICY = """version = 1
[people.user]
deployments = ["*"]
requests_per_minute = 60
tokens_per_minute = 100_000
requests_per_day = 10_000
tokens_per_day = 100_000
largest_prompt_tokens = 24_000
largest_answer_tokens = 4_096
concurrent_streams = 4
[people.admin]
deployments = ["*"]
requests_per_minute = 60
tokens_per_minute = 100_000
requests_per_day = 10_000
tokens_per_day = 100_000
largest_prompt_tokens = 24_000
largest_answer_tokens = 4_096
concurrent_streams = 4
[prices]
currency = "EUR"
[prices.deployment.scripted]
prompt = 1000
completion = 10000
"""


def key_of(world: World, name: str) -> str:
    """Return a demo person's key."""
    return f"{world.settings.tenant_id}/{named(name).oid}"


async def ask(http: httpx2.AsyncClient, text: str = "hello") -> int:
    """Ask the gateway once; return the status."""
    body = {"model": "scripted", "messages": [{"role": "user", "content": text}]}
    return (await http.post("/openai/v1/chat/completions", json=body)).status_code


async def used(world: World) -> dict[str, int]:
    """Let Uma and Ada use something, and be refused something; return the tokens of each."""
    for name, times in (("Uma", 2), ("Ada", 1)):
        async with world.client(**world.bearer(name)) as http:
            for _ in range(times):
                assert await ask(http) == 200
            refused = await http.post(
                "/openai/v1/chat/completions", json={"model": "none", "messages": []}
            )
            assert refused.status_code >= 400
            body = {"model": "none", "messages": [{"role": "user", "content": "x"}]}
            assert (await http.post("/openai/v1/chat/completions", json=body)).status_code == 404
    tokens: dict[str, int] = {}
    for event in await world.settled():
        assert event.principal
        assert event.facts
        spent = event.facts["prompt_tokens"] + event.facts["completion_tokens"]
        tokens[event.principal.key] = tokens.get(event.principal.key, 0) + spent
    await world.noted()
    return tokens


async def read(http: httpx2.AsyncClient, path: str) -> dict[str, Any]:
    """Return what an address answers."""
    answer = await http.get(path)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_ranges_that_are_none(world: World) -> None:
    """What is no range of days is refused with what to write instead."""
    async with world.client(**world.bearer("Ada")) as http:
        for query in (
            "from=yesterday", "from=2030-02-30", "from=2030-01-02&to=2030-01-01", "days=0",
            "days=1000", "days=-1", "from=2029-01-01&to=2030-01-01", "to=2030-1-1", "by=title",
        ):  # fmt: skip
            problem(await http.get(f"/api/admin/usage?{query}"), 400)


async def test_usage_and_unknown_cost(world: World) -> None:
    """Usage adds up by each of four; a cost that nobody knows is null and never 0."""
    tokens = await used(world)
    async with world.client(**world.bearer("Ada"), **world.own) as http:
        counts = (await http.post("/api/admin/usage/roll-up")).json()
        assert counts["records"] > 0
        by = {
            name: await read(http, f"/api/admin/usage?days=2&by={name}")
            for name in ("principal", "application", "deployment", "day")
        }
    people = {item["key"]: item for item in by["principal"]["items"]}
    assert {
        key: item["prompt_tokens"] + item["completion_tokens"] for key, item in people.items()
    } == tokens
    assert people[key_of(world, "Uma")]["name"] == "Uma User"
    assert [item["cost"] for item in people.values()] == [None, None]
    total = sum(tokens.values())
    for report in by.values():
        items = report["items"]
        assert sum(item["prompt_tokens"] + item["completion_tokens"] for item in items) == total
        assert sum(item["requests"] for item in items) == 3
        assert report["total"]["unpriced_tokens"] == total
        assert report["total"]["cost"] is None
    assert [item["key"] for item in by["deployment"]["items"]] == ["scripted"]
    assert len(by["day"]["items"]) == 2
    # The command line's client: people come to the gateway by it.
    assert len(by["application"]["items"]) == 1
    viewed = [event for event in await world.events() if event.action == "usage.viewed"]
    assert [event.subject for event in viewed] == ["*", None, None, None]


async def test_cost_by_the_policy_file(tmp_path: Path, identity_folder: Path) -> None:
    """Prices of the policy file are those that count, in its currency."""
    path = tmp_path / "policy.toml"
    path.write_text(POLICY)
    async with running_world(tmp_path, identity_folder, policy=path) as world:
        await used(world)
        async with world.client(**world.bearer("Ada")) as http:
            report = await read(http, "/api/admin/usage?by=deployment&days=1")
            (pool,) = (await read(http, "/api/admin/pool"))["deployments"]
    (item,) = report["items"]

    expected = (item["prompt_tokens"] * 1000 + item["completion_tokens"] * 10000) / 1_000_000
    assert (item["cost"], item["currency"], item["unpriced_tokens"]) == (expected, "EUR", 0)
    assert pool["price"]["source"] == "policy"


async def test_totals_by_day_are_counted_once(world: World) -> None:
    """Bringing the totals up to date twice adds nothing."""
    await used(world)
    async with world.client(**world.bearer("Ada"), **world.own) as http:
        await http.post("/api/admin/usage/roll-up")
        first = await read(http, "/api/admin/usage?by=application")
        refused = await read(http, "/api/admin/refusals")
        await world.assembly.audit.flush()
        assert (await JOBS["roll_up"].run(world.assembly))["records"] >= 1
        again = await read(http, "/api/admin/usage?by=application")
    assert first == again
    assert {item["reason"]: item["count"] for item in refused["items"]}["unknown_deployment"] == 2


async def test_csv_is_not_obeyed(world: World) -> None:
    """A name that is a formula is a text in the file, and quotes and lines stay in their cell."""
    hostile = '=HYPERLINK("https://evil.example","x")'
    key = PrincipalId(world.settings.tenant_id, named("Uma").oid)
    await used(world)
    await world.assembly.sightings.see(
        Principal(key, PrincipalKind.PERSON, frozenset({"user"}), f'{hostile}\n"'), now=utc_now()
    )
    async with world.client(**world.bearer("Ada")) as http:
        file = await http.get("/api/admin/usage.csv?days=1")
    assert file.headers["content-disposition"].startswith('attachment; filename="usage-by-princ')
    assert file.headers["content-type"] == "text/csv; charset=utf-8"
    head, *rows = csv.reader(io.StringIO(file.content.decode("utf-8-sig"), newline=""))

    assert head[:3] == ["principal", "name", "requests"]
    names = {row[0]: row[1] for row in rows}
    assert names[key.key] == f"'{hostile}\n\""
    assert all(len(row) == len(head) for row in rows)
    assert [row[head.index("cost")] for row in rows] == ["", ""]


@pytest.mark.parametrize(
    "text", ["=1", "+1", "-1", "@x", "\t=1", "\r=1", " =1", "\uff1d1", "\u00a0=1", "\u200b=1"]
)
def test_no_cell_is_a_formula(text: str) -> None:
    """Whatever begins like a formula does not, once it is a cell; numbers stay numbers."""
    assert cell(text) == f"'{text}"
    assert (cell(-5), cell(1.5), cell(None), cell("a=1")) == ("-5", "1.5", "", "a=1")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Doe;=1", "Doe;'=1"),
        ("; @x; +1;b", "; '@x; '+1;b"),
        (";\u200b=1", ";\u200b'=1"),
        ("a\t-1\r\n=1", "a\t'-1\r\n'=1"),
        ("a-b; c, =d", "a-b; c, =d"),
    ],
)
def test_no_cell_is_a_formula_behind_another_separator(text: str, written: str) -> None:
    """A spreadsheet that separates by semicolons or tabs finds no formula behind one either."""
    assert cell(text) == written


async def test_principals_and_one_of_them(world: World) -> None:
    """Who was seen is listed and found by name; one is shown with sessions, and without secrets."""
    await used(world)
    async with world.browser("Uma") as uma, world.client(**world.bearer("Ada"), **world.own) as ada:
        cookie = uma.cookies.get("secure_openai_session", "")
        await world.noted()
        everyone = await read(ada, "/api/admin/principals")
        assert {item["name"] for item in everyone["items"]} == {"Uma User", "Ada Admin"}
        (found,) = (await read(ada, "/api/admin/principals?search=UMA"))["items"]
        assert (found["roles"], found["kind"]) == (["user"], "person")
        page = await read(ada, f"/api/admin/principals?limit=1&search={named('Uma').oid}")
        assert (len(page["items"]), page["continuation"]) == (1, None)

        path = f"/api/admin/principals/{key_of(world, 'Uma')}"
        answer = await ada.get(path)
        portrait = answer.json()
        (session,) = portrait["sessions"]
        stored = await world.assembly.sessions.of(PrincipalId.parse(key_of(world, "Uma")))
        assert cookie
        for secret in (cookie, stored[0].id_hash, stored[0].refresh_token or ""):
            assert secret not in answer.text
        assert sum(item["requests"] for item in portrait["usage"]) == 2
        (quota,) = portrait["quotas"]
        assert quota["limits"]["tokens_per_day"] == 1_000_000
        assert quota["used"]["tokens_today"] > 0

        problem(await ada.delete(f"{path}/sessions/none"), 404)
        assert (await uma.get("/api/me")).status_code == 200
        assert (await ada.delete(f"{path}/sessions/{session['session']}")).status_code == 204
        problem(await uma.get("/api/me"), 401)
        problem(await ada.get("/api/admin/principals/other/x"), 404)
    viewed = [event for event in await world.events() if event.action == "principal.viewed"]
    assert [event.subject for event in viewed] == [key_of(world, "Uma")]


async def test_near_a_limit(tmp_path: Path, identity_folder: Path) -> None:
    """Who has used half of their day is shown, with how much; who has not is not."""
    path = tmp_path / "policy.toml"
    path.write_text(POLICY.replace("tokens_per_day = 100_000", "tokens_per_day = 60_000", 1))
    async with running_world(tmp_path, identity_folder, policy=path) as world:
        async with world.client(**world.bearer("Uma")) as http:
            while True:
                assert await ask(http, "word " * 2_000) == 200
                await world.settled()
                spent = await world.assembly.usage.of(PrincipalId.parse(key_of(world, "Uma")))
                if sum(one.prompt_tokens + one.completion_tokens for one in spent) > 31_000:
                    break
        await world.noted()
        async with world.client(**world.bearer("Ada")) as http:
            assert await ask(http) == 200
            (near,) = (await read(http, "/api/admin/quotas"))["items"]
    assert (near["principal"], near["limit"], near["of"]) == (
        key_of(world, "Uma"), "tokens_per_day", 60_000,
    )  # fmt: skip
    assert 0.5 < near["share"] < 1


async def test_near_a_limit_of_a_minute(tmp_path: Path, identity_folder: Path) -> None:
    """What counts at this moment is shown beside the day, by the limit that it is near to."""
    path = tmp_path / "policy.toml"
    path.write_text(POLICY.replace("requests_per_minute = 60", "requests_per_minute = 4"))
    async with (
        running_world(tmp_path, identity_folder, policy=path) as world,
        world.client(**world.bearer("Uma")) as uma,
        world.client(**world.bearer("Ada")) as ada,
    ):
        key = key_of(world, "Uma")
        while True:
            # Where the minute has turned in between, the next one is filled.
            begun = utc_now().minute
            asked = [await ask(uma) for _ in range(3)]
            await world.settled()
            await world.noted()
            items = (await read(ada, "/api/admin/quotas"))["items"]
            if asked == [200] * 3 and begun == utc_now().minute:
                break
    (near,) = items
    assert (near["principal"], near["limit"]) == (key, "requests_per_minute")
    assert (near["used"], near["of"], near["share"]) == (3, 4, 0.75)


async def test_policy_and_pool(world: World) -> None:
    """The policy is explained with its lines, and each member of the pool says how it does."""
    async with world.client(**world.bearer("Ada")) as http:
        policy = await read(http, "/api/admin/policy")
        pool = await read(http, "/api/admin/pool")
    assert policy["source"] == "default.toml"
    assert any(item["line"] and item["text"].startswith("deployments") for item in policy["items"])
    assert [item["name"] for item in pool["deployments"]] == ["scripted"]
    assert pool["deployments"][0]["price"] is None
