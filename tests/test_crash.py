"""`kill -9` in the middle of a stream, then a start on the same folder."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from secure_openai.testing.person import named, sign_in
from tests.system import System, running

pytestmark = pytest.mark.process

WORDS = 20


async def signed_in(system: System, http: httpx2.AsyncClient) -> None:
    """Sign Uma in by browser, with what our page sends."""
    http.headers |= {"Origin": system.url, "Sec-Fetch-Site": "same-origin"}
    page = await sign_in(http, system.url, "Uma")
    assert page.status_code == 200


async def interrupted_by_kill(system: System) -> str:
    """Ask for a long answer, kill the application in its middle, and return the conversation."""
    async with httpx2.AsyncClient(base_url=system.url, trust_env=False, timeout=60) as http:
        await signed_in(system, http)
        made = await http.post("/api/conversations", json={"title": "crash"})
        path = f"/api/conversations/{made.json()['id']}/messages"
        body = {"text": "slow 2000", "deployment": "scripted"}
        application = next(
            child
            for child in psutil.Process(system.process.pid).children()
            if "serve" in child.cmdline()
        )
        words = 0
        with pytest.raises(httpx2.HTTPError):
            async with http.stream("POST", path, json=body) as response:
                async for line in response.aiter_lines():
                    words += line.startswith("event: delta")
                    if words % 20 == 19 and await words_kept(http, path) >= WORDS:
                        os.kill(application.pid, signal.SIGKILL)
        return str(made.json()["id"])


async def words_kept(http: httpx2.AsyncClient, path: str) -> int:
    """Return how many words of the answer are in the store."""
    return len((await http.get(path)).json()["items"][1]["text"].split())


async def what_is_kept(system: System, conversation: str) -> list[dict[str, Any]]:
    """Return the messages once the answer's lease has run out."""
    async with httpx2.AsyncClient(base_url=system.url, trust_env=False, timeout=60) as http:
        await signed_in(system, http)
        async with asyncio.timeout(60):
            while True:
                listed = await http.get(f"/api/conversations/{conversation}/messages")
                messages: list[dict[str, Any]] = listed.json()["items"]
                if messages[1]["status"] != "streaming":
                    return messages
                await asyncio.sleep(0.1)


def test_nothing_typed_is_lost_and_the_chain_verifies(tmp_path: Path) -> None:
    """The question and the partial answer are there, the reservation ends, the audit holds."""
    data = tmp_path / "data"
    with running(data) as system:
        conversation = asyncio.run(interrupted_by_kill(system))
        system.process.wait(60)
    with running(data) as system:
        question, answer = asyncio.run(what_is_kept(system, conversation))
    verified = subprocess.run(
        [sys.executable, "-m", "secure_openai.cli", "audit", "verify", "--data", str(data)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (question["text"], question["status"]) == ("slow 2000", "complete")
    assert answer["status"] == "interrupted"
    assert len(answer["text"].split()) >= WORDS
    assert verified.returncode == 0, verified.stderr
    assert asyncio.run(reserved_after_a_minute(data)) == 0


async def reserved_after_a_minute(data: Path) -> int:
    """Return how many reservations still count a minute after the crash."""
    from datetime import timedelta

    from secure_openai.local.identity_provider.directory import TENANT_ID
    from secure_openai.pipeline import RESERVATION_SECONDS
    from secure_openai.store.sqlite.database import Database
    from secure_openai.store.sqlite.usage import SqliteUsageStore
    from secure_openai.types import PrincipalId, utc_now

    database = await Database.open(data / "secure-openai.db")
    try:
        owner = PrincipalId(TENANT_ID, named("Uma").oid)
        usage = SqliteUsageStore(database)
        before = await usage.totals(owner, "scripted", now=utc_now() - timedelta(seconds=20))
        assert before.concurrent == 1
        later = utc_now() + timedelta(seconds=RESERVATION_SECONDS)
        return (await usage.totals(owner, "scripted", now=later)).concurrent
    finally:
        await database.aclose()
