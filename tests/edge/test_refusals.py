"""The table of attacks on the two doors: every refusal has one shape, and nothing is stored."""

from __future__ import annotations

import json
from typing import Any

import httpx2

from secure_openai.tables import table
from secure_openai.types import PrincipalId
from tests.world import World

PROBLEM = {"type", "title", "status", "detail", "request_id"}
MESSAGES = [{"role": "user", "content": "hello"}]


def problem(response: httpx2.Response, status: int) -> str:
    """Return the detail of a problem, after checking its shape (RFC 9457) and its silence."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body.keys() >= PROBLEM
    assert body["status"] == status
    assert "Traceback" not in response.text
    return str(body["detail"])


def openai_error(response: httpx2.Response, status: int) -> dict[str, Any]:
    """Return an error in OpenAI's shape, after checking it."""
    assert response.status_code == status, response.text
    body = response.json()
    assert body.keys() == {"error"}
    assert body["error"].keys() == {"message", "type", "param", "code"}
    return dict(body["error"])


ROUTES = [
    ("GET", "/api/me"),
    ("GET", "/api/me/quota"),
    ("GET", "/api/prompts"),
    ("GET", "/api/me/notice"),
    ("POST", "/api/me/notice/accept"),
    ("GET", "/api/me/instructions"),
    ("POST", "/api/me/instructions"),
    ("PUT", "/api/me/instructions/x"),
    ("DELETE", "/api/me/instructions/x"),
    ("GET", "/api/me/prompts"),
    ("POST", "/api/me/prompts"),
    ("PUT", "/api/me/prompts/x"),
    ("DELETE", "/api/me/prompts/x"),
    ("GET", "/api/me/requests"),
    ("POST", "/api/me/export"),
    ("POST", "/api/me/erase"),
    ("GET", "/api/me/export/x"),
    ("GET", "/api/conversations"),
    ("POST", "/api/conversations"),
    ("GET", "/api/conversations/x"),
    ("PATCH", "/api/conversations/x"),
    ("DELETE", "/api/conversations/x"),
    ("POST", "/api/conversations/x/restore"),
    ("GET", "/api/conversations/x/export?format=json"),
    ("GET", "/api/conversations/x/messages"),
    ("POST", "/api/conversations/x/messages"),
    ("POST", "/api/conversations/x/messages/x/answers"),
    ("POST", "/api/conversations/x/messages/x/continue"),
    ("POST", "/api/conversations/x/messages/x/stop"),
    ("GET", "/api/conversations/x/messages/x/events"),
    ("DELETE", "/api/admin/principals/t/o/sessions"),
    ("POST", "/api/attachments"),
    ("GET", "/api/attachments/x"),
    ("DELETE", "/api/attachments/x"),
    ("GET", "/api/feedback/reasons"),
    ("PUT", "/api/conversations/x/messages/y/feedback"),
    ("DELETE", "/api/conversations/x/messages/y/feedback"),
    ("GET", "/api/conversations/x/feedback"),
    ("GET", "/api/admin/feedback"),
    ("GET", "/api/admin/audit"),
    ("GET", "/api/admin/audit/verification"),
    ("POST", "/api/admin/audit/verification"),
    ("GET", "/api/admin/policy"),
    ("GET", "/api/admin/pool"),
    ("GET", "/api/admin/principals"),
    ("GET", "/api/admin/principals/t/o"),
    ("DELETE", "/api/admin/principals/t/o/sessions/x"),
    ("GET", "/api/admin/quotas"),
    ("GET", "/api/admin/refusals"),
    ("GET", "/api/admin/usage"),
    ("GET", "/api/admin/usage.csv"),
    ("POST", "/api/admin/usage/roll-up"),
    ("GET", "/api/admin/accounts"),
    ("GET", "/api/admin/accounts/local/models"),
    ("GET", "/api/admin/accounts/local/quota"),
    ("GET", "/api/admin/accounts/local/deployments"),
    ("POST", "/api/admin/accounts/local/deployments"),
    ("GET", "/api/admin/accounts/local/deployments/x"),
    ("DELETE", "/api/admin/accounts/local/deployments/x"),
    ("GET", "/api/admin/operations/x"),
    ("GET", "/api/admin/holds"),
    ("PUT", "/api/admin/principals/t/o/hold"),
    ("DELETE", "/api/admin/principals/t/o/hold"),
    ("PUT", "/api/admin/principals/t/o/conversations/x/hold"),
    ("DELETE", "/api/admin/principals/t/o/conversations/x/hold"),
    ("GET", "/api/admin/principals/t/o/requests"),
    ("POST", "/api/admin/principals/t/o/export"),
    ("POST", "/api/admin/principals/t/o/erase"),
    ("GET", "/api/admin/usage/2030-01-02"),
]
ADMINISTRATION = [route for route in ROUTES if route[1].startswith("/api/admin/")]


