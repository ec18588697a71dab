"""Quota at the gateway, in the words that clients' own retries understand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from secure_openai.edge.openai_errors import openai_error_headers
from secure_openai.errors import (
    AuditUnavailable,
    ModelThrottled,
    ModelUnavailable,
    Refused,
    SecureOpenAIError,
    Stopping,
    StoreError,
    TooManyRequests,
)
from secure_openai.local.identity_provider.directory import COMMAND_LINE_CLIENT_ID
from secure_openai.testing.person import named
from secure_openai.types import Decision, Reason, Standing
from tests.edge.test_refusals import openai_error
from tests.world import World, running_world

HELLO: list[Any] = [{"role": "user", "content": "hello"}]
CHAT = "/openai/v1/chat/completions"
SERVICE = "5ec0de00-0000-4000-8000-0000000000e1"


@pytest.fixture
async def narrow(tmp_path: Path, identity_folder: Path) -> AsyncIterator[World]:
    """A gateway whose policy is narrow for people, and apart for services that ask for them."""
    text = (files("secure_openai.policy") / "default.toml").read_text("utf-8")
    people, rest = text.split("[people.admin]")
    for before, after in (
        ("requests_per_minute = 30", "requests_per_minute = 3"),
        ("concurrent_streams = 4", "concurrent_streams = 1"),
        ("tokens_per_minute = 60_000", "tokens_per_minute = 20_000"),
        ("tokens_per_day = 1_000_000", "tokens_per_day = 30_000"),
    ):
        people = people.replace(before, after)
    own = f'[on_behalf.user.application."{SERVICE}"]\nrequests_per_minute = 7\n'
    policy = tmp_path / "policy.toml"
    policy.write_text(f"{people}[people.admin]{rest}\n{own}")
    async with running_world(tmp_path, identity_folder, policy=policy) as world:
        yield world


def body(text: str = "hello", **more: Any) -> dict[str, Any]:
    """Return a small request."""
    return {
        "model": "scripted",
        "messages": [{"role": "user", "content": text}],
        "max_tokens": 10,
    } | more


def on_behalf(world: World, client_id: str) -> dict[str, str]:
    """Return the header of a service that asks for Uma."""
    token = world.provider.issuance.access_token(
        named("Uma"), client_id, for_api=True, confidential=True
    )
    return {"Authorization": f"Bearer {token}"}


def counts(answer: httpx2.Response, what: str) -> tuple[int, int]:
    """Return the limit of requests or tokens, and what is left of it."""
    names = (f"x-ratelimit-limit-{what}", f"x-ratelimit-remaining-{what}")
    limit, left = (int(answer.headers[name]) for name in names)
    assert answer.headers[f"x-ratelimit-reset-{what}"].removesuffix("s").isdigit()
    return limit, left


async def minute_begins() -> None:
    """Wait until the UTC minute is not about to turn."""
    while datetime.now(UTC).second > 50:
        await asyncio.sleep(0.2)


async def test_every_answer_says_what_is_left(narrow: World) -> None:
    """Whole and streamed; and the refusal says so too, with how long to wait."""
    await minute_begins()
    async with narrow.client(**narrow.bearer("Uma")) as http:
        first = await http.post(CHAT, json=body())
        second = await http.post(CHAT, json=body(stream=True))
        await narrow.settled()
        await http.post(CHAT, json=body())
        refused = await http.post(CHAT, json=body())

    assert [counts(one, "requests") for one in (first, second)] == [(3, 2), (3, 1)]
    assert counts(first, "tokens")[0] == 20_000
    assert 0 < counts(first, "tokens")[1] < 20_000
    error = openai_error(refused, 429)
    assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
    assert counts(refused, "requests") == (3, 0)
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert "x-should-retry" not in refused.headers


async def test_waiting_that_does_not_help_is_not_asked_for(narrow: World) -> None:
    """What waits for another day, and what can never be, is not retried by the package."""
    attempts = 0

    async def counted(_: httpx2.Request) -> None:
        nonlocal attempts
        attempts += 1

    await minute_begins()
    transport = httpx2.AsyncClient(trust_env=False, event_hooks={"request": [counted]})
    async with openai.AsyncOpenAI(
        base_url=f"{narrow.url}/openai/v1", api_key=narrow.token("Uma"), http_client=transport
    ) as sdk:
        with pytest.raises(openai.APIStatusError) as caught:
            await sdk.chat.completions.create(
                model="scripted", messages=[{"role": "user", "content": "word " * 14_000}]
            )

    assert attempts == 1
    assert (caught.value.status_code, caught.value.code) == (413, "tokens_per_minute")
    assert "The limit itself is 20000" in caught.value.message
    assert counts(caught.value.response, "tokens") == (20_000, 20_000)


@pytest.fixture
async def sparing(tmp_path: Path, identity_folder: Path) -> AsyncIterator[World]:
    """A gateway whose policy allows people two requests a day."""
    text = (files("secure_openai.policy") / "default.toml").read_text("utf-8")
    policy = tmp_path / "policy.toml"
    policy.write_text(text.replace("requests_per_day = 3_000", "requests_per_day = 2"))
    async with running_world(tmp_path, identity_folder, policy=policy) as world:
        yield world


NOTHING_LEFT = Standing(30, 7, 60_000, 500, 41.2, 41.2)


def refusal(reason: Reason) -> Refused:
    """Return a refusal for a while."""
    decision = Decision(
        allowed=False, reason=reason, detail="", retry_after=41.2, standing=NOTHING_LEFT
    )
    return Refused(decision)


def busy() -> ModelThrottled:
    """Return what a model that is busy is told as, to whoever quota was asked for."""
    error = ModelThrottled(retry_after=7)
    error.standing = NOTHING_LEFT
    return error


@pytest.mark.parametrize(
    "error",
    [
        busy(),
        TooManyRequests("", retry_after=1, limit=4),
        *(refusal(one) for one in Reason if refusal(one).http_status == 429),
    ],
    ids=lambda error: error.problem,
)
def test_every_429_says_when_to_ask_again_and_what_is_left(error: SecureOpenAIError) -> None:
    """Retry-After, and of requests the limit, what is left, and until when: the numbers agree."""
    headers = openai_error_headers(error)

    wait = int(headers["Retry-After"])
    assert error.http_status == 429
    assert int(headers["x-ratelimit-limit-requests"]) > 0
    assert {"x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"} <= headers.keys()
    if not isinstance(error, Refused):
        assert headers["x-ratelimit-remaining-requests"] == "0"
        assert headers["x-ratelimit-reset-requests"] == f"{wait}s"


def test_no_other_error_is_a_429() -> None:
    """Whatever else is one would lack the headers: those of administration are no answers here."""
    classes = [SecureOpenAIError]
    for one in classes:
        classes += one.__subclasses__()

    named = {one.__name__ for one in classes if one.status == 429}
    assert named == {"ModelThrottled", "TooManyRequests", "ManagementThrottled"}


@pytest.mark.parametrize("reason", [one for one in Reason if refusal(one).http_status == 429])
def test_what_no_wait_helps_with_is_no_429(reason: Reason) -> None:
    """A limit of nothing is a 403, a request larger than its limit a 413: nobody retries those."""
    error = Refused(Decision(allowed=False, reason=reason, detail="", standing=NOTHING_LEFT))

    assert error.http_status == (413 if "tokens" in reason else 403)
    assert "Retry-After" not in openai_error_headers(error)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_busy_model_leaves_nothing_until_it_is_asked_again(
    narrow: World, *, stream: bool
) -> None:
    """Its 429 says one's own limits, and that nothing is left of them before Retry-After."""
    await minute_begins()
    async with narrow.client(**narrow.bearer("Uma")) as http:
        refused = await http.post(CHAT, json=body("throttle 9", stream=stream))

    assert openai_error(refused, 429)["code"] == "rate_limit_exceeded"
    assert refused.headers["retry-after"] == "9"
    assert counts(refused, "requests") == (3, 0)
    assert counts(refused, "tokens") == (20_000, 0)
    assert refused.headers["x-ratelimit-reset-requests"] == "9s"
    assert refused.headers["x-ratelimit-reset-tokens"] == "9s"


