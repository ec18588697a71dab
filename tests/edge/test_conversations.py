"""Conversations in the API: pinned, found, deleted and had back, taken away as a file."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx2
import pytest

from secure_openai.conversations.export import disposition
from secure_openai.errors import AuditUnavailable
from secure_openai.testing.person import named
from secure_openai.types import PrincipalId
from tests.edge.test_answers import asking
from tests.edge.test_chat import ask, kept
from tests.world import World


async def begun(http: httpx2.AsyncClient, title: str) -> dict[str, Any]:
    """Begin a conversation."""
    made: dict[str, Any] = (await http.post("/api/conversations", json={"title": title})).json()
    return made


async def listed(http: httpx2.AsyncClient, query: str = "") -> list[dict[str, Any]]:
    """Return a list of conversations."""
    answer = await http.get(f"/api/conversations{query}")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def test_a_conversation_is_pinned(world: World) -> None:
    """A pinned conversation stands first until it is pinned no more; an old etag pins nothing."""
    async with world.client(**world.bearer("Uma")) as http:
        first, second = await begun(http, "first"), await begun(http, "second")
        path = f"/api/conversations/{first['id']}"
        match = {"If-Match": f'"{first["etag"]}"'}
        pinned = await http.patch(path, json={"pinned": True}, headers=match)
        top = await listed(http)
        stale = await http.patch(path, json={"title": "late"}, headers=match)
        etag = {"If-Match": pinned.headers["etag"]}
        wrong = [
            await http.patch(path, json=body, headers=etag)
            for body in ({}, {"pinned": None}, {"pinned": 1}, {"title": None}, {"title": ""})
        ]
        both = await http.patch(path, json={"pinned": False, "title": "x"}, headers=etag)
        last = await listed(http)

    assert pinned.json()["pinned"] is True
    assert [one["id"] for one in top] == [first["id"], second["id"]]
    assert stale.status_code == 412
    assert [one.status_code for one in wrong] == [400] * 5
    assert [one["title"] for one in last] == ["x", "second"]
    assert both.json() == last[0]


async def test_a_conversation_is_found(world: World) -> None:
    """A search finds one's own conversations by title and text, with what stands around it."""
    async with (
        world.client(**world.bearer("Uma")) as http,
        world.client(**world.bearer("Ada")) as other,
    ):
        talk = await begun(http, "A plan for Norway")
        await ask(http, talk["id"], "Where do the Fjords begin?")
        theirs = await begun(other, "Norway")
        await ask(other, theirs["id"], "fjords")
        by_title = await listed(http, "?search=%20norway%20")
        by_text = await listed(http, "?search=FJORDS")
        newest = (await kept(http, talk["id"]))[-1]
        none = await listed(http, "?search=50%25_")
        refused = [
            (await http.get(f"/api/conversations?search={text}")).status_code
            for text in ("", "%20", "x" * 201, "%00")
        ]

    assert [(one["id"], one["message"], one["excerpt"]) for one in by_title] == [
        (talk["id"], None, None)
    ]
    assert [(one["id"], one["message"]) for one in by_text] == [(talk["id"], newest["id"])]
    assert by_text[0]["excerpt"] == "You said: Where do the Fjords begin?"
    assert none == []
    assert refused == [400] * 4


async def test_a_deleted_conversation_can_be_had_back(world: World) -> None:
    """It is missing at once, for every address; restored, it is as it was."""
    async with world.client(**world.bearer("Uma")) as http:
        talk = await begun(http, "x")
        await ask(http, talk["id"], "hello")
        messages = await kept(http, talk["id"])
        path = f"/api/conversations/{talk['id']}"
        match = {"If-Match": f'"{talk["etag"]}"'}
        gone = await http.delete(path, headers=match)
        body = {"text": "x", "deployment": "scripted"}
        answer = f"{path}/messages/{messages[1]['id']}"
        missing = [
            await http.get(path),
            await http.get(f"{path}/messages"),
            await http.get(f"{path}/export?format=json"),
            await http.get(f"{path}/export?format=markdown"),
            await http.get(f"{answer}/events"),
            await http.post(f"{answer}/stop"),
            await http.post(f"{answer}/continue", json={}),
            await http.post(f"{path}/messages", json=body),
            await http.patch(path, json={"title": "y"}, headers=match),
            await http.delete(path, headers=match),
        ]
        hidden = await listed(http), await listed(http, "?search=hello")
        back = await http.post(f"{path}/restore")
        again = await kept(http, talk["id"])
        await http.delete(path, headers={"If-Match": back.headers["etag"]})
        async with world.client(**world.bearer("Ada")) as other:
            foreign = await other.post(f"{path}/restore")

    assert gone.status_code == 204
    assert {one.status_code for one in missing} == {404}
    assert hidden == ([], [])
    assert back.status_code == 200
    assert back.json()["title"] == "x"
    assert again == messages
    assert foreign.status_code == 404


