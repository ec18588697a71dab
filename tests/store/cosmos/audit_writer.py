"""A process that records until it is told to end or killed.

`python audit_writer.py URL DATABASE CERTIFICATE` prints `accepted N` when an event was taken and
`written N` when all up to it are in the store. At SIGTERM it closes as an application does.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from secure_openai.outbound import Outbound
from secure_openai.store.cosmos.audit import CosmosAuditStore
from secure_openai.store.cosmos.database import CosmosDatabase
from secure_openai.testing.audit_contract import event
from tests.cosmosdb.estate import FixedCredential


def say(word: str, number: int) -> None:
    """Tell the parent."""
    print(word, number, flush=True)  # noqa: T201 - the parent reads it


async def main(url: str, name: str, certificate: Path) -> None:
    """Record events, numbered from 0."""
    ending = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ending.set)
    database = CosmosDatabase(
        url,
        name,
        credential=FixedCredential(),
        outbound=Outbound(ca_bundle=certificate),
    )
    audit = await CosmosAuditStore.open(database.container("audit"))
    number = 0
    while not ending.is_set():
        audit.append(event(number))
        say("accepted", number)
        if number % 50 == 49:
            await audit.flush()
            say("written", number)
        number += 1
        await asyncio.sleep(0.001)
    await audit.aclose()
    await database.aclose()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