@pytest.mark.parametrize(
    "error", [ModelThrottled(), ModelUnavailable(), AuditUnavailable(), StoreError(), Stopping()]
)
def test_every_503_and_every_busy_model_says_when_to_ask_again(error: SecureOpenAIError) -> None:
    """Where nobody has said how long it is soon, and packages are not told to give up."""
    headers = openai_error_headers(error)

    assert headers["Retry-After"] == "2"
    assert "x-should-retry" not in headers


async def test_a_model_that_is_away_is_asked_again_soon(narrow: World) -> None:
    """Its 503 without a word of how long goes on with one."""
    async with narrow.client(**narrow.bearer("Uma")) as http:
        answer = await http.post(CHAT, json=body("away"))

    assert openai_error(answer, 503)["code"] == "model_unavailable"
    assert answer.headers["retry-after"] == "2"


async def test_the_requests_of_a_day(sparing: World) -> None:
    """What is left is the day's; one more is refused until it turns, and the package gives up."""
    await minute_begins()
    before = 86_400 - datetime.now(UTC).timestamp() % 86_400
    async with sparing.client(**sparing.bearer("Uma")) as http:
        answers = [await http.post(CHAT, json=body()) for _ in range(2)]
        refused = await http.post(CHAT, json=body())
        others = await http.post(CHAT, json=body(), headers=sparing.bearer("Ada"))
    after = 86_400 - datetime.now(UTC).timestamp() % 86_400
    async with openai.AsyncOpenAI(
        base_url=f"{sparing.url}/openai/v1",
        api_key=sparing.token("Uma"),
        http_client=httpx2.AsyncClient(trust_env=False),
    ) as sdk:
        with pytest.raises(openai.RateLimitError) as caught:
            await sdk.chat.completions.create(model="scripted", messages=HELLO, max_tokens=5)

    assert [counts(one, "requests") for one in answers] == [(30, 1), (30, 0)]
    assert others.status_code == 200
    error = openai_error(refused, 429)
    assert (error["type"], error["code"]) == ("rate_limit_error", "insufficient_quota")
    assert "2 requests today" in error["message"]
    assert counts(refused, "requests") == (30, 0)
    for header in ("retry-after", "x-ratelimit-reset-requests"):
        assert after - 1 <= int(refused.headers[header].removesuffix("s")) <= before + 1
    assert int(refused.headers["x-ratelimit-reset-tokens"].removesuffix("s")) <= 60
    assert caught.value.code == "insufficient_quota"
    reasons = [event.reason for event in await sparing.events()]
    assert reasons.count("requests_per_day") == 2