async def test_what_its_owner_did_with_a_conversation_is_recorded(world: World) -> None:
    """Deleted, had back, taken away: which conversation, and never its title."""
    async with world.client(**world.bearer("Uma")) as http:
        talk = await begun(http, "a secret title")
        path = f"/api/conversations/{talk['id']}"
        match = {"If-Match": f'"{talk["etag"]}"'}
        refused = [
            await http.delete(path, headers={"If-Match": '"stale"'}),
            await http.get(f"{path}/export?format=pdf"),
            await http.get("/api/conversations/none/export?format=json"),
        ]
        assert (await http.post(f"{path}/restore")).json() == talk
        await http.delete(path, headers=match)
        await http.post(f"{path}/restore")
        file = await http.get(f"{path}/export?format=markdown")
        await http.get(f"{path}/export?format=json")
    events = [one for one in await world.events() if one.action.startswith("conversation.")]

    assert [one.status_code for one in refused] == [412, 400, 404]
    assert [one.action.partition(".")[2] for one in events] == [
        *("deleted", "restored", "exported", "exported"),
    ]
    assert {(one.principal and one.principal.oid, one.subject) for one in events} == {
        (named("Uma").oid, None)
    }
    assert events[2].facts == {
        "conversation": talk["id"],
        "format": "md",
        "bytes": len(file.content),
    }
    assert [(one.facts or {}).get("format") for one in events] == [None, None, "md", "json"]
    assert "secret" not in str(events)