async def test_nothing_is_answered_to_strangers(world: World) -> None:
    """Without a credential every route answers 401, and pages lead to sign-in."""
    async with world.client() as http:
        for method, path in ROUTES:
            response = await http.request(method, path)
            problem(response, 401)
            assert response.headers["www-authenticate"] == "Bearer"
        for path in ("/", "/conversations/x"):
            response = await http.get(path, headers={"Accept": "text/html"})
            assert response.status_code == 303
            assert response.headers["location"] == f"/sign-in?return_to={path}"
        for path in ("/openai/v1/models", "/openai/v1/chat/completions"):
            method = "GET" if path.endswith("models") else "POST"
            error = openai_error(await http.request(method, path), 401)
            assert error["type"] == "authentication_error"


async def test_headers_of_a_proxy_name_nobody(world: World) -> None:
    """Easy Auth's and other proxies' identity headers are not read."""
    headers = {
        "X-MS-CLIENT-PRINCIPAL": "eyJ9",
        "X-MS-CLIENT-PRINCIPAL-ID": "5ec0de00-0000-4000-8000-0000000000a1",
        "X-MS-CLIENT-PRINCIPAL-NAME": "ada@contoso.example",
        "X-Forwarded-User": "ada",
        "Remote-User": "ada",
    }
    async with world.client() as http:
        problem(await http.get("/api/me", headers=headers), 401)


async def test_credentials_that_do_not_hold_are_refused(world: World) -> None:
    """A foreign cookie, an ID token, another scheme, a static key, two that differ: 401 each."""
    good, other = world.token("Uma"), world.token("Ada")
    id_token = world.provider.issuance.id_token(_person("Uma"), world.settings.client_id, "n")
    attacks: list[dict[str, str] | list[tuple[str, str]]] = [
        {"Cookie": "secure_openai_session=foreign"},
        {"Cookie": f"secure_openai_session={'x' * 300}"},
        {"Authorization": f"Bearer {id_token}"},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic dXNlcjpwYXNz"},
        {"Authorization": good},
        {"Authorization": f"Bearer {good}x"},
        {"api-key": "a-static-key"},
        {"api-key": ""},
        {"api-key": other, "Authorization": f"Bearer {good}"},
        [("Authorization", f"Bearer {good}"), ("Authorization", f"Bearer {other}")],
        {"Authorization": f"Bearer {good}", "Cookie": "secure_openai_session=foreign"},
    ]
    async with world.client() as http:
        for headers in attacks:
            response = await http.get("/api/me", headers=headers)
            problem(response, 401)
            assert good not in response.text


async def test_a_cookie_and_a_token_of_two_people_are_refused(world: World) -> None:
    """Two credentials that differ are a 401; two that agree are one."""
    async with world.browser("Uma") as http:
        problem(await http.get("/api/me", headers=world.bearer("Ada")), 401)
        assert (await http.get("/api/me", headers=world.bearer("Uma"))).status_code == 200


async def test_a_token_in_api_key_is_a_token(world: World) -> None:
    """Clients that can send nothing but api-key may send an access token there."""
    async with world.client() as http:
        response = await http.get("/api/me", headers={"api-key": world.token("Uma")})

    assert response.json()["roles"] == ["user"]


