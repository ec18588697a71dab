"""Applications of one's own: closed unless a route says otherwise, and no way around that."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from secure_openai.applications import (
    EVERYONE,
    PEOPLE,
    SERVICES,
    Application,
    JSONResponse,
    Request,
    Response,
    Room,
    ask,
    load,
    principal_of,
    public,
    requires,
    signed_in,
    stream,
    text_of,
)
from secure_openai.errors import ConfigurationError, StartError
from secure_openai.settings import Settings
from secure_openai.tables import table
from secure_openai.testing.laptop import Laptop, laptop

PAGE = """{% extends "base.html" %}
{% block body %}<p id="answer">{{ answer }}</p>{% endblock %}
"""
GROWING = """{% extends "base.html" %}
{% block body %}
<p id="answer">{% for word in said %}{{ word }}{% endfor %}</p>
<p id="end">{{ title }} {{ said.deployment }} {{ said.note }}</p>
{% endblock %}
"""


def settings(tmp_path: Path) -> Settings:
    """Return settings of a laptop."""
    return Settings.load(
        {},
        public_url="http://localhost:1",
        authority="http://localhost:2/t/v2.0",
        tenant_id="t",
        client_id="c",
        model_source="scripted",
        data=tmp_path / "data",
    )


def refusal(application: Application, tmp_path: Path) -> str:
    """Return why an application does not start."""
    with pytest.raises(ConfigurationError) as caught:
        application.create(settings(tmp_path))
    return str(caught.value)


async def nothing(request: Request) -> Response:
    """Answer with nothing."""
    return JSONResponse({})


def test_a_route_that_says_nothing_stops_the_start(tmp_path: Path) -> None:
    """The address is named, with the three words that mend it."""
    application = Application("Open")
    application.get("/data")(nothing)

    assert refusal(application, tmp_path) == (
        "the route '/data' names no role and is not public: "
        "declare it with requires(...), signed_in or public"
    )


def test_a_role_that_nobody_can_hold_stops_the_start(tmp_path: Path) -> None:
    """A role misspelt would close the route to everybody, or be taken for another's."""
    application = Application("Misspelt")

    @application.get("/data")
    @requires("usr")
    async def data(request: Request) -> Response:
        return JSONResponse({})

    assert "asks for the role usr, which nobody can hold" in refusal(application, tmp_path)


@pytest.mark.parametrize(
    "path",
    ["/healthz", "/sign-in", "/auth/callback", "/static/app.js", "/openai/v1/models", "/auth"],
)
def test_an_address_of_the_frameworks_stops_the_start(path: str, tmp_path: Path) -> None:
    """Nothing of an application stands where people sign in or health is asked."""
    application = Application("Taker")

    @application.get(path)
    @public
    async def taken(request: Request) -> Response:
        return JSONResponse({})

    assert f"GET {path} is the framework's: choose another address" in refusal(
        application, tmp_path
    )


def test_an_address_declared_twice_stops_the_start(tmp_path: Path) -> None:
    """The second would never be reached, whatever it asks for."""
    application = Application("Twice")
    for decorate in (requires("admin"), public):

        async def one(request: Request) -> Response:
            return JSONResponse({})

        application.get("/data")(decorate(one))

    assert "GET /data is declared twice" in refusal(application, tmp_path)


def test_the_chat_needs_its_sign_in() -> None:
    """Its pages would lead nowhere."""
    with pytest.raises(ConfigurationError, match=r"give the application Room\.SIGN_IN"):
        Application("Chat", rooms=[Room.CHAT])


