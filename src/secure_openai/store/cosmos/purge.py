"""Items of principals whose time has passed, dropped a hundred at a time."""

from __future__ import annotations

from datetime import datetime

from secure_openai.errors import NotFound, PreconditionFailed
from secure_openai.store.cosmos.container import ETAG, Container
from secure_openai.store.documents import time_text

PURGED_AT_ONCE = 100


async def purged(container: Container, query: str, *, before: datetime) -> int:
    """Drop what a query finds that lies in a principal's partition; return how many.

    One that was written since it was found is not dropped.

    Args:
        container: Where.
        query: Has `@before`, and finds whole items.
        before: What it is asked with.
    """
    count = 0
    while True:
        found = await container.query(query, {"before": time_text(before)}, limit=PURGED_AT_ONCE)
        dropped = 0
        for item in found:
            try:
                await container.delete(item["id"], item["principal"], etag=item[ETAG])
            except (NotFound, PreconditionFailed):
                continue
            dropped += 1
        count += dropped
        if not dropped:
            return count