async def test_roles_are_demanded(world: World) -> None:
    """Without a role there is no chat and no gateway; without `admin` no administration."""
    async with world.client() as http:
        nora, uma = world.bearer("Nora"), world.bearer("Uma")
        problem(await http.get("/api/conversations", headers=nora), 403)
        openai_error(await http.get("/openai/v1/models", headers=nora), 403)
        me = (await http.get("/api/me", headers=nora)).json()
        assert (me["roles"], me["deployments"]) == ([], [])
        path = f"/api/admin/principals/{world.settings.tenant_id}/x/sessions"
        problem(await http.delete(path, headers=uma), 403)
        refused = [event for event in await world.events() if event.action == "route.refused"]
        assert len(refused) == 3
        assert {event.reason for event in refused} == {"no_role"}
        assert (await http.delete(path, headers=world.bearer("Ada"))).json() == {"sessions": 0}
        foreign = path.replace(world.settings.tenant_id, "another")
        problem(await http.delete(foreign, headers=world.bearer("Ada")), 404)


async def test_administration_is_for_administrators(world: World) -> None:
    """Neither a user, nor anyone without a role, nor an application reaches any of its routes."""
    daemon = world.provider.issuance.application_token()
    callers = [world.bearer("Uma"), world.bearer("Nora"), {"Authorization": f"Bearer {daemon}"}]
    async with world.client() as http:
        for headers in callers:
            for method, path in ADMINISTRATION:
                said = problem(await http.request(method, path, headers=headers), 403)
                assert said == "This needs the role admin."
    refused = [event for event in await world.events() if event.action == "route.refused"]
    declared = [route for route in table("routes") if " /api/admin/" in route]

    assert len(declared) == len(ADMINISTRATION)
    assert len(refused) == len(callers) * len(ADMINISTRATION)
    assert {(event.decision, event.reason) for event in refused} == {("refused", "no_role")}
    assert not [event for event in await world.events() if event.action.startswith("deployment.")]


