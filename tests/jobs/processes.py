"""Jobs in processes of their own: killed in the middle, and run side by side."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.jobs.kept import Kept

ROOT = Path(__file__).parents[2]
DELETIONS = 4
"""So many conversations are deleted before a process is killed."""


def tell_deletions(kept: Kept) -> None:
    """Print a line for each conversation that is deleted from here on."""
    real = kept.conversations.delete

    async def delete(*arguments: Any, **options: Any) -> None:
        await real(*arguments, **options)
        print("deleted", flush=True)  # noqa: T201 - the parent reads it

    kept.conversations.delete = delete  # type: ignore[method-assign]


def killed(*arguments: str) -> int:
    """Run `python -m ARGUMENTS`, kill it in the middle; return how many deletions it told."""
    with _started(arguments) as process:
        assert process.stdout is not None
        seen = 0
        for _ in process.stdout:
            seen += 1
            if seen == DELETIONS:
                process.kill()
        return seen


def ended(*arguments: str) -> list[tuple[int, str]]:
    """Run it twice side by side; return how each ended, and what it complained of."""
    with _started(arguments) as first, _started(arguments) as second:
        outputs = [process.communicate(timeout=60) for process in (first, second)]
        return [
            (process.returncode, output[1])
            for process, output in zip((first, second), outputs, strict=True)
        ]


def _started(arguments: tuple[str, ...]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