def make(folder: Path) -> Application:
    """Return an application with one route of each kind, and one that would take all addresses."""
    (folder / "home.html").write_text(PAGE)
    (folder / "growing.html").write_text(GROWING)
    application = Application("All kinds", pages=folder)

    @application.get("/")
    @requires(*PEOPLE)
    async def home(request: Request) -> Response:
        return application.page(request, "home.html", answer="<b>")

    @application.post("/ask")
    @requires(*PEOPLE)
    async def asked(request: Request) -> Response:
        said = await ask(request, await text_of(request, "question"), instructions="Be brief.")
        return application.page(request, "home.html", answer=said.text)

    @application.post("/stream")
    @requires(*PEOPLE)
    async def streamed(request: Request) -> Response:
        said = stream(request, await text_of(request, "question"))
        return await application.streamed(request, "growing.html", said, title="<i>")

    @application.get("/count")
    @requires(*PEOPLE)
    async def count(request: Request) -> Response:
        async with stream(request, "slow 3") as said:
            return JSONResponse({"words": len([word async for word in said])})

    @application.get("/open/stream")
    @public
    async def open_stream(request: Request) -> Response:
        said = stream(request, "hello")
        return await application.streamed(request, "growing.html", said, title="")

    @application.get("/mine/{part}")
    @signed_in
    async def mine(request: Request, part: str) -> Response:
        return JSONResponse({"part": part, "name": principal_of(request).name})

    @application.get("/service")
    @requires(*SERVICES)
    async def service(request: Request) -> Response:
        return JSONResponse({})

    @application.get("/open")
    @public
    async def opened(request: Request) -> Response:
        return JSONResponse({"said": (await ask(request, "hello")).text})

    @application.get("/{anything}")
    @public
    async def anything(request: Request, anything: str) -> Response:
        return JSONResponse({"anything": anything})

    return application


@pytest.fixture
async def system(tmp_path: Path, identity_folder: Path) -> AsyncIterator[Laptop]:
    """Return it, running."""
    async with laptop(make(tmp_path), tmp_path) as running:
        yield running


async def test_without_sign_in_only_what_is_public_answers(system: Laptop) -> None:
    """A browser is sent to sign in, a program gets a problem; the rest is not reached."""
    async with system.anyone(Accept="text/html") as http:
        sent = await http.get("/")
        assert (sent.status_code, sent.headers["location"]) == (303, "/sign-in?return_to=/")
    async with system.anyone() as http:
        assert (await http.get("/")).status_code == 401
        assert (await http.get("/mine/x")).status_code == 401
        assert (await http.get("/service")).status_code == 401
        own = {"Origin": system.url}
        assert (await http.post("/ask", data={"question": "q"}, headers=own)).status_code == 401
        assert (await http.get("/elsewhere")).json() == {"anything": "elsewhere"}


async def test_a_role_decides(system: Laptop) -> None:
    """Who has none is told so; a person is no service."""
    async with system.signed_in("Nora") as http:
        assert (await http.get("/")).status_code == 403
        assert (await http.get("/mine/x")).json() == {"part": "x", "name": "Nora Norole"}
    async with system.signed_in("Uma") as http:
        assert (await http.get("/")).status_code == 200
        assert (await http.get("/service")).status_code == 403


async def test_the_model_is_asked_under_policy_and_audited(system: Laptop) -> None:
    """The answer is shown, escaped; what was decided is recorded, and no word of it."""
    async with system.signed_in("Uma") as http:
        page = await http.post("/ask", data={"question": "Is water wet?"})
        assert page.status_code == 200
        assert '<p id="answer">' in page.text
        assert "&lt;b&gt;" in (await http.get("/")).text
    events = await system.audit()
    (admitted,) = [one for one in events if one.action == "completion.admitted"]

    assert (admitted.decision, admitted.reason) == ("allowed", "admitted")
    assert "water" not in str(events)


async def test_a_refusal_of_policy_is_told_and_recorded(
    tmp_path: Path, identity_folder: Path
) -> None:
    """A prompt larger than the role allows never reaches the model."""
    policy = tmp_path / "policy.toml"
    shipped = (Path(__file__).parent.parent / "src/secure_openai/policy/default.toml").read_text()
    policy.write_text(
        re.sub(r"largest_prompt_tokens = [\d_]+", "largest_prompt_tokens = 3", shipped)
    )
    assert policy.read_text() != shipped
    async with (
        laptop(make(tmp_path), tmp_path, policy=policy) as system,
        system.signed_in("Uma") as http,
    ):
        page = await http.post("/ask", data={"question": "word " * 50})
        growing = await http.post("/stream", data={"question": "word " * 50})
        reasons = [one.reason for one in await system.audit()]

    assert page.status_code == growing.status_code == 413
    assert "prompt_too_large" in reasons
    assert "admitted" not in reasons


