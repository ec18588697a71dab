"""SIGTERM at the application: what is under way comes to its end, and nothing begins."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from secure_openai.local.identity_provider.__main__ import identity_provider
from secure_openai.local.identity_provider.app import IdentityProvider
from secure_openai.local.identity_provider.directory import (
    COMMAND_LINE_CLIENT_ID,
    TENANT_ID,
    WEB_CLIENT_ID,
)
from secure_openai.model.scripted_server import Served, scripted_model_app
from secure_openai.store.sqlite.journal import Unfolded, rows_in
from secure_openai.streams import CutOffError, Drain, UntilCut
from secure_openai.testing.person import named, sign_in
from tests.servers import listening, port_of, served
from tests.system import environment, free_ports

CHAT = "/openai/v1/chat/completions"
LONG = 60
"""Seconds of a drain that nothing here waits for."""


@dataclass
class Running:
    """The application as a process of its own, with the model behind it.

    Attributes:
        url: Where it is.
        provider: Its issuer.
        model: What the model has seen.
        data: Its folder.
        process: Itself.
    """

    url: str
    provider: IdentityProvider
    model: Served
    data: Path
    process: asyncio.subprocess.Process = field(repr=False)

    def client(self) -> httpx2.AsyncClient:
        """Return a client that asks as Uma."""
        token = self.provider.issuance.access_token(
            named("Uma"), COMMAND_LINE_CLIENT_ID, for_api=True
        )
        return httpx2.AsyncClient(
            base_url=self.url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
            trust_env=False,
        )

    async def refusal(self, path: str = CHAT) -> httpx2.Response:
        """Ask on a connection of its own until that is refused: a signal takes its time."""
        async with asyncio.timeout(60):
            while True:
                async with self.client() as http:
                    answer = await http.post(path, json=body("hello"))
                if answer.status_code != 200:
                    return answer

    async def ended(self) -> list[dict[str, Any]]:
        """Return the audit's records once the process has ended."""
        async with asyncio.timeout(60):
            await self.process.wait()
        with sqlite3.connect(self.data / "secure-openai.db") as database:
            rows = database.execute("SELECT document FROM audit ORDER BY sequence").fetchall()
        database.close()
        return [json.loads(document) for (document,) in rows]

    def reserved(self) -> int:
        """Return how many reservations are left over."""
        with sqlite3.connect(self.data / "secure-openai.db") as database:
            assert not Unfolded(rows_in(database))
            (count,) = database.execute("SELECT count(*) FROM reservation").fetchone()
        database.close()
        return int(count)


@asynccontextmanager
async def serving(
    tmp_path: Path, identity: Path, *, seconds: int, **more: object
) -> AsyncIterator[Running]:
    """Run `secure-openai serve` with an issuer and a model that are other servers."""
    model, model_port, issuer_port = scripted_model_app(), listening(), listening()
    port = free_ports(1)
    url = f"http://localhost:{port}"
    provider = identity_provider(
        identity, public_url=f"http://localhost:{port_of(issuer_port)}", application_url=url
    )
    data = tmp_path / "data"
    settings = {
        "public_url": url,
        "listen_port": port,
        "authority": provider.issuer,
        "tenant_id": TENANT_ID,
        "client_id": WEB_CLIENT_ID,
        "data": data,
        "model_url": f"http://127.0.0.1:{port_of(model_port)}/v1",
        "model_deployments": "scripted",
        "drain_seconds": seconds,
        **more,
    }
    variables = {f"SECURE_OPENAI_{name.upper()}": str(value) for name, value in settings.items()}
    with (tmp_path / "log").open("wb") as output:
        async with served(provider.app(), issuer_port), served(model, model_port):
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "secure_openai.cli", "serve"),
                stdin=asyncio.subprocess.DEVNULL,
                stderr=output,
                env=environment(**variables),
            )
            started = Running(url, provider, model.state.served, data, process)
            try:
                await ready(started)
                yield started
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()


async def ready(started: Running) -> None:
    """Wait until it would serve."""
    async with asyncio.timeout(60), httpx2.AsyncClient(trust_env=False) as http:
        while True:
            assert started.process.returncode is None
            try:
                if (await http.get(f"{started.url}/readyz")).status_code == 200:
                    return
            except httpx2.HTTPError:
                pass
            await asyncio.sleep(0.05)


def body(text: str, **more: Any) -> dict[str, Any]:
    """Return a request."""
    return {"model": "scripted", "messages": [{"role": "user", "content": text}], **more}


@asynccontextmanager
async def streaming(http: httpx2.AsyncClient, text: str) -> AsyncIterator[AsyncIterator[str]]:
    """Yield the lines of a stream, once its first word has come."""
    async with http.stream("POST", CHAT, json=body(text, stream=True)) as answer:
        lines = answer.aiter_lines()
        async for line in lines:
            if "secure" in line:
                break
        yield lines


@pytest.mark.process
async def test_a_stream_comes_to_its_end_and_nothing_begins(
    tmp_path: Path, identity_folder: Path
) -> None:
    """What streams goes on, what comes is a 503 with Retry-After at once, and all is recorded."""
    async with serving(tmp_path, identity_folder, seconds=LONG) as running:
        async with running.client() as http, running.client() as kept:
            assert (await kept.get("/healthz")).status_code == 200
            async with streaming(http, "slow 200") as lines:
                running.process.send_signal(signal.SIGTERM)
                refused = await running.refusal()
                problem = await running.refusal("/api/conversations")
                on_a_kept_connection = await kept.post(CHAT, json=body("hello"))
                async with running.client() as probe:
                    alive, unready = await probe.get("/healthz"), await probe.get("/readyz")
                under_way = running.process.returncode is None
                rest = [line async for line in lines]
        records = await running.ended()
    settled = [one for one in records if one["action"] == "completion.settled"]

    assert under_way
    assert rest[-2:] == ["data: [DONE]", ""]
    assert sum("content" in line for line in rest) >= 199
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "2")
    assert refused.headers["Connection"] == "close"
    assert refused.json()["error"] == {
        "message": "The server is stopping: ask again.",
        "type": "server_error",
        "param": None,
        "code": "stopping",
    }
    assert problem.json()["type"] == "urn:secure-openai:problem:stopping"
    assert on_a_kept_connection.status_code == 503
    assert (alive.status_code, unready.status_code) == (200, 503)
    assert settled[0]["reason"] == "completed"
    assert settled[0]["facts"]["completion_tokens"] == 200
    assert running.reserved() == 0


