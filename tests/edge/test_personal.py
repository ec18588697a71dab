"""Instructions and prompts that a person saves."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from secure_openai.store.holds import Hold
from secure_openai.testing.person import named
from secure_openai.types import PrincipalId, utc_now
from tests.edge.test_refusals import problem
from tests.world import World

KINDS = ["instructions", "prompts"]
BODY = {"name": "Plain", "text": "Answer in plain words."}


def match(text: dict[str, Any]) -> dict[str, str]:
    """Return the header that names what was read."""
    return {"If-Match": f'"{text["etag"]}"'}


async def saved(http: httpx2.AsyncClient, kind: str, **more: str) -> dict[str, Any]:
    """Save a text; return it."""
    answer = await http.post(f"/api/me/{kind}", json={**BODY, **more})
    assert answer.status_code == 201
    assert answer.headers["etag"] == f'"{answer.json()["etag"]}"'
    return dict(answer.json())


@pytest.mark.parametrize("kind", KINDS)
async def test_foreign_texts_are_missing(world: World, kind: str) -> None:
    """Another's text is there for nobody else, whatever role; the other kind is none of it."""
    async with world.client(**world.bearer("Uma"), **world.own) as uma:
        text = await saved(uma, kind)
        other = KINDS[1 - KINDS.index(kind)]
        problem(await uma.delete(f"/api/me/{other}/{text['id']}", headers=match(text)), 404)
    async with world.client(**world.bearer("Ada"), **world.own) as ada:
        for text_id in (text["id"], "none", f"{text['id']}.x", "a.b", "x" * 300):
            path = f"/api/me/{kind}/{text_id}"
            problem(await ada.put(path, json=BODY, headers=match(text)), 404)
            problem(await ada.delete(path, headers=match(text)), 404)
        assert (await ada.get(f"/api/me/{kind}")).json()["items"] == []
    async with world.client(**world.bearer("Nora")) as nora:
        problem(await nora.get(f"/api/me/{kind}"), 403)


BAD: dict[str, Any] = {
    "no name": {"text": "x"},
    "an empty name": {**BODY, "name": ""},
    "a long name": {**BODY, "name": "x" * 81},
    "no text": {"name": "x"},
    "an empty text": {**BODY, "text": ""},
    "a long text": {**BODY, "text": "x" * 8_001},
    "a number": {**BODY, "text": 1},
    "another member": {**BODY, "owner": "x"},
    "a NUL": {**BODY, "text": "a\x00b"},
    "an escape in the name": {**BODY, "name": "a\x1bb"},
    "half a character": b'{"name": "a\\ud800", "text": "x"}',
}


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_not_right_is_not_saved(world: World, kind: str) -> None:
    """Names and texts are bounded, and of characters that a prompt may have."""
    async with world.client(**world.bearer("Uma"), **world.own) as http:
        text = await saved(http, kind)
        for what, body in BAD.items():
            sent = {"content": body} if isinstance(body, bytes) else {"json": body}
            headers = {"Content-Type": "application/json", **match(text)}
            for method, path in (("POST", ""), ("PUT", f"/{text['id']}")):
                answer = await http.request(
                    method, f"/api/me/{kind}{path}", headers=headers, **sent
                )
                assert problem(answer, 400), what
        assert (await http.get(f"/api/me/{kind}")).json()["items"] == [text]


@pytest.mark.parametrize("kind", KINDS)
async def test_texts(world: World, kind: str) -> None:
    """Texts are listed by name; one is written over itself, and goes, by its last etag only."""
    async with world.client(**world.bearer("Uma"), **world.own) as http:
        second = await saved(http, kind, name="beta")
        first = await saved(http, kind, name="Alpha")
        assert (await http.get(f"/api/me/{kind}")).json() == {
            "items": [first, second],
            "continuation": None,
        }
        path = f"/api/me/{kind}/{second['id']}"
        changed = {"name": "aaa", "text": "ä" * 8_000}
        problem(await http.put(path, json=changed), 400)
        answer = await http.put(path, json=changed, headers=match(second))
        written = answer.json()
        assert (answer.status_code, answer.headers["etag"]) == (200, f'"{written["etag"]}"')
        assert written | {"changed": 0, "etag": 0} == second | changed | {"changed": 0, "etag": 0}
        problem(await http.put(path, json=changed, headers=match(second)), 412)
        problem(await http.delete(path, headers=match(second)), 412)
        problem(await http.delete(path), 400)
        assert (await http.get(f"/api/me/{kind}")).json()["items"] == [written, first]
        assert (await http.delete(path, headers=match(written))).status_code == 204
        problem(await http.delete(path, headers=match(written)), 404)


async def test_a_person_keeps_a_hundred(world: World) -> None:
    """The hundred and first is refused with what to do; one removed makes room for one."""
    async with world.client(**world.bearer("Uma"), **world.own) as http:
        texts = [await saved(http, "prompts", name=str(number)) for number in range(100)]
        said = problem(await http.post("/api/me/prompts", json=BODY), 409)
        assert said == "You keep 100 prompts here already, which is the most: remove some first."
        await saved(http, "instructions")
        gone = await http.delete(f"/api/me/prompts/{texts[0]['id']}", headers=match(texts[0]))
        assert gone.status_code == 204
        await saved(http, "prompts")
        assert len((await http.get("/api/me/prompts")).json()["items"]) == 100


async def test_what_is_held_stays(world: World) -> None:
    """While everything of a person is held, no text of theirs changes or goes."""
    uma = PrincipalId(world.settings.tenant_id, named("Uma").oid)
    async with world.client(**world.bearer("Uma"), **world.own) as http:
        text = await saved(http, "instructions")
        await world.assembly.holds.place(Hold(uma, None, "A 1", utc_now(), uma))
        path = f"/api/me/instructions/{text['id']}"
        problem(await http.put(path, json=BODY, headers=match(text)), 409)
        problem(await http.delete(path, headers=match(text)), 409)
        assert (await http.get("/api/me/instructions")).json()["items"] == [text]
