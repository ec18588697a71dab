"""The application as a whole: what stops it, and what happens when its parts fail."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from secure_openai.app import create_app
from secure_openai.assembly import Assembly
from secure_openai.edge import access
from secure_openai.edge.access import (
    EVERYONE,
    SecuredRoute,
    access_of,
    check_declared,
    public,
    requires,
)
from secure_openai.errors import (
    AuditUnavailable,
    ConfigurationError,
    PolicyError,
    SecureOpenAIError,
    StartError,
    StorageFull,
)
from secure_openai.jobs.catalogue import JOBS, Job
from secure_openai.settings import Settings
from secure_openai.store import audit_queue
from secure_openai.store.usage import Reservation
from secure_openai.testing.audit_contract import event
from secure_openai.testing.person import named
from secure_openai.types import JsonObject, PrincipalId
from tests.edge.test_refusals import openai_error, problem
from tests.world import World, running_world

HELLO = {"model": "scripted", "messages": [{"role": "user", "content": "hello"}]}


def settings(tmp_path: Path, **more: object) -> Settings:
    """Return settings of a laptop."""
    chosen: dict[str, object] = {
        "public_url": "http://localhost:1",
        "authority": "http://localhost:2/t/v2.0",
        "tenant_id": "t",
        "client_id": "c",
        "model_source": "scripted",
        "data": tmp_path / "data",
    }
    return Settings.load({}, **(chosen | more))


def test_a_route_that_does_not_say_who_may_call_it_stops_the_start() -> None:
    """Undeclared routes, plain routes and foreign mounts are each named."""
    router = APIRouter(route_class=SecuredRoute)

    @router.get("/undeclared")
    async def undeclared(request: Request) -> Response:
        return JSONResponse({})

    @router.get("/declared")
    @public
    async def declared(request: Request) -> Response:
        return JSONResponse({})

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.router.routes.extend(router.routes)
    app.add_api_route("/plain", declared)
    app.mount("/files", FastAPI())
    with pytest.raises(ConfigurationError) as caught:
        check_declared(app, public_mounts=frozenset({"/static"}))

    assert [sentence.split()[2] for sentence in caught.value.problems] == [
        "'/undeclared'",
        "'/plain'",
        "'/files'",
    ]


async def test_an_undeclared_route_answers_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even where the check was left out, it is closed."""
    import httpx2

    from secure_openai.edge import problems

    router = APIRouter(route_class=SecuredRoute)

    @router.get("/undeclared")
    async def undeclared(request: Request) -> Response:
        raise AssertionError

    app = FastAPI(exception_handlers={SecureOpenAIError: problems.our_error})
    app.router.routes.extend(router.routes)
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://x") as http:
        assert (await http.get("/undeclared")).status_code == 403


def test_a_declaration_names_a_role() -> None:
    """`requires()` without a role is a mistake of the programmer."""
    with pytest.raises(ValueError, match="at least one role"):
        requires()


def test_the_table_of_routes_is_the_applications(tmp_path: Path) -> None:
    """`tables/routes.json` says of every route who may call it, and of no other."""
    app = create_app(settings(tmp_path))
    found = {}
    for route in app.routes:
        declared = access_of(route)
        if declared is not None:
            for method in sorted(route.methods):  # type: ignore[attr-defined]
                who = ["public"] if declared.public else sorted(declared.roles) or ["signed in"]
                found[f"{method} {route.path}"] = who  # type: ignore[attr-defined]
    path = Path(access.__file__).parent.parent / "tables" / "routes.json"

    assert found == json.loads(path.read_text())


async def test_a_policy_that_is_wrong_stops_the_start(tmp_path: Path) -> None:
    """The application does not begin with a policy it cannot read."""
    policy = tmp_path / "policy.toml"
    policy.write_text("version = 1\n[people.user]\n")
    app = create_app(settings(tmp_path, policy=policy))
    with pytest.raises(PolicyError, match=r"policy.toml:2"):
        async with app.router.lifespan_context(app):
            pass


async def test_telemetry_without_what_sends_it_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A place to send to that cannot be served is said, with what to install."""
    monkeypatch.setitem(sys.modules, "secure_openai.monitoring", None)
    sent = "InstrumentationKey=x;IngestionEndpoint=https://localhost:1/"
    app = create_app(settings(tmp_path, telemetry_connection_string=sent))
    with pytest.raises(StartError, match=r"azure-secure-openai\[azure\]"):
        async with app.router.lifespan_context(app):
            pass


async def test_what_cannot_be_audited_does_not_happen(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the audit unwritable: 503 at both doors, no model asked, no session begun, not ready."""

    def broken() -> None:
        raise AuditUnavailable("The last audit record could not be written. Try again later.")

    async with world.client(**world.bearer("Uma")) as http:
        talk = (await http.post("/api/conversations", json={"title": "x"})).json()["id"]
        monkeypatch.setattr(world.assembly.audit, "ensure_writable", broken)
        error = openai_error(await http.post("/openai/v1/chat/completions", json=HELLO), 503)
        assert error["code"] == "audit_unavailable"
        path = f"/api/conversations/{talk}/messages"
        asked = await http.post(path, json={"text": "x", "deployment": "scripted"})
        problem(asked, 503)
        assert (await http.get(path)).json()["items"] == []
        assert (await http.get("/readyz")).status_code == 503
        assert (await http.get("/healthz")).status_code == 200
    async with world.client() as http:
        from secure_openai.testing.person import sign_in

        page = await sign_in(http, world.url, "Uma")
        assert page.status_code == 503
        assert "secure_openai_session" not in http.cookies
    monkeypatch.undo()
    assert "completion.admitted" not in {event.action for event in await world.events()}