async def test_nothing_is_deleted_or_taken_away_unrecorded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the audit cannot be written, a conversation stays where it is."""
    async with world.client(**world.bearer("Uma")) as http:
        talk = await begun(http, "x")
        path = f"/api/conversations/{talk['id']}"

        def unwritable() -> None:
            raise AuditUnavailable

        with monkeypatch.context() as broken:
            broken.setattr(world.assembly.audit, "ensure_writable", unwritable)
            refused = [
                await http.delete(path, headers={"If-Match": f'"{talk["etag"]}"'}),
                await http.get(f"{path}/export?format=json"),
                await http.post(f"{path}/restore"),
            ]
        still = await http.get(path)

    assert [one.status_code for one in refused] == [503] * 3
    assert still.json() == talk


HIDDEN = "pay \u202eelpmaxe.knab\u2066\u200b now"
WRITTEN_OUT = "pay [U+202E]elpmaxe.knab[U+2066][U+200B] now"


async def test_a_title_hides_nothing(world: World) -> None:
    """What turns or hides words is written out in lists and pages, and does nothing in files."""
    async with world.browser("Uma") as http:
        talk = await begun(http, HIDDEN)
        other = await begun(http, "x")
        path = f"/api/conversations/{talk['id']}"
        renamed = await http.patch(
            f"/api/conversations/{other['id']}",
            json={"title": HIDDEN},
            headers={"If-Match": f'"{other["etag"]}"'},
        )
        await ask(http, talk["id"], f"knab {HIDDEN}")
        shown = [
            talk,
            renamed.json(),
            (await http.get(path)).json(),
            *await listed(http),
            *await listed(http, "?search=knab"),
        ]
        excerpts = [one["excerpt"] for one in shown if one.get("excerpt")]
        page = await http.get(f"/conversations/{talk['id']}")
        markdown = await http.get(f"{path}/export?format=markdown")
        document = await http.get(f"{path}/export?format=json")

    assert {one["title"] for one in shown} == {WRITTEN_OUT}
    assert excerpts
    assert all(WRITTEN_OUT in one for one in excerpts)
    assert f"<title>{WRITTEN_OUT}</title>" in page.text
    assert f'dir="auto">{WRITTEN_OUT}</h1>' in page.text
    for text in (markdown.text, document.text):
        assert re.search("[\u200b\u202e\u2066]", text) is None
    assert f"> knab {WRITTEN_OUT}" in markdown.text
    # A file for programs says the same as before.
    assert json.loads(document.content)["title"] == HIDDEN
    assert json.loads(document.content)["messages"][0]["text"] == f"knab {HIDDEN}"


async def test_what_is_held_is_not_deleted(world: World) -> None:
    """Whoever deletes what a legal hold keeps is told so, and nothing is hidden."""
    owner = PrincipalId(world.settings.tenant_id, named("Uma").oid)
    async with (
        world.client(**world.bearer("Uma")) as http,
        world.client(**world.bearer("Ada")) as admin,
    ):
        talk = await begun(http, "x")
        hold = f"/api/admin/principals/{owner.tid}/{owner.oid}/hold"
        assert (await admin.put(hold, json={"reference": "case 7"})).status_code == 200
        match = {"If-Match": f'"{talk["etag"]}"'}
        refused = await http.delete(f"/api/conversations/{talk['id']}", headers=match)
        still = await listed(http)

    assert (refused.status_code, refused.json()["type"][-10:]) == (409, "legal-hold")
    assert still == [talk]


async def test_a_conversation_is_taken_away_as_a_file(world: World) -> None:
    """JSON holds all branches with what each message follows, Markdown the branch that is shown."""
    async with world.client(**world.bearer("Uma")) as http:
        talk = await begun(http, 'A [plan](javascript:x) \U0001f600/..\\"x')
        await ask(http, talk["id"], "first\n# not a heading")
        question, answer = await kept(http, talk["id"])
        async with asking(http, talk["id"], "second", parent=None) as events:
            assert [told async for told in events]
        path = f"/api/conversations/{talk['id']}/export?format="
        everything = await http.get(f"{path}json")
        shown = await http.get(f"{path}markdown")
        other = await http.get(f"{path}markdown&leaf={question['id']}")
        refused = [
            (await http.get(f"{path}{rest}")).status_code
            for rest in ("", "pdf", "markdown&leaf=none")
        ]

    document = json.loads(everything.content)
    assert (document["version"], document["title"]) == (1, talk["title"])
    assert [one["parent"] for one in document["messages"]] == [
        None,
        question["id"],
        None,
        document["messages"][2]["id"],
    ]
    assert document["messages"][1]["text"] == answer["text"]
    assert everything.headers["content-type"] == "application/json"
    assert shown.headers["content-type"] == "text/markdown; charset=utf-8"
    assert shown.headers["x-content-type-options"] == "nosniff"
    assert shown.headers["content-disposition"] == (
        'attachment; filename="a-plan-javascript-x-x.md"; '
        "filename*=UTF-8''A%20%5Bplan%5D%28javascript-x%29%20%F0%9F%98%80-..-%22x.md"
    )
    assert shown.text.startswith(r"# A \[plan\]\(javascript:x\)")
    assert "> second" in shown.text
    assert "first" not in shown.text
    assert "\n> first\n> # not a heading\n" in other.text
    assert "second" not in other.text
    assert refused == [400, 400, 404]


@pytest.mark.parametrize(
    ("title", "plain"),
    [
        ('x"\r\nSet-Cookie: a=b', "x-set-cookie-a-b"),
        ("../../etc/passwd", "etc-passwd"),
        ("天気", "conversation"),
        ("...", "conversation"),
        ("\u202egpj.exe", "gpj-exe"),
        ("é" * 500, "e" * 60),
    ],
)
def test_a_title_is_no_header_and_no_path(title: str, plain: str) -> None:
    """Whatever a title holds, the name is one of a file and the header is one line."""
    header = disposition(title, "md")

    assert header.startswith(f'attachment; filename="{plain}.md"; filename*=UTF-8')
    assert header.isascii()
    assert header.isprintable()
    assert not {"/", "\\"} & set(header)
