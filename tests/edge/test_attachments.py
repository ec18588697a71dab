"""Files over HTTP: sent, handed back to be looked at and not to run, and bounded."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

from secure_openai.conversations.attachments import LARGEST_BYTES
from secure_openai.testing.person import named
from secure_openai.types import PrincipalId
from tests.edge.test_refusals import problem
from tests.images.test_images import HTML, SECRET, encoded
from tests.world import World

PATH = "/api/attachments"
PNG = {"Content-Type": "image/png"}


async def sent(http: httpx2.AsyncClient, name: str, content: bytes, kind: str) -> dict[str, Any]:
    """Send a file; return what is kept."""
    answer = await http.post(
        PATH, params={"name": name}, content=content, headers={"Content-Type": kind}
    )
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def left(world: World) -> int:
    """Return how many files lie there."""
    blobs = world.assembly.attachments._blobs
    return len([one async for one in blobs.list()])


async def test_foreign_files_are_missing(world: World) -> None:
    """Another's file is missing for everybody else, whatever role, and no path leads to it."""
    async with world.client(**world.bearer("Uma"), **world.own) as uma:
        kept = await sent(uma, "a.txt", b"mine", "text/plain")
    async with world.client(**world.bearer("Ada"), **world.own) as ada:
        for name in (kept["id"], f"{kept['id']}.txt", "none", "x" * 500):
            problem(await ada.get(f"{PATH}/{name}"), 404)
            problem(await ada.delete(f"{PATH}/{name}"), 404)
        # What a proxy in front could read as another path is no path at all.
        for name in (f"..%2f{kept['id']}", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "a%00b"):
            for method in ("GET", "DELETE"):
                refused = await ada.request(method, f"{PATH}/{name}")
                assert refused.status_code in {400, 404}
    async with world.client(**world.bearer("Nora"), **world.own) as nora:
        problem(await nora.post(PATH, content=b"x", headers={"Content-Type": "text/plain"}), 403)
    token = world.provider.issuance.application_token()
    async with world.client(Authorization=f"Bearer {token}") as daemon:
        problem(await daemon.get(f"{PATH}/{kept['id']}"), 403)
    assert await left(world) == 1


async def test_what_is_not_read_is_not_kept(world: World) -> None:
    """Pages, drawings that run, programs, and what is not what it says: refused, none kept."""
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    attacks = [
        ("image/svg+xml", svg, 415),
        ("image/png", svg, 415),
        ("image/png", HTML, 415),
        ("image/png", encoded("jpeg"), 415),
        ("image/png", encoded("png")[:-9], 415),
        ("application/x-msdownload", b"MZ\x90\x00\x03\x00\x00\x00", 415),
        ("application/zip", b"PK\x03\x04\x14\x00", 415),
        ("text/plain", b"\xff\xfeh\0i\0", 415),
        ("text/plain", b"x" * 256_001, 413),
        ("image/png", b"", 400),
    ]
    async with world.client(**world.bearer("Uma"), **world.own) as http:
        for kind, content, status in attacks:
            answer = await http.post(PATH, content=content, headers={"Content-Type": kind})
            assert problem(answer, status)
        packed = {"Content-Type": "image/png", "Content-Encoding": "gzip"}
        problem(await http.post(PATH, content=encoded("png"), headers=packed), 415)
    assert await left(world) == 0


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
async def test_an_image(world: World, kind: str) -> None:
    """An image comes back without what it told and what hung on it, and as an image only."""
    given = encoded(kind) + HTML
    async with world.client(**world.bearer("Uma"), **world.own) as http:
        kept = await sent(http, "C:\\photos\\Wien & Graz.html", given, f"image/{kind}")
        answer = await http.get(f"{PATH}/{kept['id']}")

    assert kept["name"] == f"Wien & Graz.html.{kind}"
    assert (kept["type"], kept["bytes"]) == (f"image/{kind}", len(answer.content))
    assert (SECRET in answer.content, HTML in answer.content) == (False, False)
    assert answer.headers["content-type"] == f"image/{kind}"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].endswith("; sandbox")
    assert "script" not in answer.headers["content-security-policy"]
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-disposition"] == (
        f"inline; filename*=UTF-8''Wien%20%26%20Graz.html.{kind}"
    )


async def test_a_text(world: World) -> None:
    """A text comes back as it was, to be saved, and never as a page of ours."""
    async with world.client(**world.bearer("Uma"), **world.own) as http:
        kept = await sent(http, 'x".html', HTML + "ä".encode(), "text/html")
        answer = await http.get(f"{PATH}/{kept['id']}")
        assert (await http.delete(f"{PATH}/{kept['id']}")).status_code == 204
        problem(await http.get(f"{PATH}/{kept['id']}"), 404)
        problem(await http.delete(f"{PATH}/{kept['id']}"), 404)

    assert answer.content == HTML + "ä".encode()
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''x_.html"
    assert answer.headers["content-security-policy"].endswith("; sandbox")
    assert await left(world) == 0


async def test_sizes(world: World) -> None:
    """A file may have 2 MB, and nothing else may; more is refused however it is told."""
    async with world.client(**world.bearer("Uma"), **world.own) as http:
        noise = b"\0" * (LARGEST_BYTES + 1)
        problem(await http.post(PATH, content=noise[:-1], headers=PNG), 415)
        problem(await http.post(PATH, content=noise, headers=PNG), 413)
        for path in ("/api/conversations", f"{PATH}/x", f"{PATH}/"):
            problem(await http.post(path, content=noise[:-1], headers=PNG), 413)

        async def chunks() -> Any:
            for _ in range(100):
                yield b"\0" * 1_000_000

        try:
            endless = await http.post(PATH, content=chunks(), headers=PNG)
        except httpx2.WriteError:
            # Closed while it was still being sent: nobody reads on for an answer's sake.
            pass
        else:
            problem(endless, 413)
    assert await left(world) == 0


@pytest.mark.parametrize("chunked", [False, True])
async def test_half_an_upload_is_none(world: World, chunked: bool) -> None:
    """A file whose sender leaves is not kept, not even the part of a text that came."""
    host, port = world.url.removeprefix("http://").split(":")
    length = "Transfer-Encoding: chunked" if chunked else "Content-Length: 2000"
    body = b"3e8\r\n" + b"x" * 1000 + b"\r\n" if chunked else b"x" * 1000
    head = (
        f"POST {PATH}?name=a.txt HTTP/1.1\r\nHost: {host}:{port}\r\n{length}\r\n"
        f"Content-Type: text/plain\r\nAuthorization: Bearer {world.token('Uma')}\r\n\r\n"
    )
    _, writer = await asyncio.open_connection("127.0.0.1", int(port))
    writer.write(head.encode() + body)
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    async with world.client(**world.bearer("Uma"), **world.own) as http:
        # By then the server has met the end of the other connection.
        await sent(http, "b.txt", b"whole", "text/plain")
    uma = PrincipalId(world.settings.tenant_id, named("Uma").oid)
    kept = [item.document["name"] async for item in world.assembly.attachments.every(uma)]

    assert kept == ["b.txt"]
    assert await left(world) == 1
