"""Real processes that record in Cosmos DB: several at once, one that ends, one that is killed."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from secure_openai.store.cosmos.audit import CosmosAuditStore
from secure_openai.store.cosmos.database import CosmosDatabase
from secure_openai.store.verification import verify
from secure_openai.testing.audit_contract import no_seals
from tests.cosmosdb.bridge import Bridge
from tests.store.cosmos import audit_writer

pytestmark = pytest.mark.process


@dataclass
class Writer:
    """A process that records, and what it said."""

    process: asyncio.subprocess.Process
    said: dict[str, int] = field(default_factory=dict)

    async def until(self, word: str, number: int) -> None:
        """Return when it has said so."""
        while self.said.get(word, -1) < number:
            assert await self._line(), "the process ended"

    async def ended(self, how: signal.Signals) -> int:
        """End it and return its exit code."""
        self.process.send_signal(how)
        while await self._line():
            pass
        return await self.process.wait()

    async def _line(self) -> bool:
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        # What was cut off in the middle was not said.
        if line.endswith(b"\n"):
            word, number = line.decode().split()
            self.said[word] = int(number)
        return bool(line)


@asynccontextmanager
async def started(bridge: Bridge, name: str, certificate: Path) -> AsyncIterator[Writer]:
    """Run a process that records."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", audit_writer.__name__, bridge.url, name, str(certificate)),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(audit_writer.__file__).parents[3],
    )
    try:
        yield Writer(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def recorded(cosmos: CosmosDatabase) -> list[list[int]]:
    """Return the numbers in each chain, once all of it has been verified."""
    reader = await CosmosAuditStore.open(cosmos.container("audit"))
    report = await verify(reader, no_seals())
    assert report.found == ()
    found = []
    for head in await reader.heads():
        page = await reader.records(head.chain, limit=100_000)
        found.append([int(record.event.request_id or -1) for record in page.items])
    await reader.aclose()
    return found


async def test_an_orderly_end(
    bridge: Bridge, database_name: str, certificate: Path, cosmos: CosmosDatabase
) -> None:
    """At SIGTERM everything that was accepted is written, once and in order."""
    async with started(bridge, database_name, certificate) as writer:
        await writer.until("accepted", 130)
        assert await writer.ended(signal.SIGTERM) == 0

    assert await recorded(cosmos) == [list(range(writer.said["accepted"] + 1))]


async def test_a_sudden_end(
    bridge: Bridge, database_name: str, certificate: Path, cosmos: CosmosDatabase
) -> None:
    """After kill -9 all that was said to be written is there, and only the end is missing."""
    async with started(bridge, database_name, certificate) as writer:
        await writer.until("written", 149)
        await writer.ended(signal.SIGKILL)

    [numbers] = await recorded(cosmos)
    assert numbers == list(range(len(numbers)))
    # One more may have been accepted than could be said.
    assert writer.said["written"] < len(numbers) <= writer.said["accepted"] + 2


async def test_several_processes(
    bridge: Bridge, database_name: str, certificate: Path, cosmos: CosmosDatabase
) -> None:
    """Several processes at once write a chain each, whole and apart."""
    async with AsyncExitStack() as stack:
        writers = [
            await stack.enter_async_context(started(bridge, database_name, certificate))
            for _ in range(2)
        ]
        await asyncio.gather(*(writer.until("written", 49) for writer in writers))
        assert [await writer.ended(signal.SIGTERM) for writer in writers] == [0, 0]

    chains = await recorded(cosmos)
    assert sorted(chains) == sorted(list(range(writer.said["accepted"] + 1)) for writer in writers)
