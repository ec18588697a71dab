"""Applications of one's own: closed unless a route says otherwise, and no way around that."""

from __future__ import annotations

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
    text_of,
)
from secure_openai.errors import ConfigurationError, StartError
from secure_openai.settings import Settings
from secure_openai.testing.laptop import Laptop, laptop

PAGE = """{% extends "base.html" %}
{% block body %}<p id="answer">{{ answer }}</p>{% endblock %}
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
        reasons = [one.reason for one in await system.audit()]

    assert page.status_code == 413
    assert "prompt_too_large" in reasons
    assert "admitted" not in reasons


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