async def test_our_cookie_from_a_foreign_page_is_refused(world: World) -> None:
    """A signed-in browser that was lured elsewhere changes nothing here."""
    async with world.browser("Uma") as http:
        for headers in (
            {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
            {"Origin": world.provider.public_url, "Sec-Fetch-Site": "same-site"},
            {"Origin": "null", "Sec-Fetch-Site": "none"},
        ):
            problem(await http.post("/api/conversations", json={}, headers=headers), 403)
            problem(await http.post("/sign-out", headers=headers), 403)
            for method, path in ADMINISTRATION:
                if method != "GET":
                    problem(await http.request(method, path, headers=headers), 403)
        assert (await http.get("/api/conversations")).json()["items"] == []


async def test_a_foreign_form_signs_nobody_out(world: World) -> None:
    """A browser sends its cookies with no foreign form; the answer deletes and sets none either."""
    async with world.client() as http:
        foreign = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
        for path in ("/sign-out", "/preferences"):
            answer = await http.post(path, data={"theme": "dark"}, headers=foreign)
            problem(answer, 403)
            assert "set-cookie" not in answer.headers


BAD_BODIES: dict[str, tuple[bytes, int]] = {
    "empty": (b"", 400),
    "not JSON": (b"{title", 400),
    "a list": (b"[]", 400),
    "a text": (b'"x"', 400),
    "unknown member": (b'{"title": "x", "owner": "y"}', 400),
    "repeated member": (b'{"title": "x", "title": "y"}', 400),
    "wrong type": (b'{"title": 1}', 400),
    "null": (b'{"title": null}', 400),
    "empty title": (b'{"title": ""}', 400),
    "title too long": (json.dumps({"title": "x" * 201}).encode(), 400),
    "NUL": (b'{"title": "a\\u0000b"}', 400),
    "escape character": (b'{"title": "a\\u001bb"}', 400),
    "vertical tab": (b'{"title": "a\\u000bb"}', 400),
    "lone surrogate": (b'{"title": "a\\ud800b"}', 400),
    "not UTF-8": (b'{"title": "\xff"}', 400),
    "NaN": (b'{"title": NaN}', 400),
    "a huge number": (b'{"title": 1' + b"0" * 5000 + b"}", 400),
    "too deep": (b'{"title": ' + b"[" * 1000 + b"]" * 1000 + b"}", 400),
    "over the limit": (b'{"title": "' + b"x" * 2_000_000 + b'"}', 413),
}


async def test_bodies_that_are_not_right_are_refused_and_store_nothing(world: World) -> None:
    """Each gets a 4xx that says what is wrong, and no conversation begins."""
    headers = world.bearer("Uma") | {"Content-Type": "application/json"}
    async with world.client() as http:
        for name, (body, status) in BAD_BODIES.items():
            response = await http.post("/api/conversations", content=body, headers=headers)
            said = problem(response, status)
            assert said, name
        response = await http.post(
            "/api/conversations", content=b"title=x", headers=world.bearer("Uma")
        )
        problem(response, 415)
        listed = await http.get("/api/conversations", headers=headers)

    assert listed.json() == {"items": [], "continuation": None}


async def test_lists_are_asked_for_properly(world: World) -> None:
    """Limits and continuations that are not ours are refused."""
    async with world.client(**world.bearer("Uma")) as http:
        for query in ("limit=0", "limit=101", "limit=x", "limit=-1", "limit=%C2%B2"):
            problem(await http.get(f"/api/conversations?{query}"), 400)
        for token in ("x", "W10", "WzEsMl0", "eyJ9", "W25hbiwgIngiXQ", "%00", "_" * 5000):
            problem(await http.get(f"/api/conversations?continuation={token}"), 400)


async def test_another_persons_conversation_does_not_exist(world: World) -> None:
    """A foreign id, a guessed one and one full of tricks answer the same 404."""
    owner = PrincipalId(world.settings.tenant_id, _person("Ada").oid)
    theirs = await world.assembly.conversations.create(owner, title="Ada's")
    answers = set()
    async with world.client(**world.bearer("Uma")) as http:
        # What a proxy in front could read differently is no address at all.
        problem(await http.get("/api/conversations/..%2f..%2fetc"), 400)
        for conversation in (theirs.id, "guessed", "%00", "a%20b", "x" * 3000):
            path = f"/api/conversations/{conversation}"
            for method, suffix, body in (
                ("GET", "", None),
                ("GET", "/messages", None),
                ("PATCH", "", {"title": "mine"}),
                ("PATCH", "", {"pinned": True}),
                ("DELETE", "", None),
                ("POST", "/restore", None),
                ("GET", "/export?format=json", None),
                ("GET", "/export?format=markdown", None),
                ("POST", "/messages", {"text": "hi", "deployment": "scripted"}),
                ("POST", "/messages/x/answers", {"deployment": "scripted"}),
                ("POST", "/messages/x/continue", {}),
                ("POST", "/messages/x/stop", None),
                ("GET", "/messages/x/events", None),
            ):
                response = await http.request(
                    method, path + suffix, json=body, headers={"If-Match": f'"{theirs.etag}"'}
                )
                assert response.status_code == 404, (method, path, response.text)
                answers.add(response.json()["title"])
    assert answers <= {"Not found"}
    assert (await world.assembly.conversations.get(owner, theirs.id)).title == "Ada's"


async def test_changes_must_say_what_they_change(world: World) -> None:
    """Without the etag that was read nothing changes; with an old one it is a 412."""
    async with world.client(**world.bearer("Uma")) as http:
        made = (await http.post("/api/conversations", json={"title": "one"})).json()
        path = f"/api/conversations/{made['id']}"
        for value in (None, "*", "bare", 'W/"weak"', '"a","b"'):
            headers = {} if value is None else {"If-Match": value}
            problem(await http.patch(path, json={"title": "two"}, headers=headers), 400)
        etag = {"If-Match": f'"{made["etag"]}"'}
        renamed = await http.patch(path, json={"title": "two"}, headers=etag)
        assert renamed.headers["etag"] == f'"{renamed.json()["etag"]}"'
        problem(await http.patch(path, json={"title": "three"}, headers=etag), 412)
        problem(await http.delete(path, headers=etag), 412)
        again = {"If-Match": renamed.headers["etag"]}
        assert (await http.delete(path, headers=again)).status_code == 204
        problem(await http.get(path), 404)


GATEWAY_ATTACKS: dict[str, tuple[dict[str, Any], int, str]] = {
    "no messages": ({"messages": None}, 400, "messages"),
    "no such deployment": ({"model": "gpt-9"}, 404, "no such deployment"),
    "a path as deployment": ({"model": "../x"}, 404, "no such deployment"),
    "a header as deployment": ({"model": "x\r\nHost: evil"}, 404, "no such deployment"),
    "unknown field": ({"telepathy": True}, 400, "/telepathy"),
    "data sources": ({"data_sources": []}, 400, "does not fetch"),
    "stored completions": ({"store": True}, 400, "false"),
    "metadata": ({"metadata": {"a": "b"}}, 400, "/metadata"),
    "web search": ({"web_search_options": {}}, 400, "does not search"),
    "user": ({"user": "someone"}, 400, "sign-in"),
    "too many choices": ({"n": 9}, 400, "from 1 to 8"),
    "choices as text": ({"n": "1"}, 400, "whole number"),
    "true as a number": ({"n": True}, 400, "whole number"),
    "too long an answer": ({"max_tokens": 100_000}, 400, "4096"),
    "too long an answer by choices": ({"max_tokens": 4096, "n": 2}, 400, "2048"),
    "two limits that differ": ({"max_tokens": 1, "max_completion_tokens": 2}, 400, "differ"),
    "effort of a model that does not reason": ({"reasoning_effort": "low"}, 400, "leave it out"),
    "temperature": ({"temperature": 3}, 400, "from 0 to 2"),
    "remote tool": ({"tools": [{"type": "mcp", "server_url": "x"}]}, 400, "elsewhere"),
    "a tool that nobody knows": ({"tools": [{"type": "telepathy"}]}, 400, "function"),
    "allowed tools of nobody": (
        {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto"}}},
        400,
        "tools",
    ),
    "unknown role": ({"messages": [{"role": "root", "content": "x"}]}, 400, "system"),
    "no role": ({"messages": [{"content": "x"}]}, 400, "system"),
    "content as a number": ({"messages": [{"role": "user", "content": 1}]}, 400, "text or list"),
    "NUL in a message": ({"messages": [{"role": "user", "content": "a\0b"}]}, 400, "U+0000"),
    "unknown part": (
        {"messages": [{"role": "user", "content": [{"type": "file", "file": {}}]}]},
        400,
        "files are not kept",
    ),
    "remote image": (
        {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "image_url", "image_url": {"url": "https://x/y.png"}}],
                }
            ]
        },
        400,
        "nothing is fetched",
    ),
    "field within a message": (
        {"messages": [{"role": "user", "content": "x", "cache_control": {}}]},
        400,
        "cache_control",
    ),
    "a prompt over the limit": (
        {"messages": [{"role": "user", "content": "word " * 30_000}]},
        413,
        "24000",
    ),
}