async def test_a_stream_under_way_counts(narrow: World) -> None:
    """A second one at a time is refused for a second; the first one's end lets it in."""
    await minute_begins()
    async with narrow.client(**narrow.bearer("Uma")) as http:
        async with http.stream("POST", CHAT, json=body("slow 500", stream=True)) as under_way:
            assert under_way.status_code == 200
            refused = await http.post(CHAT, json=body())
        await narrow.settled()
        admitted = await http.post(CHAT, json=body())

    openai_error(refused, 429)
    assert refused.headers["retry-after"] == "1"
    assert admitted.status_code == 200


async def test_the_packages_own_retries_get_through(narrow: World) -> None:
    """A second request waits as it is told, and is answered once the first has ended."""
    await minute_begins()
    statuses: list[int] = []

    async def counted(response: httpx2.Response) -> None:
        statuses.append(response.status_code)

    transport = httpx2.AsyncClient(trust_env=False, event_hooks={"response": [counted]})
    async with openai.AsyncOpenAI(
        base_url=f"{narrow.url}/openai/v1",
        api_key=narrow.token("Uma"),
        http_client=transport,
        max_retries=5,
    ) as sdk:
        first = await sdk.chat.completions.create(
            model="scripted",
            messages=[{"role": "user", "content": "slow 40"}],
            stream=True,
            max_tokens=50,
        )
        reading = asyncio.create_task(_all(first))
        second = await sdk.chat.completions.create(model="scripted", messages=HELLO, max_tokens=50)
        await reading

    assert second.choices[0].message.content == "You said: hello"
    assert statuses[:2] == [200, 429]
    assert statuses[-1] == 200


async def _all(stream: openai.AsyncStream[Any]) -> None:
    async for _ in stream:
        pass


async def test_people_applications_and_who_asks_for_people_are_apart(narrow: World) -> None:
    """Each has its own limits and its own word in the audit, with the client that asked."""
    await minute_begins()
    daemon = narrow.provider.issuance.application_token()
    callers = {
        "person": narrow.bearer("Ada"),
        "application": {"Authorization": f"Bearer {daemon}"},
        "on_behalf": on_behalf(narrow, "5ec0de00-0000-4000-8000-0000000000e2"),
        "one service": on_behalf(narrow, SERVICE),
    }
    limits = {}
    async with narrow.client() as http:
        for name, headers in callers.items():
            answer = await http.post(CHAT, json=body(), headers=headers)
            assert answer.status_code == 200, answer.text
            limits[name] = counts(answer, "requests")[0]
        path = f"/api/admin/principals/{narrow.settings.tenant_id}/x/sessions"
        ada = narrow.provider.issuance.access_token(
            named("Ada"), SERVICE, for_api=True, confidential=True
        )
        administered = await http.delete(path, headers={"Authorization": f"Bearer {ada}"})
    facts = [event.facts or {} for event in await narrow.settled()]

    assert limits == {"person": 60, "application": 300, "on_behalf": 30, "one service": 7}
    assert [one["kind"] for one in facts] == ["person", "application", "on_behalf", "on_behalf"]
    assert facts[0]["client_id"] == COMMAND_LINE_CLIENT_ID
    assert facts[3]["client_id"] == SERVICE
    assert administered.status_code == 403


@pytest.mark.parametrize(
    "change",
    [
        {"max_tokens": 4097},
        {"max_completion_tokens": 4097},
        {"max_tokens": 2049, "n": 2},
        {"max_tokens": 1_000_001},
        {"n": 9},
        {"max_output_tokens": 5},
        {"max_new_tokens": 5},
    ],
)
async def test_no_field_asks_for_more_than_policy_allows(
    narrow: World, change: dict[str, Any]
) -> None:
    """Every bound on the answer is bounded, times the choices; unknown ones are refused."""
    asked = {"model": "scripted", "messages": HELLO} | change
    async with narrow.client(**narrow.bearer("Uma")) as http:
        openai_error(await http.post(CHAT, json=asked), 400)
