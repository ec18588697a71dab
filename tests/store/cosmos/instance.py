"""One instance of an application, under load: `python -m tests.store.cosmos.instance URL NAME WHO`.

It waits for a line with what to work on, prints `granted` for every reservation and `settled` for
every settlement that came back, then what it did; it reads the other's session keys and prints how
many of them it accepts.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

from secure_openai.errors import PreconditionFailed, Refused
from secure_openai.store.cosmos.conversations import CosmosConversationStore
from secure_openai.store.cosmos.database import CosmosDatabase
from secure_openai.store.cosmos.sessions import CosmosSessionStore
from secure_openai.store.cosmos.usage import CosmosUsageStore
from secure_openai.testing.conversations_contract import ANNA, message_in
from secure_openai.testing.sessions_contract import NOW, session
from secure_openai.testing.usage_contract import LIMITS, NOON
from secure_openai.types import Usage
from tests.cosmosdb.estate import FixedCredential

QUOTA = replace(
    LIMITS, requests_per_minute=10_000, tokens_per_minute=1_000, concurrent_streams=1_000
)
TOKENS = 10
REQUESTS = 70
STEPS = 20
MESSAGES = 10


async def spend(usage: CosmosUsageStore) -> None:
    """Reserve and settle until everybody has had a turn."""

    async def one() -> None:
        with suppress(Refused):
            reservation = await usage.reserve(
                ANNA, "gpt", tokens=TOKENS, limits=QUOTA, now=NOON, lifetime=60
            )
            print("granted", flush=True)  # noqa: T201 - the parent reads it
            await usage.settle(reservation, Usage(TOKENS, 0))
            print("settled", flush=True)  # noqa: T201 - the parent reads it

    waiting = asyncio.Semaphore(8)

    async def turn() -> None:
        async with waiting:
            await one()

    await asyncio.gather(*(turn() for _ in range(REQUESTS)))


async def count_up(conversations: CosmosConversationStore, work: dict[str, Any]) -> int:
    """Add one to a number that others add to, too; return how often someone else was faster."""
    conflicts = 0
    for _ in range(STEPS):
        while True:
            message = await conversations.message(ANNA, work["conversation"], work["counter"])
            try:
                await conversations.replace(ANNA, replace(message, text=str(int(message.text) + 1)))
                break
            except PreconditionFailed:
                conflicts += 1
    return conflicts


async def append(conversations: CosmosConversationStore, work: dict[str, Any], who: str) -> None:
    """Say something in a conversation in which others talk, too."""
    conversation = await conversations.get(ANNA, work["conversation"])
    for number in range(MESSAGES):
        await conversations.append(ANNA, message_in(conversation, f"{who} {number}"))


async def main(url: str, name: str, who: str) -> None:
    """Do everything at once."""
    credential = FixedCredential()
    database = CosmosDatabase(url, name, credential=credential)
    conversations = CosmosConversationStore(database)
    sessions = CosmosSessionStore(database)
    usage = CosmosUsageStore(database, clock=lambda: NOON)
    print("ready", flush=True)  # noqa: T201 - the parent reads it
    work = json.loads(await asyncio.to_thread(sys.stdin.readline))

    async def take() -> list[str]:
        taken = [await sessions.take_sign_in(state, now=NOW) for state in work["states"]]
        return [pending.state_hash for pending in taken if pending is not None]

    _, conflicts, _, taken = await asyncio.gather(
        spend(usage), count_up(conversations, work), append(conversations, work, who), take()
    )
    keys = [f"{who}{number}" for number in range(5)]
    for key in keys:
        await sessions.put(replace(session(key), expires=NOW + timedelta(hours=12)))
    print(json.dumps({"conflicts": conflicts, "taken": taken, "keys": keys}), flush=True)  # noqa: T201 - a program: it answers so
    theirs = json.loads(await asyncio.to_thread(sys.stdin.readline))
    accepted = [await sessions.get(key) for key in theirs]
    print(sum(one is not None for one in accepted), flush=True)  # noqa: T201 - the parent reads it
    await usage.aclose()
    await database.aclose()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