async def settled(system: Laptop) -> list[str]:
    """Return how each completion ended, as the audit has it."""
    return [one.reason for one in await system.audit() if one.action == "completion.settled"]


async def test_a_page_is_sent_while_the_model_answers(system: Laptop) -> None:
    """Each word leaves as it comes, escaped; what the page says beside it is escaped too."""
    async with (
        system.signed_in("Uma") as http,
        http.stream("POST", "/stream", data={"question": "Is <b> wet?"}) as answer,
    ):
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert "no-transform" in answer.headers["cache-control"]
        page = "".join([piece async for piece in answer.aiter_text()])

    assert '<p id="answer">You said: Is &lt;b&gt; wet?</p>' in page
    assert '<p id="end">&lt;i&gt; scripted None</p>' in page
    assert page.rstrip().endswith("</html>")


async def test_a_reader_sees_the_first_word_before_the_last_is_written(system: Laptop) -> None:
    """The model still waits when the page has begun; who leaves then stops its work."""
    async with system.signed_in("Uma") as http:
        page = ""
        async with http.stream("POST", "/stream", data={"question": "stall 2"}) as answer:
            async for piece in answer.aiter_text():
                page += piece
                if "private" in page:
                    break
        assert "secure private" in page
        assert "</p>" not in page.partition('id="answer">')[2]
        async with asyncio.timeout(60):
            while not (ended := await settled(system)):
                await asyncio.sleep(0.01)

    assert ended == ["interrupted"]


async def test_what_is_refused_is_refused_before_the_page_begins(system: Laptop) -> None:
    """A model that fails is answered with its status, and leaves nothing open."""
    async with system.signed_in("Uma") as http:
        for question, status in (("throttle 9", 429), ("fail", 502)):
            page = await http.post("/stream", data={"question": question})
            assert page.status_code == status, question
            assert 'id="answer"' not in page.text
        assert (await http.get("/count")).json() == {"words": 3}


async def test_an_answer_that_breaks_off_ends_its_page_with_a_note(system: Laptop) -> None:
    """What came stays, and the page is whole."""
    async with system.signed_in("Uma") as http:
        page = (await http.post("/stream", data={"question": "cut 2"})).text

    (answer,) = re.findall('<p id="answer">(.*)</p>', page)
    (end,) = re.findall('<p id="end">(.*)</p>', page)
    assert answer.strip() == "secure private"
    assert end == "&lt;i&gt; scripted The model broke off in the middle of its answer."
    assert page.rstrip().endswith("</html>")


async def test_a_public_route_streams_nobodys_answer(system: Laptop) -> None:
    """There is nobody whose quota it could be."""
    async with system.anyone() as http:
        assert (await http.get("/open/stream")).status_code == 401
    assert [one for one in await system.audit() if one.action.startswith("completion")] == []


async def test_words_that_were_not_asked_for_are_none(system: Laptop) -> None:
    """Whoever forgets the block is told how it is written, and nothing is asked."""
    with pytest.raises(RuntimeError, match="async with stream"):
        aiter(stream(Request({"type": "http"}), "hello"))


async def test_its_pages_carry_its_name(system: Laptop) -> None:
    """The framework's too, such as the one for who has no role."""
    async with system.signed_in("Nora") as http:
        page = (await http.get("/")).text

    assert "All kinds" in page
    assert "Secure chat" not in page


async def test_a_form_is_read_strictly(system: Laptop) -> None:
    """Nothing, spaces, a file and too much are refused in one sentence."""
    async with system.signed_in("Uma") as http:
        for data, said in (
            ({}, "Fill in question."),
            ({"question": "  "}, "Fill in question."),
            ({"question": "x" * 20_001}, "more than 20000 characters"),
        ):
            page = await http.post("/ask", data=data)
            assert page.status_code == 400
            assert said in page.text
        sent = await http.post("/ask", files={"question": ("q.txt", b"hello")})
        assert sent.status_code == 400


