"""What is observed of a run through both doors: all that happened, and nothing that was said."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from secure_openai.errors import StorageFull
from secure_openai.jobs.catalogue import JOBS
from secure_openai.local.identity_provider.directory import TENANT_ID
from secure_openai.store.requests import RequestKind
from secure_openai.telemetry import names
from secure_openai.telemetry.names import METRICS, SPANS, allowed
from secure_openai.testing.person import named
from secure_openai.types import CircuitState, MemberHealth, Page, PrincipalId, utc_now
from tests.edge.test_refusals import GATEWAY_ATTACKS
from tests.model.management.resource_manager import arm_error
from tests.model.management.running import azure, running_manager
from tests.telemetry.conftest import Observed
from tests.telemetry.markers import ANSWER, PROMPT, found, personal
from tests.tls import Tls
from tests.world import World

CHAT = "/openai/v1/chat/completions"


def asking(text: str, **more: Any) -> dict[str, Any]:
    """Return a body for the gateway."""
    return {"model": "scripted", "messages": [{"role": "user", "content": text}]} | more


async def until(condition: Callable[[], bool]) -> None:
    """Wait: a request is measured once its last byte has gone, and that may have arrived before."""
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)


def trace_of(span: ReadableSpan) -> str:
    """Return the id of a span's trace."""
    context = span.get_span_context()
    assert context is not None
    return format(context.trace_id, "032x")


def behind(store: object) -> object:
    """Return the store behind an observed one."""
    return vars(store)["_observed_store"]


def served_by(observed: Observed) -> list[ReadableSpan]:
    """Return the spans of requests."""
    return [one for one in observed.spans if one.kind is SpanKind.SERVER]


async def use(world: World) -> list[str]:
    """Use and misuse both doors, with markers in everything; return what must not be seen."""
    secrets = [world.token(name) for name in ("Uma", "Ada")]
    async with world.browser("Uma") as http:
        secrets += [value for _, value in http.cookies.items()]
        talk = (await http.post("/api/conversations", json={"title": PROMPT})).json()
        path = f"/api/conversations/{talk['id']}"
        for text in (f"{PROMPT} {ANSWER}", f"cut 3 {PROMPT}", f"filter {PROMPT}", "fail"):
            await http.post(f"{path}/messages", json={"text": text, "deployment": "scripted"})
        await http.patch(path, json={"title": PROMPT}, headers={"If-Match": PROMPT})
        await http.get(f"/conversations/{PROMPT}", headers={"Accept": "text/html"})
        await http.get(f"/api/conversations?continuation={PROMPT}")
        await http.get(f"/auth/callback?code={PROMPT}&state={PROMPT}&error_description={PROMPT}")
    async with world.client(**world.bearer("Ada"), traceparent=TRACEPARENT) as http:
        for stream in (False, True):
            await http.post(CHAT, json=asking(f"{PROMPT} {ANSWER}", stream=stream))
        for change, _, _ in GATEWAY_ATTACKS.values():
            body = {k: v for k, v in (asking(PROMPT) | change).items() if v is not None}
            await http.post(CHAT, json=body)
        await http.post(CHAT, json=asking(PROMPT, model=PROMPT))
        await http.post(CHAT, content=PROMPT, headers={"Content-Type": "application/json"})
        await http.request("PROPFIND", f"/nowhere/{PROMPT}")
        new = {"name": PROMPT + "!", "model": PROMPT}
        await http.post("/api/admin/accounts/local/deployments", json=new)
        await http.get(f"/api/admin/accounts/{PROMPT}/models")
    async with world.client(Authorization=f"Bearer {PROMPT}", Cookie=f"x={PROMPT}") as http:
        await http.get("/api/me")
    return secrets


TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def written(observed: Observed) -> str:
    """Return everything that was observed, as text."""
    spans = [json.loads(span.to_json()) for span in observed.spans]
    metrics = observed.reader.get_metrics_data()
    logs = [json.loads(record.to_json()) for record in observed.logged]
    return json.dumps([spans, logs], ensure_ascii=False) + (metrics.to_json() if metrics else "")


