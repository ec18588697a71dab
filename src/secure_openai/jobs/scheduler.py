"""The jobs of a process that has no one else to run them: the laptop, and every embedded store."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from secure_openai.assembly import Assembly
from secure_openai.errors import StoreError
from secure_openai.jobs.seal import seal

logger = logging.getLogger(__name__)

MINUTE_SECONDS = 60.0
PURGE_SECONDS = 600.0


@asynccontextmanager
async def scheduled(assembly: Assembly) -> AsyncIterator[None]:
    """Seal the audit now and then and at the end, and drop sessions that have ended."""
    tasks = [
        asyncio.ensure_future(
            _repeat(assembly.settings.seal_minutes * MINUTE_SECONDS, _seal, assembly)
        ),
        asyncio.ensure_future(_repeat(PURGE_SECONDS, _purge, assembly)),
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await assembly.background.drain()
        await _seal(assembly)


async def _repeat(
    seconds: float, job: Callable[[Assembly], Awaitable[None]], assembly: Assembly
) -> None:
    while True:
        await asyncio.sleep(seconds)
        await job(assembly)


async def _seal(assembly: Assembly) -> None:
    try:
        await seal(assembly.audit, assembly.seals, assembly.signer)
    except StoreError:
        logger.exception("the audit could not be sealed")


async def _purge(assembly: Assembly) -> None:
    with suppress(StoreError):
        await assembly.sessions.purge()