async def test_a_form_of_another_site_is_refused(system: Laptop) -> None:
    """A cookie alone proves nothing."""
    async with system.signed_in("Uma") as http:
        headers = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
        page = await http.post("/ask", data={"question": "q"}, headers=headers)

    assert page.status_code == 403


async def test_a_public_route_asks_nobodys_model(system: Laptop) -> None:
    """There is nobody whose quota it could be."""
    async with system.anyone() as http:
        assert (await http.get("/open")).status_code == 401
    assert [one for one in await system.audit() if one.action.startswith("completion")] == []


async def test_a_route_for_all_addresses_stands_behind_ours(system: Laptop) -> None:
    """Sign-in and health are reached whatever an application declares."""
    async with system.anyone() as http:
        assert (await http.get("/healthz")).json() == {"status": "ok"}
        assert (await http.get("/sign-in")).status_code == 303


async def test_a_room_that_was_not_asked_for_is_not_there(system: Laptop) -> None:
    """Neither the gateway nor the chat nor administration, for whoever has every role."""
    hello = {"model": "scripted", "messages": [{"role": "user", "content": "hello"}]}
    async with system.with_token("Ada") as http:
        for path in ("/openai/v1/chat/completions", "/openai/v1/responses"):
            assert (await http.post(path, json=hello)).status_code == 404
        assert (await http.get("/api/conversations")).status_code == 404
        assert (await http.get("/api/admin/accounts")).status_code == 404


async def test_without_pages_a_browser_is_told_in_json(
    tmp_path: Path, identity_folder: Path
) -> None:
    """An application without sign-in pages sends nobody to one; a token opens it."""
    application = Application("API", rooms=[])

    @application.get("/api/hello")
    @requires(*EVERYONE)
    async def hello(request: Request) -> Response:
        return JSONResponse({"said": (await ask(request, "hello")).text})

    async with laptop(application, tmp_path) as system:
        async with system.anyone(Accept="text/html") as http:
            assert (await http.get("/api/hello")).status_code == 401
            assert (await http.get("/sign-in")).status_code == 404
            assert (await http.get("/")).headers["content-type"] == "application/problem+json"
        async with system.with_token("Nora") as http:
            assert (await http.get("/api/hello")).status_code == 403
        async with system.with_token("Uma") as http:
            answer = await http.get("/api/hello")
            assert answer.status_code == 200
            assert answer.json()["said"]


def test_the_list_of_routes_says_who_may_call_each(tmp_path: Path) -> None:
    """Its own and the framework's that it has, and no other."""
    routes = make(tmp_path).routes()

    own = {
        "GET /": ["admin", "user"],
        "GET /mine/{part}": ["signed in"],
        "GET /service": ["service"],
        "GET /open": ["public"],
    }
    assert {route: routes[route] for route in own} == own
    assert routes["GET /healthz"] == routes["GET /sign-in"] == ["public"]
    assert not {"GET /api/conversations", "POST /openai/v1/responses"} & routes.keys()


def test_with_every_room_it_has_every_route_of_the_frameworks(tmp_path: Path) -> None:
    """As `tables/routes.json` lists them."""
    assert Application("All rooms", rooms=Room).routes() == table("routes")


def test_a_route_that_says_nothing_is_in_no_list(tmp_path: Path) -> None:
    """The address is named: a list that left it out would say that it is closed."""
    application = Application("Open")
    application.get("/data")(nothing)

    with pytest.raises(ConfigurationError, match="'/data' names no role"):
        application.routes()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("nowhere:application", "", "There is no module nowhere"),
        ("made_here:other", "x = 1", "is no Application"),
        ("made_there:x", "x = 1", "is no Application"),
    ],
)
def test_what_is_no_application_is_told(
    name: str, text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MODULE:NAME that leads nowhere, in one sentence."""
    monkeypatch.syspath_prepend(tmp_path)
    if text:
        (tmp_path / f"{name.partition(':')[0]}.py").write_text(text)

    with pytest.raises(StartError, match=said):
        load(name, tmp_path)