async def test_nothing_that_was_said_is_observed(
    world: World, observed: Observed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No prompt, answer, token, cookie, name, address or object id is in a span, metric or log."""
    monkeypatch.setattr(names, "SLOW_SECONDS", 0.0)
    secrets = await use(world)
    seen = written(observed)

    assert found(seen, [PROMPT, ANSWER, *secrets, *personal()]) == []
    assert len(observed.spans) > 100
    assert len(observed.logged) > 0


async def test_a_fault_of_ours_is_observed_without_its_words(
    world: World, observed: Observed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an exception says may quote what was typed: its class and its frames are kept alone."""

    def faulty(*arguments: Any) -> Any:
        raise LookupError(PROMPT) from ValueError(PROMPT)

    monkeypatch.setattr(world.assembly.pipeline, "deployments_for", faulty)
    async with world.client(**world.bearer("Uma")) as http:
        answer = await http.get("/api/me")
    await until(lambda: len(served_by(observed)) == 1)
    (span,) = served_by(observed)
    number = answer.json()["request_id"]
    logged = [one.log_record for one in observed.logged if one.log_record.severity_text == "ERROR"]
    ours = [one for one in logged if dict(one.attributes or {})["request_id"] == number]

    assert found(written(observed), [PROMPT]) == []
    assert span.status.status_code is StatusCode.ERROR
    assert dict(span.attributes or {})["error.type"] == "LookupError"
    assert trace_of(span) == number
    assert len(ours) >= 1
    told = dict(ours[0].attributes or {})
    assert told["exception"] == "builtins.LookupError from builtins.ValueError"
    assert "test_observations.py" in str(told["stack"])


async def test_only_what_is_declared_is_observed(
    world: World, observed: Observed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every metric and span is one of the tables, and says no more than the table has."""
    monkeypatch.setattr(names, "SLOW_SECONDS", 0.0)
    await use(world)
    metrics = {one.name: allowed(one.attributes) for one in METRICS}

    assert observed.metric_names() <= metrics.keys()
    for name in observed.metric_names():
        for told in observed.values(name):
            assert {key for key, _ in told} <= metrics[name], name
    for span in observed.spans:
        shape = shape_of(span)
        assert set(span.attributes or {}) <= allowed(shape.attributes), span.name
        assert len(span.events) == 0
        filled = dict(span.attributes or {})
        if "{http.route}" not in shape.name or "http.route" in filled:
            assert span.name == shape.name.replace("{", "%(").replace("}", ")s") % filled


def shape_of(span: ReadableSpan) -> names.SpanShape:
    """Return which of the declared spans it is."""
    told = span.attributes or {}
    if "http.request.method" in told:
        return names.REQUEST_SPAN
    if "gen_ai.operation.name" in told:
        return names.MODEL_SPAN
    if names.JOB.name in told:
        return names.JOB_SPAN
    return names.STORE_SPAN if "db.operation.name" in told else names.ADMIT_SPAN


async def test_names_of_attributes_are_few_and_bounded(world: World, observed: Observed) -> None:
    """What people write makes no value: deployments, routes and methods that are none are one."""
    await use(world)
    deployments, routes, methods = (
        {
            value
            for metric in METRICS
            for told in observed.values(metric.name)
            for key, value in told
            if key == attribute.name
        }
        for attribute in (names.DEPLOYMENT, names.ROUTE, names.METHOD)
    )

    assert deployments == {"scripted", "unknown"}
    assert all("{" in route or "marker" not in route for route in routes)
    assert methods == {"GET", "POST", "PATCH", "_OTHER"}


async def test_requests_are_counted(world: World, observed: Observed) -> None:
    """Each request once, by route and status; a refusal by its problem."""
    async with world.client(**world.bearer("Uma")) as http:
        for _ in range(3):
            await http.post(CHAT, json=asking("hello"))
        await http.get("/api/conversations/nothing")
        await http.get("/nowhere")
    async with world.client() as http:
        await http.get("/api/me")
        await http.post("/api/conversations", content=b"x" * 2_000_000)
    name = "http.server.request.duration"
    await until(lambda: observed.count(name) == 7)

    assert observed.count(name, http_route=CHAT, http_response_status_code=200) == 3
    assert observed.count(name, http_response_status_code=404, error_type="not-found") == 2
    assert observed.count(name, http_route="/api/me", error_type="unauthenticated") == 1
    assert observed.count(name, http_response_status_code=413, error_type="too-large") == 1


async def test_decisions_are_counted_by_reason(world: World, observed: Observed) -> None:
    """As many refusals of each reason as there were, whoever asked for whatever name."""
    async with world.client(**world.bearer("Uma")) as http:
        for _ in range(2):
            await http.post(CHAT, json=asking("hello"))
            await http.post(CHAT, json=asking("x", model="gpt-9"))
        await http.post(CHAT, json=asking("x", telepathy=True))
        await http.post(CHAT, json=asking("word " * 30_000))
    counted = {
        (dict(told)["secure_openai.reason"], dict(told)["gen_ai.request.model"]): count
        for told, (_, count) in observed.values("secure_openai.decisions").items()
    }

    assert counted == {
        ("admitted", "scripted"): 2,
        ("unknown_deployment", "unknown"): 2,
        ("field_not_allowed", "unknown"): 1,
        ("prompt_too_large", "scripted"): 1,
    }
    assert observed.count("secure_openai.decisions", secure_openai_principal_kind="person") == 6


async def test_tokens_are_counted_as_they_are_charged(world: World, observed: Observed) -> None:
    """The sums are those of the answers' own usage, at both doors."""
    usages = []
    async with world.client(**world.bearer("Uma")) as http:
        for text in ("hello", "long 40"):
            answer = await http.post(CHAT, json=asking(text))
            usages.append(answer.json()["usage"])
    name = "gen_ai.client.token.usage"
    told = {"gen_ai_operation_name": "chat", "gen_ai_provider_name": "scripted"}

    for kind, member in (("input", "prompt_tokens"), ("output", "completion_tokens")):
        total = observed.total(name, gen_ai_token_type=kind, **told)
        assert total == sum(usage[member] for usage in usages)
        assert observed.count(name, gen_ai_token_type=kind, secure_openai_estimated=False) == 2


async def test_completions_are_measured(world: World, observed: Observed) -> None:
    """Durations by how they ended; the first event of those that stream."""
    async with world.client(**world.bearer("Uma")) as http:
        await http.post(CHAT, json=asking("hello"))
        await http.post(CHAT, json=asking("hello", stream=True))
        await http.post(CHAT, json=asking("cut 3", stream=True))
        await http.post(CHAT, json=asking("throttle 9"))
    duration, first = (
        "gen_ai.client.operation.duration",
        "gen_ai.client.operation.time_to_first_chunk",
    )

    await until(lambda: observed.count(duration) == 4)
    assert observed.count(duration, error_type="model-failed") == 1
    assert observed.count(duration, error_type="model-throttled") == 1
    assert observed.count(first, gen_ai_request_model="scripted") == 2


async def test_one_request_is_one_trace(
    world: World, observed: Observed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Edge, policy, model and a slow store are under one id, which is the request's number."""
    monkeypatch.setattr(names, "SLOW_SECONDS", 0.0)
    async with world.client(**world.bearer("Uma"), traceparent=TRACEPARENT) as http:
        answer = await http.post(CHAT, json=asking("hello", stream=True))
    await until(lambda: len(served_by(observed)) == 1)
    # What was used is counted after the answer has gone.
    await until(lambda: any(one.name == "settle usage" for one in observed.spans))
    number = answer.headers["x-request-id"]
    mine = [one for one in observed.spans if trace_of(one) == number]
    by_id = {one.context.span_id: one.name for one in mine}
    parents = {one.name: by_id.get(one.parent.span_id) if one.parent else None for one in mine}
    events = await world.events()

    assert parents[f"POST {CHAT}"] is None
    assert parents["admit"] == f"POST {CHAT}"
    assert parents["reserve usage"] == "admit"
    assert parents["chat scripted"] == f"POST {CHAT}"
    assert parents["settle usage"] == f"POST {CHAT}"
    assert {event.request_id for event in events} == {number}
    assert number != TRACEPARENT.split("-")[1]


async def test_the_model_span_says_what_it_took(world: World, observed: Observed) -> None:
    """Tokens, finish reason, deployment; an answer that broke off is a failure."""
    async with world.client(**world.bearer("Uma")) as http:
        usage = (await http.post(CHAT, json=asking("hello"))).json()["usage"]
        await http.post(CHAT, json=asking("cut 3", stream=True))
    await until(lambda: len(served_by(observed)) == 2)
    good, cut = [one for one in observed.spans if one.name == "chat scripted"]

    assert dict(good.attributes or {}) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "scripted",
        "gen_ai.request.model": "scripted",
        "gen_ai.request.stream": False,
        "gen_ai.usage.input_tokens": usage["prompt_tokens"],
        "gen_ai.usage.output_tokens": usage["completion_tokens"],
        "secure_openai.estimated": False,
        "gen_ai.response.finish_reasons": ("stop",),
    }
    assert good.kind is SpanKind.CLIENT
    assert cut.status.status_code is StatusCode.ERROR
    assert dict(cut.attributes or {})["error.type"] == "model-failed"


async def test_a_refusal_is_no_failure_of_ours(world: World, observed: Observed) -> None:
    """The span says why, and its status is left as it is."""
    async with world.client(**world.bearer("Uma")) as http:
        await http.post(CHAT, json=asking("x", model="gpt-9"))
    (admit,) = [one for one in observed.spans if one.name == "admit"]

    assert admit.status.status_code is StatusCode.UNSET
    assert dict(admit.attributes or {})["secure_openai.reason"] == "unknown_deployment"


async def test_stores_are_measured(
    world: World, observed: Observed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each operation once, a failing one by its problem."""
    async with world.client(**world.bearer("Uma")) as http:
        await http.get("/api/conversations")
        await http.post("/api/conversations", json={"title": "x"})

        async def full(*arguments: Any, **options: Any) -> Any:
            raise StorageFull

        monkeypatch.setattr(type(behind(world.assembly.conversations)), "create", full)
        world.assembly.conversations.__dict__.pop("create")
        assert (await http.post("/api/conversations", json={"title": "x"})).status_code == 507
    name, told = "db.client.operation.duration", {"db_collection_name": "conversations"}

    assert observed.count(name, db_operation_name="list", **told) == 1
    assert observed.count(name, db_operation_name="create", **told) == 2
    assert observed.count(name, error_type="storage-full", **told) == 1
    assert observed.count(name, db_system_name="sqlite") == observed.count(name)


async def test_a_trace_shows_stores_that_are_slow_or_fail(
    world: World, observed: Observed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What answers at once is measured only; a failure is a span, and of ours where it is."""
    monkeypatch.setattr(names, "SLOW_SECONDS", float("inf"))

    async def full(*arguments: Any, **options: Any) -> Any:
        raise StorageFull

    async with world.client(**world.bearer("Uma")) as http:
        await http.post("/api/conversations", json={"title": "x"})
        monkeypatch.setattr(type(behind(world.assembly.conversations)), "create", full)
        world.assembly.conversations.__dict__.pop("create")
        await http.post("/api/conversations", json={"title": "x"})
    (shown,) = [one for one in observed.spans if "db.system.name" in dict(one.attributes or {})]

    assert (shown.name, shown.kind) == ("create conversations", SpanKind.CLIENT)
    assert dict(shown.attributes or {})["error.type"] == "storage-full"
    assert shown.status.status_code is StatusCode.ERROR
    assert 0 <= (shown.end_time or 0) - (shown.start_time or 0) < 60e9


async def test_jobs_are_measured(
    world: World, observed: Observed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each run once, by its job; one that fails or leaves something undone has an error."""
    name = "secure_openai.job.duration"
    assembly = world.assembly
    await JOBS["retention"].run(assembly)

    async def full(*arguments: Any, **options: Any) -> Any:
        raise StorageFull

    monkeypatch.setattr(type(behind(assembly.usage)), "roll_up", full)
    with pytest.raises(StorageFull):
        await JOBS["roll_up"].run(assembly)
    uma = PrincipalId(TENANT_ID, named("Uma").oid)
    await assembly.requests.ask(uma, RequestKind.ERASURE, by=uma, now=utc_now())
    monkeypatch.setattr(assembly.sessions, "revoke", full)
    assert (await JOBS["erasure"].run(assembly))["failed"] == 1

    told = [dict(one.attributes or {}) for one in observed.spans if one.name.startswith("job ")]
    assert observed.count(name, secure_openai_job_name="retention") == 1
    assert observed.count(name, secure_openai_job_name="roll_up", error_type="storage-full") == 1
    assert observed.count(name, secure_openai_job_name="erasure", error_type="incomplete") == 1
    assert observed.count(name) == 3
    assert [one.get("error.type") for one in told] == [None, "storage-full", "incomplete"]


async def test_gauges_are_looked_at(
    world: World, observed: Observed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How many audit records wait is read whenever someone collects."""
    monkeypatch.setattr(type(behind(world.assembly.audit)), "queued", 7)

    assert observed.values("secure_openai.audit.queued") == {frozenset(): (7.0, 7)}


async def test_the_pool_and_the_quota_are_looked_at(
    world: World, observed: Observed, tls: Tls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which members are asked and how busy they are; what the regions in use have left."""
    health = [
        MemberHealth("main", "chat", 1, CircuitState.CLOSED, 0, None, 0, 3),
        MemberHealth("second", "chat", 2, CircuitState.OPEN, 9, "model-timeout", 5, 0),
    ]
    monkeypatch.setattr(world.assembly.model, "health", lambda: health)
    deployments = world.assembly.deployments
    async with running_manager(tls) as manager:
        deployments.management = azure(manager.url, tls.ca)
        manager.answer("GET", "usages", arm_error(503, "ServiceUnavailable"))
        monkeypatch.setattr("secure_openai.deployments.QUOTA_SECONDS", 0.01)
        keeping = asyncio.create_task(deployments.keep_quota())
        await until(lambda: len(deployments.quota) > 0)
        keeping.cancel()
        await deployments.management.aclose()

    def values(name: str, *attributes: str) -> dict[tuple[Any, ...], float]:
        return {
            tuple(dict(told)[attribute] for attribute in attributes): value
            for told, (value, _) in observed.values(name).items()
        }

    member = ("secure_openai.member", "gen_ai.request.model")
    region = ("cloud.region", "secure_openai.quota.name")
    assert values("secure_openai.pool.asked", *member)["main", "chat"] == 1
    assert ("second", "chat") not in values("secure_openai.pool.asked", *member)
    assert values("secure_openai.pool.under_way", *member)["main", "chat"] == 3
    assert values("secure_openai.quota.left", *region) == {
        ("swedencentral", "AccountCount"): 29,
        ("swedencentral", "OpenAI.DataZoneStandard.gpt-5.1"): 50,
    }


async def test_an_error_page_shows_the_traces_id(world: World, observed: Observed) -> None:
    """What a person reads out is what a trace, its logs and the audit are found by."""
    async with world.browser("Nora") as http:
        page = await http.get("/conversations/x", headers={"Accept": "text/html"})
    (span,) = [
        one
        for one in served_by(observed)
        if dict(one.attributes or {}).get("http.route") == "/conversations/{conversation_id}"
    ]

    assert page.status_code == 403
    assert page.headers["x-request-id"] == trace_of(span)
    assert trace_of(span) in page.text


async def test_what_the_server_says_is_logged_with_the_requests_number(
    world: World, observed: Observed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log line within a request carries its number and its span."""
    logging.getLogger("secure_openai.tests").warning("before")

    async def slow(*arguments: Any, **options: Any) -> Any:
        logging.getLogger("secure_openai.tests").warning("within")
        return Page([])

    monkeypatch.setattr(world.assembly.conversations, "list", slow)
    async with world.client(**world.bearer("Uma")) as http:
        answer: httpx2.Response = await http.get("/api/conversations")
    logged = {str(one.log_record.body): one.log_record for one in observed.logged}

    assert "request_id" not in dict(logged["before"].attributes or {})
    number = answer.headers["x-request-id"]
    assert dict(logged["within"].attributes or {})["request_id"] == number
    assert format(logged["within"].trace_id or 0, "032x") == number


def test_every_declared_name_is_used_once() -> None:
    """No two metrics or spans share a name."""
    for declared in (METRICS, SPANS):
        assert len({one.name for one in declared}) == len(declared)
