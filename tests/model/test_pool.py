"""A pool answers as one model: what each fault looks like to whoever asks, and who is next."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import replace

import aiohttp
import pytest

from secure_openai.errors import (
    ContentFiltered,
    DeploymentMissing,
    DeploymentRetired,
    DeploymentTooSmall,
    ModelError,
    ModelForbidden,
    ModelRejected,
    ModelThrottled,
    ModelTimeout,
    ModelUnavailable,
    WindowExceeded,
)
from secure_openai.model.azure_openai import AzureOpenAIModel
from secure_openai.model.exchange import Patience
from secure_openai.model.interface import Model, ModelRequest
from secure_openai.model.pool import ANSWERED_SECONDS, Member, Pool
from secure_openai.model.scripted import ScriptedModel
from secure_openai.model.scripted_server import Served, scripted_model_app
from secure_openai.testing.model_contract import (
    ModelContract,
    all_events,
    embeddings_request,
    request,
    response_request,
    text_of,
    whole,
)
from secure_openai.types import Attempt, CircuitState, Deployment
from tests.model.members import Clock, Said, ask, pool_of
from tests.servers import listening, port_of, served

QUICK = Patience(connect=5, first_byte=0.2, whole=0.2, idle=0.2)
"""For accounts that never answer: one that does may take its time."""

SCRIPTED = [Deployment("scripted", "scripted")]


async def ours() -> str:
    """Return a credential."""
    return "Bearer ours"


def always(text: str) -> Callable[[int], str | None]:
    """Return what makes a server do the same for every request."""
    return lambda _: text


@asynccontextmanager
async def accounts(
    *instead: Callable[[int], str | None] | None, patience: Patience | None = None
) -> AsyncIterator[tuple[Pool, list[Served]]]:
    """Yield a pool of real accounts, `a` before `b` before `c`, and what each of them saw."""
    apps = [scripted_model_app() for _ in instead]
    bound = [listening() for _ in instead]
    async with aiohttp.ClientSession() as session:
        members = []
        for index, (app, faults) in enumerate(zip(apps, instead, strict=True)):
            if faults is not None:
                app.state.served.instead = faults
            model = AzureOpenAIModel(
                f"http://127.0.0.1:{port_of(bound[index])}",
                SCRIPTED,
                session=session,
                authorization=ours,
                patience=patience or _patience(faults),
            )
            members.append(Member("abcdef"[index], index, model))
        async with AsyncExitStack() as stack:
            for app, one in zip(apps, bound, strict=True):
                await stack.enter_async_context(served(app, one))
            yield Pool(members), [app.state.served for app in apps]


def _patience(faults: Callable[[int], str | None] | None) -> Patience:
    """Return little patience for what never comes, and enough for everything else."""
    command, _, count = ((faults(1) if faults is not None else None) or "").partition(" ")
    if command == "stall" and count:
        return Patience(idle=0.2)
    return QUICK if command in {"stall", "mute", "late"} else Patience()


class TestPoolOfOne(ModelContract):
    """One account behind a pool is as the account itself."""

    @pytest.fixture
    async def model(self) -> AsyncIterator[Model]:
        """Return the pool."""
        async with accounts(None) as (pool, _):
            yield pool


class TestPoolOfTwo(ModelContract):
    """With a member that is away the other one answers for both."""

    @pytest.fixture
    def model(self) -> Model:
        """Return the pool."""
        return Pool([Member("away", 0, Said("away 600")), Member("there", 1, ScriptedModel())])

    async def test_throttled(self, model: Model) -> None:
        """Both are out: the soonest of them says how long to wait."""
        with pytest.raises(ModelThrottled) as caught:
            await model.open(request("throttle 9"))
        assert caught.value.retry_after == pytest.approx(9, abs=0.5)

    async def test_hurried(self, model: Model) -> None:
        """The same in milliseconds."""
        with pytest.raises(ModelThrottled) as caught:
            await model.open(request("hurried 1500"))
        assert caught.value.retry_after == pytest.approx(1.5, abs=0.4)

    @pytest.mark.parametrize(
        ("text", "kind", "said"),
        [
            ("window", WindowExceeded, "Shorten the conversation"),
            ("missing", DeploymentMissing, "scripted does not exist"),
            ("retired", DeploymentRetired, "retired the model behind scripted"),
            ("forbidden", ModelForbidden, "Cognitive Services OpenAI User"),
            ("small 99", DeploymentTooSmall, "99 tokens a minute"),
            ("throttle 86400", ModelThrottled, "over its own quota"),
            ("away 4", ModelUnavailable, "not available"),
        ],
    )
    async def test_what_to_do_is_said(
        self, model: Model, text: str, kind: type[ModelError], said: str
    ) -> None:
        """What the last one said is told."""
        await super().test_what_to_do_is_said(model, text, kind, said)


FAULTS = {
    "throttle 60": ("model-throttled", False),
    "hurried 60000": ("model-throttled", False),
    "small 99": ("deployment-too-small", False),
    "fail": ("model-failed", False),
    "away": ("model-unavailable", False),
    "away 60": ("model-unavailable", False),
    "missing": ("deployment-missing", False),
    "retired": ("deployment-retired", False),
    "forbidden": ("model-forbidden", False),
    "stall": ("model-timeout", True),
    "mute": ("model-timeout", True),
    "late 1000": ("model-timeout", True),
    "cut": ("model-failed", True),
}
"""What goes wrong before the first byte: how it is recorded, and whether Azure may bill it."""


@pytest.mark.parametrize("fault", FAULTS)
async def test_before_the_first_byte_the_next_one_answers(fault: str) -> None:
    """Whoever asks sees the answer and nothing else; the failed attempt is there for the audit."""
    slug, billable = FAULTS[fault]
    async with accounts(always(fault), None) as (pool, seen):
        response = await pool.open(request("hello there"))
        events = [event async for event in response.events()]
        await response.aclose()
        again = await pool.open(request("again"))
        await again.aclose()

    assert text_of(events) == "You said: hello there"
    assert response.attempts == (Attempt("a", slug, billable),)
    assert (response.member, again.member) == ("b", "b")
    # A capacity that is too small for one request may do for the next.
    assert len(seen[0].requests) == (2 if fault == "small 99" else 1)


WHOLE = [one for one in FAULTS if one != "mute"]
"""Headers that come alone are, of an answer that is not streamed, its end cut off."""


@pytest.mark.parametrize("fault", [*WHOLE, "cut 3", "stall 3", "garbage"])
async def test_an_answer_that_is_not_streamed_is_asked_again(fault: str) -> None:
    """Nothing of it had gone out: half an answer, and one that is no JSON, are passed over too."""
    async with accounts(always(fault), None) as (pool, seen):
        payload = await whole(pool, request("hello", stream=False))
        vectors = await whole(pool, embeddings_request("hello"))

    assert payload["choices"][0]["message"]["content"] == "You said: hello"
    assert len(vectors["data"]) == 1
    assert len(seen[0].requests) >= 1


AFTERWARDS = {
    "cut 3": (ModelError, "broke off"),
    "stall 3": (ModelTimeout, "stopped in the middle"),
    "broken 3": (ModelError, "failed in the middle"),
}


@pytest.mark.parametrize("asking", [request, response_request])
@pytest.mark.parametrize("fault", AFTERWARDS)
async def test_after_the_first_byte_it_is_told(
    fault: str, asking: Callable[[str], ModelRequest]
) -> None:
    """What had gone out stays, the failure is told, nobody else is asked, and it is remembered."""
    kind, said = AFTERWARDS[fault]
    async with accounts(always(fault), None) as (pool, seen):
        response = await pool.open(asking("hello"))
        count = 0
        with pytest.raises(kind, match=said) as caught:
            async for event in response.events():
                count += bool(event.data)
        await response.aclose()

        assert type(caught.value) is kind
        assert caught.value.billable
        assert count >= 3
        assert (len(seen[0].requests), len(seen[1].requests)) == (1, 0)
        assert pool.health()[0].reason == caught.value.slug
        assert pool.health()[0].state is CircuitState.RESTING


@pytest.mark.parametrize(
    ("text", "kind"),
    [("filter", ContentFiltered), ("reject", ModelRejected), ("window", WindowExceeded)],
)
async def test_what_is_the_requests_own_fault_is_asked_once(
    text: str, kind: type[ModelError]
) -> None:
    """The next member would say the same: nobody else is asked, and nobody is out."""
    async with accounts(always("fail"), always(text), None) as (pool, seen):
        with pytest.raises(kind) as caught:
            await pool.open(request("hello"))

        assert type(caught.value) is kind
        assert caught.value.attempts == (Attempt("a", "model-failed", billable=False),)
        assert [len(one.requests) for one in seen] == [1, 1, 0]
        assert pool.health()[1].state is CircuitState.CLOSED


async def test_every_second_one_throttled_is_nobodys_matter() -> None:
    """A member that throttles every second call: all are answered, by whoever can."""
    async with accounts(lambda n: None if n % 2 else "throttle 0", None) as (pool, seen):
        answers = [await all_events(pool, "hello") for _ in range(20)]

        assert {text_of(one) for one in answers} == {"You said: hello"}
        assert len(seen[0].requests) + len(seen[1].requests) > 20
        assert len(seen[1].requests) >= 5


async def test_all_out_says_how_soon() -> None:
    """Throttled everywhere: 429 with the shortest wait; away everywhere: 503 with it."""
    async with accounts(always("throttle 30"), always("throttle 8")) as (pool, seen):
        for _ in range(3):
            with pytest.raises(ModelThrottled, match="Every deployment") as caught:
                await pool.open(request("hello"))
            assert caught.value.retry_after == pytest.approx(8, abs=1)
        assert [len(one.requests) for one in seen] == [1, 1]
    async with accounts(always("away 30"), always("away 8")) as (pool, seen):
        for _ in range(3):
            with pytest.raises(ModelUnavailable) as gone:
                await pool.open(request("hello"))
            assert gone.value.retry_after == pytest.approx(8, abs=1)
        assert [len(one.requests) for one in seen] == [1, 1]
        assert gone.value.attempts == ()


async def test_no_more_than_two_waits() -> None:
    """Three members that never begin: two are waited for, and Azure may bill both."""
    async with accounts(always("stall"), always("stall"), always("stall")) as (pool, seen):
        with pytest.raises(ModelTimeout, match="did not begin") as caught:
            await pool.open(request("hello"))

        assert [len(one.requests) for one in seen] == [1, 1, 0]
        assert caught.value.attempts == (
            Attempt("a", "model-timeout", billable=True),
            Attempt("b", "model-timeout", billable=True),
        )


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_connection_that_never_comes_is_waited_for_briefly(scheme: str) -> None:
    """Neither a port that takes no more connections nor a silent handshake is waited for as long.

    The other limits are hours away; nothing was sent, so nothing is billed.
    """
    with socket.socket() as silent, ExitStack() as stack:
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        if scheme == "http":
            # Nobody accepts: those that wait leave no room for another (listen(2), backlog).
            for _ in range(3):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(silent.getsockname())
        url = f"{scheme}://127.0.0.1:{silent.getsockname()[1]}"
        patience = Patience(connect=0.3, first_byte=3600, whole=3600, idle=3600)
        async with aiohttp.ClientSession() as session, asyncio.timeout(60):
            gone = AzureOpenAIModel(
                url, SCRIPTED, session=session, authorization=ours, patience=patience
            )
            pool = Pool([Member("gone", 0, gone), Member("there", 1, ScriptedModel())])
            response = await pool.open(request("hello"))
            await response.aclose()

    assert response.attempts == (Attempt("gone", "model-timeout", billable=False),)


async def test_nobody_there_is_passed_over() -> None:
    """A member that refuses connections costs nothing: the next one answers, nothing is billed."""
    bound = listening()
    address = f"http://127.0.0.1:{port_of(bound)}"
    bound.close()
    async with aiohttp.ClientSession() as session:
        gone = AzureOpenAIModel(address, SCRIPTED, session=session, authorization=ours)
        pool = Pool([Member("gone", 0, gone), Member("there", 1, ScriptedModel())])
        response = await pool.open(request("hello"))
        await response.aclose()
        alone = Pool([Member("gone", 0, gone)])

        assert response.attempts == (Attempt("gone", "model-unavailable", billable=False),)
        assert await pool.ready()
        assert not await alone.ready()
        with pytest.raises(ModelUnavailable, match="cannot be reached"):
            await alone.open(request("hello"))


async def test_cancelling_goes_through_at_once() -> None:
    """Who leaves while a member is awaited leaves nothing behind: neither request nor count."""
    async with accounts(always("mute"), None, patience=Patience()) as (pool, seen):
        asking = asyncio.create_task(pool.open(request("hello")))
        async with asyncio.timeout(60):
            while not seen[0].under_way:
                await asyncio.sleep(0.005)
            assert pool.health()[0].under_way == 1
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            while seen[0].under_way:
                await asyncio.sleep(0.005)

        assert pool.health()[0].under_way == 0
        assert not seen[1].requests


async def test_priorities_come_first_and_equals_share() -> None:
    """Members of one priority take turns; the next priority is asked when they are out."""
    clock, members = Clock(), [Said(), Said(), Said()]
    pool = pool_of(*members, clock=clock, priorities=[1, 1, 2])
    assert Counter([await ask(pool) for _ in range(10)]) == {"a": 5, "b": 5}
    members[0].text = members[1].text = "throttle 60"
    assert [await ask(pool) for _ in range(3)] == ["c"] * 3


async def test_whoever_has_less_to_do_is_asked() -> None:
    """Among equals the one with the fewest requests under way is next."""
    clock, members = Clock(), [Said(), Said()]
    pool = pool_of(*members, clock=clock, priorities=[1, 1])
    held = [await pool.open(request("slow 1000")) for _ in range(2)]
    await held[1].aclose()

    assert [await ask(pool) for _ in range(3)] == [held[1].member] * 3
    await held[0].aclose()


async def test_deployments_are_everybodys() -> None:
    """Each deployment is asked of the members that have it, and its circuit is its own."""
    clock = Clock()
    first, second = Said("throttle 60", ["x", "y"]), Said(None, ["y", "z"])
    pool = pool_of(first, second, clock=clock)
    assert [one.name for one in pool.deployments] == ["x", "y", "z"]
    with pytest.raises(ModelThrottled):
        await pool.open(replace(request("hello"), deployment="x"))
    assert first.asked == 1
    response = await pool.open(replace(request("hello"), deployment="y"))
    await response.aclose()

    assert (first.asked, response.member) == (2, "b")
    assert [(one.member, one.deployment) for one in pool.health()] == [
        ("a", "x"),
        ("a", "y"),
        ("b", "y"),
        ("b", "z"),
    ]
    with pytest.raises(ModelUnavailable):
        await pool.open(replace(request("hello"), deployment="nowhere"))


async def test_ready_follows_the_pool() -> None:
    """Ready while somebody answered of late, is there, or is merely over its quota."""
    clock, first, second = Clock(), Said(), Said()
    pool = pool_of(first, second, clock=clock)
    first.there = second.there = False
    assert not await pool.ready()
    second.there = True
    assert await pool.ready()
    second.there = False
    clock.now += ANSWERED_SECONDS - 1
    assert await pool.ready()
    clock.now += 1
    assert not await pool.ready()
    await ask(pool)
    assert await pool.ready()
    clock.now += ANSWERED_SECONDS
    first.text = second.text = "throttle 60"
    await ask(pool)

    assert await pool.ready()
    await pool.aclose()