@pytest.mark.parametrize("stream", [False, True])
async def test_a_slow_write_of_the_audit_is_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch, *, stream: bool
) -> None:
    """A machine that holds a write up holds requests up, and refuses none; both ends are kept."""
    audit = world.assembly.audit
    monkeypatch.setattr(audit_queue, "LATE_SECONDS", 0.05)
    async with world.client(**world.bearer("Uma")) as http:
        await http.get("/api/me")
        released = threading.Event()
        held = asyncio.ensure_future(audit._database.write(lambda _: released.wait(60)))  # type: ignore[attr-defined]
        audit.append(replace(event(1), action="route.refused"))
        while not audit.late:
            await asyncio.sleep(0.01)
        asked = [
            asyncio.ensure_future(
                http.post("/openai/v1/chat/completions", json=HELLO | {"stream": stream})
            )
            for _ in range(3)
        ]
        await asyncio.sleep(0.2)
        released.set()
        answers = [await one for one in asked]
    await held

    assert [answer.status_code for answer in answers] == [200] * 3
    assert len(await world.settled()) == 3


async def test_an_admission_that_cannot_be_recorded_gives_its_quota_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the record fails between reservation and model, nothing stays reserved."""
    real = world.assembly.audit.append

    def full(event: Any, **more: Any) -> None:
        if event.action == "completion.admitted":
            raise AuditUnavailable("full")
        real(event, **more)

    monkeypatch.setattr(world.assembly.audit, "append", full)
    async with world.client(**world.bearer("Uma")) as http:
        openai_error(await http.post("/openai/v1/chat/completions", json=HELLO), 503)
    owner = PrincipalId(world.settings.tenant_id, named("Uma").oid)
    totals = await world.assembly.usage.totals(
        owner, "scripted", now=world.assembly.pipeline._clock()
    )

    assert (totals.concurrent, totals.tokens_today) == (0, 0)


async def test_a_full_disk_loses_no_question_silently(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be stored is a 507 before the model is asked, and quota is given back."""

    async def full(*arguments: Any, **options: Any) -> Any:
        raise StorageFull

    async with world.client(**world.bearer("Uma")) as http:
        talk = (await http.post("/api/conversations", json={"title": "x"})).json()["id"]
        monkeypatch.setattr(world.assembly.conversations, "append", full)
        path = f"/api/conversations/{talk}/messages"
        asked = await http.post(path, json={"text": "x", "deployment": "scripted"})
        problem(asked, 507)
    await world.assembly.background.drain()
    model: Any = world.assembly.model
    owner = PrincipalId(world.settings.tenant_id, named("Uma").oid)
    totals = await world.assembly.usage.totals(
        owner, "scripted", now=world.assembly.pipeline._clock()
    )

    assert model.under_way == 0
    assert (totals.concurrent, totals.tokens_today) == (0, 0)