async def test_requests_that_policy_does_not_admit_never_reach_the_model(world: World) -> None:
    """Each is refused by name in OpenAI's own shape, and the model is not asked."""
    async with world.client(**world.bearer("Uma")) as http:
        for name, (change, status, said) in GATEWAY_ATTACKS.items():
            body = {"model": "scripted", "messages": MESSAGES} | change
            body = {key: value for key, value in body.items() if value is not None}
            response = await http.post("/openai/v1/chat/completions", json=body)
            error = openai_error(response, status)
            assert said in error["message"] + str(error["param"]), name
    events = await world.events()

    assert "completion.admitted" not in {event.action for event in events}
    assert {event.reason for event in events if event.action == "completion.refused"} == {
        "unknown_deployment",
        "field_not_allowed",
        "answer_too_large",
        "prompt_too_large",
    }


async def test_a_refusal_is_recorded_with_its_reason_and_without_its_text(world: World) -> None:
    """The audit says who, which deployment and why; the prompt is nowhere in the data folder."""
    marker = "marker-7f3a9c"
    async with world.client(**world.bearer("Uma")) as http:
        body = {"model": "gpt-9", "messages": [{"role": "user", "content": marker}]}
        openai_error(await http.post("/openai/v1/chat/completions", json=body), 404)
    (event,) = [event for event in await world.events() if event.action == "completion.refused"]

    assert event.principal == PrincipalId(world.settings.tenant_id, _person("Uma").oid)
    assert (event.decision, event.reason) == ("refused", "unknown_deployment")
    for path in world.settings.data.rglob("*"):
        assert path.is_dir() or marker.encode() not in path.read_bytes()


async def test_unknown_paths_and_methods_say_so_in_the_same_shape(world: World) -> None:
    """404 and 405 are problems too; our insides are not shown, documentation is not served."""
    async with world.client() as http:
        for path in ("/nowhere", "/docs", "/openapi.json", "/redoc", "/static/../app.py", "/.env"):
            problem(await http.get(path), 404)
        problem(await http.put("/api/conversations"), 405)


def _person(name: str) -> Any:
    from secure_openai.testing.person import named

    return named(name)
