"""Two applications in processes of their own, and one store."""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from secure_openai.errors import Refused
from secure_openai.settings import child_environment
from secure_openai.store.cosmos.conversations import CosmosConversationStore
from secure_openai.store.cosmos.database import CosmosDatabase
from secure_openai.store.cosmos.sessions import CosmosSessionStore
from secure_openai.store.cosmos.usage import CosmosUsageStore
from secure_openai.testing.conversations_contract import message_in
from secure_openai.testing.messages_contract import all_messages
from secure_openai.testing.sessions_contract import ANNA as ANNA_HERSELF
from secure_openai.testing.sessions_contract import pending
from secure_openai.testing.usage_contract import ANNA, NOON, reserve
from tests.cosmosdb.bridge import Bridge
from tests.store.cosmos.instance import MESSAGES, QUOTA, REQUESTS, STEPS, TOKENS

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[3]
STATES = [f"state-{number}" for number in range(10)]


class Instance:
    """A running process and what it said."""

    def __init__(self, process: Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process = process
        self.said: list[str] = []
        self._write, self._read = process.stdin, process.stdout

    @classmethod
    async def start(cls, bridge: Bridge, name: str, who: str) -> Instance:
        """Start one; it is ready when this returns."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.store.cosmos.instance", bridge.url, name, who),
            cwd=ROOT,
            env=child_environment({"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}),
            stdin=PIPE,
            stdout=PIPE,
        )
        started = cls(process)
        assert await started.line() == "ready"
        return started

    async def tell(self, what: object) -> None:
        """Give it a line."""
        self._write.write(json.dumps(what).encode() + b"\n")
        await self._write.drain()

    async def line(self) -> str:
        """Return the next line that it prints; empty at its end."""
        return (await self._read.readline()).decode().strip()

    async def result(self) -> dict[str, Any]:
        """Return what it did, once it has done it."""
        while True:
            line = await self.line()
            if line.startswith("{"):
                result: dict[str, Any] = json.loads(line)
                return result
            assert line, "the process ended"
            self.said.append(line)

    def tokens(self, what: str) -> int:
        """Return how many tokens it said were granted or settled."""
        return TOKENS * self.said.count(what)


async def prepared(cosmos: CosmosDatabase) -> dict[str, Any]:
    """Return what both work on."""
    conversations = CosmosConversationStore(cosmos)
    conversation = await conversations.create(ANNA, title="shared")
    (counter,) = await conversations.append(ANNA, message_in(conversation, "0"))
    sessions = CosmosSessionStore(cosmos)
    for state in STATES:
        await sessions.begin_sign_in(pending(state, minutes=600))
    return {"conversation": conversation.id, "counter": counter.id, "states": STATES}


async def test_two_applications(bridge: Bridge, database_name: str, cosmos: CosmosDatabase) -> None:
    """Two under load lose no update, admit nothing over the quota and accept each other's people.

    Each state of a sign-in is taken by one of them, once; what both used is in the ledger, once.
    """
    work = await prepared(cosmos)
    both = await asyncio.gather(*(Instance.start(bridge, database_name, who) for who in "ab"))
    for one in both:
        await one.tell(work)
    results = await asyncio.gather(*(one.result() for one in both))
    for one, other in zip(both, reversed(results), strict=True):
        await one.tell(other["keys"])
    assert [int(await one.line()) for one in both] == [5, 5]
    assert [await one.process.wait() for one in both] == [0, 0]

    conversations = CosmosConversationStore(cosmos)
    conversation = await conversations.get(ANNA, work["conversation"])
    counter, *texts = await all_messages(conversations, conversation)
    assert int(counter) == 2 * STEPS
    for who in "ab":
        assert [text for text in texts if text.startswith(who)] == [
            f"{who} {number}" for number in range(MESSAGES)
        ]
    # They did meet.
    assert sum(result["conflicts"] for result in results) > 0
    assert sorted(state for result in results for state in result["taken"]) == STATES
    granted = sum(one.tokens("granted") for one in both)
    assert granted <= QUOTA.tokens_per_minute < 2 * REQUESTS * TOKENS
    assert all(one.tokens("granted") for one in both)
    fresh = CosmosUsageStore(cosmos, clock=lambda: NOON)
    assert (await fresh.totals(ANNA, "gpt", now=NOON)).tokens_today == granted
    assert await CosmosSessionStore(cosmos).revoke(ANNA_HERSELF.id) == 10


async def test_one_is_killed(bridge: Bridge, database_name: str, cosmos: CosmosDatabase) -> None:
    """Killed in the middle, an instance takes no more with it than its block, until that ends."""
    work = await prepared(cosmos)
    killed, other = await asyncio.gather(
        *(Instance.start(bridge, database_name, who) for who in "ab")
    )
    for one in (killed, other):
        await one.tell(work)
    while killed.said.count("settled") < 5:
        killed.said.append(await killed.line())
    killed.process.kill()
    await other.result()
    while line := await killed.line():
        killed.said.append(line)
    await other.tell([])
    assert await other.process.wait() == 0
    assert await killed.process.wait() == -9

    both = (killed, other)
    granted = sum(one.tokens("granted") for one in both)
    settled = sum(one.tokens("settled") for one in both)
    assert settled <= granted <= QUOTA.tokens_per_minute
    later = NOON + timedelta(minutes=5)
    fresh = CosmosUsageStore(cosmos, clock=lambda: later)
    today = (await fresh.totals(ANNA, "gpt", now=later)).tokens_today
    # What was under way when it died may have been written, or not.
    assert settled <= today <= granted + 8 * TOKENS
    left = QUOTA.tokens_per_minute
    assert (await reserve(fresh, left, limits=QUOTA, now=later)).tokens == left
    with pytest.raises(Refused):
        await reserve(fresh, 1, limits=QUOTA, now=later)
