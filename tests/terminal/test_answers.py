"""What comes back from a model and from servers that are none of ours, at the terminal."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from secure_openai.local.command_line_sign_in import Client, Tokens
from secure_openai.local.folder import Folder
from secure_openai.local.identity_provider.directory import (
    COMMAND_LINE_CLIENT_ID,
    WEB_CLIENT_ID,
)
from secure_openai.local.token_cache import TokenCache
from secure_openai.model.scripted_server import Served, scripted_model_app
from tests.servers import listening, port_of, served
from tests.system import environment
from tests.terminal.test_plain import ATTACKS
from tests.world import World, running_world

pytestmark = pytest.mark.process

SCOPE = f"{WEB_CLIENT_ID}/access_as_user"


@pytest.fixture
async def told(tmp_path: Path, identity_folder: Path) -> AsyncIterator[tuple[World, Served]]:
    """A gateway, and the model behind it that can be told what to say."""
    app, bound = scripted_model_app(), listening()
    settings = {
        "model_source": "url",
        "model_url": f"http://127.0.0.1:{port_of(bound)}/v1",
        "model_deployments": "scripted",
    }
    async with (
        served(app, bound),
        running_world(tmp_path, identity_folder, **settings) as world,
    ):
        yield world, app.state.served


async def chat(world: World, home: Path, url: str, *arguments: str) -> tuple[int, str, str]:
    """Ask at an address, signed in as Uma at the world's issuer; return code and both outputs."""
    folder = Folder(home / ".secure-openai")
    folder.prepare()
    client = Client(world.provider.issuer, COMMAND_LINE_CLIENT_ID, SCOPE)
    TokenCache(folder).keep(client, Tokens(world.token("Uma"), time.time() + 3600, None))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "secure_openai.cli", "chat", *arguments),
        *("--url", url, "--authority", client.authority),
        *("--client-id", client.client_id, "--scope", client.scope),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(HOME=str(home), NO_COLOR="1", COLUMNS="200", PYTHONIOENCODING="utf-8"),
    )
    answer, said = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, answer.decode(), said.decode()


async def test_an_answer_does_nothing_to_the_terminal(
    told: tuple[World, Served], tmp_path: Path
) -> None:
    """Of every attack at once only what can be read comes out; as JSON it comes whole, in ASCII."""
    world, model = told
    attack = "|".join(text for name, text in ATTACKS.items() if "surrogate" not in name)
    model.instead = lambda _: attack
    code, answer, _ = await chat(world, tmp_path, world.url, "hello")
    _, written, _ = await chat(world, tmp_path, world.url, "hello", "--json")

    assert code == 0
    assert "|a[2J" not in answer
    assert answer.startswith("You said: [31mred[0m|[2J[H|safe[1A[2Kevil|")
    assert all(one.isprintable() or one in "\n\t" for one in answer)
    assert written.isascii()
    assert json.loads(written)["answer"] == f"You said: {attack}"


def http(status: str, body: bytes, *headers: str) -> bytes:
    """Return an HTTP response."""
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers])
    return f"{head}\r\n\r\n".encode() + body


ODD = {
    "no stream": (http("200 OK", b"hello"), "broke off"),
    "no end": (http("200 OK", b'data: {"choices": []}\n\n'), "broke off"),
    "no object": (http("200 OK", b'data: "text"\n\n'), "not an answer"),
    "too deep": (http("200 OK", b"data: " + b"[" * 100_000 + b"\n\n"), "not an answer"),
    "redirect": (http("302 Found", b"", "Location: http://evil.example/"), "status 302"),
    "a page": (http("502 Bad", b"<h1>\x1b[2J"), "status 502"),
    "no body": (http("503 Away", b"", "Retry-After: 9"), "status 503. Try again in 9 s."),
    "escapes": (
        http("429 No", json.dumps({"error": {"message": "a\x1b[2J\nb\u202ec"}}).encode()),
        "a[2J bc",
    ),
    "an error in the stream": (
        http("200 OK", b'data: {"error": {"message": "a\\u001b[2J"}}\n\n'),
        "a[2J",
    ),
    "odd members": (http("400 No", b'{"error": [1]}'), "The gateway failed."),
    "ssh": (b"SSH-2.0-OpenSSH\r\n", "broke off"),
    "nothing": (b"", "broke off"),
    "endless": (b"HTTP/1.1 200 OK\r\n\r\ndata: " + b"x" * 2_000_000, "too large"),
}


@pytest.mark.parametrize(("answer", "said"), ODD.values(), ids=ODD.keys())
async def test_whatever_answers_is_told_in_one_sentence(
    world: World, tmp_path: Path, answer: bytes, said: str
) -> None:
    """Servers that are no gateway, or behave like none: exit code 1, and nothing is followed."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    bound = listening()
    async with await asyncio.start_server(serve, sock=bound):
        url = f"http://localhost:{port_of(bound)}"
        code, shown, told = await chat(world, tmp_path, url, "hello", "--deployment", "scripted")

    assert (code, shown) == (1, "")
    assert said in told
    assert told.count("\n") == 1
    assert "\x1b" not in told
