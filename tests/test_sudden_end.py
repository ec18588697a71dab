"""What is kept of a loaded gateway that ends: all at SIGTERM, but the last moment at SIGKILL."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from secure_openai.store.chain import GENESIS, record_hash
from secure_openai.store.sqlite import connection as connection_module
from secure_openai.store.sqlite.journal import Unfolded, fold, rows_in
from tests.edge.test_refusals import openai_error
from tests.test_drain import CHAT, Running, body, serving
from tests.world import World, running_world

GENEROUS = """
version = 1

[people.user]
deployments = ["*"]
requests_per_minute = 1_000_000
requests_per_day = 1_000_000
tokens_per_minute = 1_000_000_000
tokens_per_day = 1_000_000_000
largest_prompt_tokens = 1_000
largest_answer_tokens = 1_000
concurrent_streams = 1_000
"""
CLIENTS = 16
ANSWERS = 300
LAST_SECONDS = 0.1
"""What a sudden end may take with it (`docs/gateway.md`)."""

TRIES = 3
"""A machine that has other work holds up a write for as long as it likes: one in three must do."""


@dataclass
class Load:
    """Clients that ask one request after the other, and what they were answered.

    Attributes:
        finished: When each answer was whole, by its request id.
        tokens: What all of them were told to have used.
    """

    running: Running
    finished: dict[str, float] = field(default_factory=dict)
    tokens: int = 0

    async def run(self) -> None:
        """Ask until the server is gone."""
        await asyncio.gather(*(self._one() for _ in range(CLIENTS)))

    async def _one(self) -> None:
        async with self.running.client() as http:
            while True:
                try:
                    answer = await http.post(CHAT, json=body("hello", max_tokens=20))
                except httpx2.HTTPError:
                    return
                if answer.status_code == 503:
                    return
                assert answer.status_code == 200, answer.text
                self.finished[answer.headers["x-request-id"]] = time.monotonic()
                self.tokens += answer.json()["usage"]["total_tokens"]


@dataclass(frozen=True)
class Kept:
    """What is in the store.

    Attributes:
        admitted: Ids of requests of which the audit has the beginning.
        settled: Ids of those of which it has the end.
        requests: How many the day's quota counts.
        tokens: How many tokens it counts as used.
        reserved: How many requests are neither settled nor released.
        journaled: Whether the tables of usage alone did not say everything.
    """

    admitted: frozenset[str]
    settled: frozenset[str]
    requests: int
    tokens: int
    reserved: int
    journaled: bool


def kept(running: Running) -> Kept:
    """Read the store, once the process has ended."""
    with closing(sqlite3.connect(running.data / "secure-openai.db")) as database:
        records = [json.loads(one) for (one,) in database.execute("SELECT document FROM audit")]
        journaled = bool(Unfolded(rows_in(database)))
        # Whoever opens the file next does so.
        fold(database)
        requests, tokens = database.execute(
            "SELECT sum(requests), sum(prompt_tokens + completion_tokens) FROM usage_total"
        ).fetchone()
        (reserved,) = database.execute("SELECT count(*) FROM reservation").fetchone()
    ids = {
        action: frozenset(one["request_id"] for one in records if one["action"] == action)
        for action in ("completion.admitted", "completion.settled")
    }
    admitted, settled = ids.values()
    return Kept(admitted, settled, requests, tokens, reserved, journaled)


async def ended_by(
    tmp_path: Path, identity_folder: Path, number: signal.Signals
) -> tuple[Running, Load, float]:
    """Return a gateway that was ended under load, what clients saw, when its last moment began.

    Where the machine held this process up it held up that one, too, whose moment is the longer.
    """
    policy = tmp_path / "policy.toml"
    policy.write_text(GENEROUS)
    async with serving(tmp_path, identity_folder, seconds=20, policy=policy) as running:
        load = Load(running)
        loading = asyncio.create_task(load.run())
        late = deque([0.0], maxlen=50)
        while len(load.finished) < ANSWERS and not loading.done():
            due = time.monotonic() + 0.01
            await asyncio.sleep(0.01)
            late.append(time.monotonic() - due)
        last = time.monotonic() - LAST_SECONDS - max(late)
        running.process.send_signal(number)
        await loading
        async with asyncio.timeout(60):
            await running.process.wait()
    return running, load, last


def verified(running: Running) -> None:
    """Check that the audit's chain holds."""
    with closing(sqlite3.connect(running.data / "secure-openai.db")) as database:
        rows = database.execute("SELECT sequence, document, previous, hash FROM audit").fetchall()
    expected, before = 1, GENESIS
    for sequence, document, previous, digest in rows:
        assert (sequence, previous) == (expected, before)
        assert digest == record_hash(sequence, document, previous)
        expected, before = sequence + 1, digest


