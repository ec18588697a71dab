"""Programs in environments of their own, told an address and a token."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from tests.world import World

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PYTHON = ROOT / ".clients" / "bin" / "python"
SCHEMATHESIS = ROOT / ".clients" / "schemathesis" / "bin" / "python"
NODE = Path(sys.prefix) / "bin" / "node"
TEXT = "You said: hello there"
"""What the scripted model answers to "hello there"."""


async def told(world: World, *command: str | Path, **more: str) -> str:
    """Run a program and return what it prints."""
    token = world.token("Uma")
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        # What a program keeps it keeps there: none of it is ours.
        cwd=world.settings.data.parent,
        env={
            "PATH": os.defpath,
            "HOME": str(world.settings.data.parent),
            "GATEWAY": world.url,
            "TOKEN": token,
            "NO_PROXY": "localhost",
            **more,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, problems = await process.communicate()
    assert process.returncode == 0, problems.decode()[-3000:]
    assert token not in problems.decode()
    return out.decode()