async def test_an_answer_that_cannot_be_kept_is_said(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader has the text and learns that it was not kept; its lease marks it interrupted."""

    async def full(*arguments: Any) -> Any:
        raise StorageFull

    monkeypatch.setattr(world.assembly.conversations, "replace", full)
    async with world.client(**world.bearer("Uma")) as http:
        talk = (await http.post("/api/conversations", json={"title": "x"})).json()["id"]
        path = f"/api/conversations/{talk}/messages"
        asked = await http.post(path, json={"text": "hello", "deployment": "scripted"})

    end = json.loads(asked.text.split("event: end\ndata: ")[1].split("\n")[0])
    assert end["problem"]["status"] == 507
    assert end["answer"]["text"] == "You said: hello"
    assert end["answer"]["status"] == "interrupted"


@pytest.mark.parametrize("at_once", [True, False], ids=["at once", "later"])
async def test_usage_that_cannot_be_settled_stays_reserved(
    world: World, monkeypatch: pytest.MonkeyPatch, *, at_once: bool
) -> None:
    """The answer is served, its end is recorded, and the reservation counts until it expires."""

    def full(*arguments: Any) -> asyncio.Future[None]:
        if at_once:
            raise StorageFull
        failed = asyncio.get_running_loop().create_future()
        failed.set_exception(StorageFull())
        return failed

    monkeypatch.setattr(world.assembly.usage, "settle", full)
    async with world.client(**world.bearer("Uma")) as http:
        answer = await http.post("/openai/v1/chat/completions", json=HELLO)
    owner = PrincipalId(world.settings.tenant_id, named("Uma").oid)
    totals = await world.assembly.usage.totals(
        owner, "scripted", now=world.assembly.pipeline._clock()
    )
    (end,) = await world.settled()

    assert answer.status_code == 200
    assert totals.concurrent == 1
    assert end.facts is not None
    assert end.facts["settled"] is False


async def test_what_nobody_expected_shows_nothing_of_our_insides(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault of ours is a 500 with the request's number and no word of what it was."""

    def faulty(*arguments: Any) -> Any:
        raise LookupError("an inner secret")

    monkeypatch.setattr(world.assembly.pipeline, "deployments_for", faulty)
    async with world.client(**world.bearer("Uma")) as http:
        answer = await http.get("/api/me")

    said = problem(answer, 500)
    assert "secret" not in answer.text
    assert said
    assert answer.json()["request_id"]


async def test_the_audit_is_sealed_when_the_process_ends(
    tmp_path: Path, identity_folder: Path
) -> None:
    """After a clean end the last seal reaches the last record."""
    from secure_openai.store.seals import Seals
    from secure_openai.store.sqlite.verification import verify_database

    async with (
        running_world(tmp_path, identity_folder) as world,
        world.client(**world.bearer("Uma")) as http,
    ):
        await http.post("/openai/v1/chat/completions", json=HELLO)
    data = tmp_path / "data"
    seals = Seals.in_folder(data / "seals")
    report = await verify_database(data / "secure-openai.db", seals.all())

    assert report.found == ()
    assert report.sealed == report.records == 2


async def test_jobs_run_by_themselves(
    tmp_path: Path, identity_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every job runs while the process does, again by its schedule, and survives its failures."""
    from secure_openai.jobs import scheduler

    calls: list[str] = []

    def sometimes(job: Job) -> Callable[[Assembly], Awaitable[JsonObject]]:
        async def work(assembly: Assembly) -> JsonObject:
            calls.append(job.name)
            if calls.count(job.name) == 1:
                raise StorageFull
            return await job.work(assembly)

        return work

    jobs = {
        name: replace(job, work=sometimes(job), schedule="* * * * * *")
        for name, job in JOBS.items()
    }
    monkeypatch.setattr(scheduler, "JOBS", jobs)
    monkeypatch.setattr(scheduler, "START", timedelta(0))
    async with running_world(tmp_path, identity_folder) as world, asyncio.timeout(60):
        while not all(calls.count(name) > 2 for name in JOBS):
            await asyncio.sleep(0.01)
        assert [seal async for seal in world.assembly.seals.all()]


@pytest.mark.parametrize("failure", [StorageFull, LookupError])
async def test_reservations_under_way_are_renewed(
    world: World, monkeypatch: pytest.MonkeyPatch, failure: type[Exception]
) -> None:
    """A long answer keeps its quota; a store that fails meanwhile is survived."""
    from secure_openai import pipeline

    monkeypatch.setattr(pipeline, "RESERVATION_SECONDS", 0.06)
    real, renewed = world.assembly.usage.renew, []

    async def counted(*arguments: Any, **more: Any) -> None:
        renewed.append(1)
        if len(renewed) == 1:
            raise failure
        await real(*arguments, **more)

    monkeypatch.setattr(world.assembly.usage, "renew", counted)
    keeping = asyncio.create_task(world.assembly.pipeline.keep_reservations())
    async with world.client(**world.bearer("Uma")) as http:
        body = HELLO | {"messages": [{"role": "user", "content": "slow 60"}]}
        answer = await http.post("/openai/v1/chat/completions", json=body)
    keeping.cancel()

    assert answer.status_code == 200
    assert len(renewed) > 2


async def test_a_renewal_that_hangs_holds_up_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One principal's ledger that does not answer lets nobody else's quota lapse, in any round."""
    from secure_openai import pipeline

    monkeypatch.setattr(pipeline, "RESERVATION_SECONDS", 0.06)
    real, asked = world.assembly.usage.renew, Counter[str]()
    hung: list[str] = []

    async def hanging(reservation: Reservation, *, expires: datetime) -> None:
        oid = reservation.principal.oid
        asked[oid] += 1
        if not hung:
            hung.append(oid)
        if oid in hung:
            await asyncio.Event().wait()
        await real(reservation, expires=expires)

    monkeypatch.setattr(world.assembly.usage, "renew", hanging)
    body = HELLO | {"messages": [{"role": "user", "content": "slow 60"}]}
    async with (
        world.client(**world.bearer("Uma")) as uma,
        world.client(**world.bearer("Ada")) as ada,
    ):
        answers = [
            asyncio.create_task(http.post("/openai/v1/chat/completions", json=body))
            for http in (uma, ada)
        ]
        while len(await world.events()) < len(answers):
            await asyncio.sleep(0.01)
        keeping = asyncio.create_task(world.assembly.pipeline.keep_reservations())
        statuses = {one.status_code for one in await asyncio.gather(*answers)}
    keeping.cancel()

    assert statuses == {200}
    assert len(asked) == 2
    assert min(asked.values()) > 2


def test_everyone_is_people_and_applications() -> None:
    """The gateway is for all three roles; `admin` is never an application's."""
    assert set(EVERYONE) == {"user", "admin", "service"}
