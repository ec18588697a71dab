"""`secure-openai` as it is typed on a machine with the estate's settings."""

from __future__ import annotations

import asyncio
import sys

from tests.hosted.estate import Estate
from tests.system import environment


async def typed(estate: Estate, *arguments: str, **changes: str) -> tuple[int, str]:
    """Type a command; return its exit code and what it says."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "secure_openai.cli", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=environment(**{**estate.settings(), "COLUMNS": "200", "NO_COLOR": "1", **changes}),
    )
    async with asyncio.timeout(60):
        said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()