@pytest.mark.process
@pytest.mark.parametrize("how", ["the limit", "a second signal"])
async def test_what_does_not_end_is_cut_off(
    tmp_path: Path, identity_folder: Path, how: str
) -> None:
    """It ends with an error event, is charged what was seen, and the audit says so."""
    seconds = 1 if how == "the limit" else LONG
    async with serving(tmp_path, identity_folder, seconds=seconds) as running:
        async with running.client() as http, running.client() as other:
            whole = asyncio.create_task(other.post(CHAT, json=body("stall", max_tokens=100)))
            async with streaming(http, "stall 5") as lines:
                while len(running.model.requests) < 2:
                    await asyncio.sleep(0.01)
                running.process.send_signal(signal.SIGTERM)
                if how == "a second signal":
                    await running.refusal()
                    running.process.send_signal(signal.SIGTERM)
                rest = [line async for line in lines if line]
            cut_off = await whole
        records = await running.ended()
        async with asyncio.timeout(60):
            while running.model.under_way:
                await asyncio.sleep(0.01)
    facts = {
        one["facts"]["completion_tokens"]: one
        for one in records
        if one["action"] == "completion.settled"
    }

    assert json.loads(rest[-1].removeprefix("data: "))["error"]["code"] == "cut_off"
    assert (cut_off.status_code, cut_off.json()["error"]["code"]) == (503, "cut_off")
    assert {one["reason"] for one in facts.values()} == {"cut-off"}
    # One for each event of the stream, two of which have no word; the other's whole reservation.
    assert set(facts) == {7, 100}
    assert running.reserved() == 0


@pytest.mark.process
async def test_an_answer_to_a_page_is_kept_when_it_is_cut_off(
    tmp_path: Path, identity_folder: Path
) -> None:
    """The chat's reader gets an error, and what had come of the answer is stored."""
    async with serving(tmp_path, identity_folder, seconds=1) as running:
        own = {"Origin": running.url, "Sec-Fetch-Site": "same-origin"}
        async with httpx2.AsyncClient(
            base_url=running.url, headers=own, trust_env=False, timeout=30
        ) as http:
            await sign_in(http, running.url, "Uma")
            made = await http.post("/api/conversations", json={"title": "cut"})
            path = f"/api/conversations/{made.json()['id']}/messages"
            asked = {"text": "stall 5", "deployment": "scripted"}
            async with http.stream("POST", path, json=asked) as answer:
                lines = answer.aiter_lines()
                async for line in lines:
                    if line == "event: delta":
                        break
                running.process.send_signal(signal.SIGTERM)
                rest = [line async for line in lines]
        await running.ended()
        with sqlite3.connect(running.data / "secure-openai.db") as database:
            kept = " ".join(str(row) for row in database.execute("SELECT * FROM message"))
        database.close()

    ended = json.loads(rest[rest.index("event: end") + 1].removeprefix("data: "))
    assert ended["problem"]["type"] == "urn:secure-openai:problem:cut-off"
    assert "interrupted" in kept
    assert "secure private keyless" in kept


@pytest.mark.process
async def test_an_answer_that_nobody_listens_to_is_kept_too(
    tmp_path: Path, identity_folder: Path
) -> None:
    """A reader who left within the grace finds what had come, after the process has ended."""
    async with serving(tmp_path, identity_folder, seconds=1) as running:
        async with running.client() as http:
            made = await http.post("/api/conversations", json={"title": "left"})
            path = f"/api/conversations/{made.json()['id']}/messages"
            asked = {"text": "stall 5", "deployment": "scripted"}
            async with http.stream("POST", path, json=asked) as answer:
                async for line in answer.aiter_lines():
                    if line == "event: delta":
                        break
        running.process.send_signal(signal.SIGTERM)
        records = await running.ended()
        with sqlite3.connect(running.data / "secure-openai.db") as database:
            kept = [
                json.loads(document)
                for (document,) in database.execute("SELECT document FROM message")
            ]
        database.close()
    settled = [one["reason"] for one in records if one["action"] == "completion.settled"]

    assert [one["status"] for one in kept] == ["complete", "interrupted"]
    assert "secure private keyless" in kept[1]["text"]
    assert settled == ["cut-off"]
    assert running.reserved() == 0


async def test_whoever_was_cancelled_stays_so() -> None:
    """A cut tells itself from a client that left; what was not begun does not begin."""
    drain, begun = Drain(), asyncio.Event()

    async def wait() -> None:
        with UntilCut(drain):
            begun.set()
            await asyncio.Event().wait()

    left, cut = (asyncio.create_task(wait()) for _ in range(2))
    await begun.wait()
    await asyncio.sleep(0)
    left.cancel()
    drain.cut()
    drain.cut()
    results = await asyncio.gather(left, cut, return_exceptions=True)

    assert [type(one) for one in results] == [asyncio.CancelledError, CutOffError]
    with pytest.raises(CutOffError):
        await wait()
    assert drain.begun