@pytest.mark.process
async def test_sigterm_loses_nothing(tmp_path: Path, identity_folder: Path) -> None:
    """Every answer that a client has is in the audit, begun and ended, and charged to the token."""
    running, load, _ = await ended_by(tmp_path, identity_folder, signal.SIGTERM)
    found = kept(running)

    assert len(load.finished) >= ANSWERS
    assert found.admitted == found.settled == load.finished.keys()
    assert (found.requests, found.tokens) == (len(load.finished), load.tokens)
    assert (found.reserved, found.journaled) == (0, False)
    verified(running)


@pytest.mark.process
async def test_sigkill_loses_the_last_moment_at_most(tmp_path: Path, identity_folder: Path) -> None:
    """Every answer older than a moment is counted, recorded and charged; the chain holds.

    What was reserved before and is not charged stays reserved until it expires, so that quota errs
    to the safe side.
    """
    for attempt in range(TRIES):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        running, load, last = await ended_by(folder, identity_folder, signal.SIGKILL)
        found = kept(running)
        each = load.tokens // len(load.finished)
        charged = found.tokens // each

        assert len(load.finished) >= ANSWERS
        # What is neither charged nor released is reserved still.
        assert charged + found.reserved == found.requests
        # The audit keeps its order: no end without its beginning.
        assert found.settled <= found.admitted
        verified(running)
        older = {one for one, when in load.finished.items() if when < last}
        if older <= found.settled and found.requests >= charged >= len(older):
            return
    raise AssertionError(f"in {TRIES} tries each time more than {LAST_SECONDS} s were lost")


@pytest.fixture
async def impatient(
    tmp_path: Path, identity_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[World]:
    """A gateway that waits a moment only for a store that another process holds."""
    monkeypatch.setattr(connection_module, "BUSY_MILLISECONDS", 100)
    async with running_world(tmp_path, identity_folder) as world:
        yield world


def locked(world: World) -> sqlite3.Connection:
    """Return another program's connection, which lets nobody write until it is closed."""
    other = sqlite3.connect(world.settings.data / "secure-openai.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    return other


async def test_usage_that_cannot_be_written_refuses_before_the_model(impatient: World) -> None:
    """503 in OpenAI's shape while quota cannot be reserved; answered again as soon as it can."""
    async with impatient.client(**impatient.bearer("Uma")) as http:
        with closing(locked(impatient)):
            refused = await http.post(CHAT, json=body("hello"))
        async with asyncio.timeout(60):
            while (again := await http.post(CHAT, json=body("hello"))).status_code == 503:
                await asyncio.sleep(0.05)

    assert openai_error(refused, 503)["type"] == "server_error"
    assert again.status_code == 200
    actions = [event.action for event in await impatient.events()]
    assert actions.count("completion.admitted") == 1


async def test_a_full_or_failing_audit_refuses_before_the_model(impatient: World) -> None:
    """What waits to be written is bounded: over it, or after a failure, nothing more is begun."""
    queue = impatient.assembly.audit._queue  # type: ignore[attr-defined]
    queue._size = 5
    unknown = body("hello") | {"model": "no-such"}
    async with impatient.client(**impatient.bearer("Uma")) as http:
        with closing(locked(impatient)):
            statuses = []
            for _ in range(20):
                statuses.append((answer := await http.post(CHAT, json=unknown)).status_code)
                if answer.status_code == 503:
                    break
            asked = await http.post(CHAT, json=body("hello"))
            unready = await http.get("/readyz")
        async with asyncio.timeout(60):
            while (again := await http.post(CHAT, json=body("hello"))).status_code == 503:
                await asyncio.sleep(0.05)

    assert openai_error(answer, 503)["code"] == "audit_unavailable"
    assert openai_error(asked, 503)["code"] == "audit_unavailable"
    assert unready.status_code == 503
    assert again.status_code == 200
    actions = [event.action for event in await impatient.events()]
    assert actions.count("completion.refused") == statuses.count(404) <= 5
    assert actions.count("completion.admitted") == 1
