"""A process that runs retention: `python -m tests.jobs.expiring KIND PLACE NAME DAYS`.

It prints a line for each conversation that was deleted.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

from secure_openai.jobs.retention import expire
from secure_openai.types import utc_now
from tests.jobs.kept import opened_cosmos, opened_sqlite
from tests.jobs.processes import tell_deletions


async def none() -> int:
    """Drop nothing."""
    return 0


async def main(kind: str, place: str, name: str, days: int) -> None:
    """Run the job as it would run after the retention."""
    opened = opened_sqlite(Path(place)) if kind == "sqlite" else opened_cosmos(place, name)
    async with opened as kept:
        tell_deletions(kept)
        await expire(
            kept.conversations,
            kept.audit,
            none,
            none,
            days=days,
            clock=lambda: utc_now() + timedelta(days=days + 1),
        )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
