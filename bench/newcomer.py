"""From clone to first streamed answer: how long a newcomer takes, and what is asked on the way.

    python bench/newcomer.py

Clones this repository into an empty folder, types the README's first command, signs in and asks.
What downloads take depends on the line. Prints Markdown.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.system import free_ports

from secure_openai.testing.person import sign_in

ROOT = Path(__file__).parent.parent

DECISIONS = ("which of three people to be",)
"""What a new user is asked on the way; everything else has a default."""

PERSON = "Uma"
QUESTION = "What is the capital of France?"
MOST_SECONDS = 900


@contextmanager
def system(clone: Path, port: int) -> Iterator[None]:
    """Run `make up` in a clone, as a person would but without a browser; end when it is ready."""
    environment = {key: os.environ[key] for key in ("HOME", "LANG", "PATH") if key in os.environ}
    started = subprocess.Popen(
        ["make", "up", f"ARGS=--no-browser --port {port}"],
        cwd=clone,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _await_ready(started, f"http://localhost:{port}/readyz")
        yield
    finally:
        os.killpg(started.pid, signal.SIGTERM)
        started.wait()


def _await_ready(started: subprocess.Popen[bytes], url: str) -> None:
    ends = time.monotonic() + MOST_SECONDS
    while time.monotonic() < ends:
        if started.poll() is not None:
            sys.exit(f"make up ended with {started.returncode}")
        try:
            if httpx2.get(url).status_code == httpx2.codes.OK:
                return
        except httpx2.HTTPError:
            pass
        time.sleep(0.1)
    sys.exit(f"not ready after {MOST_SECONDS} seconds")


async def ask(url: str) -> float:
    """Sign in and ask; return when the first piece of the answer came."""
    async with httpx2.AsyncClient(
        headers={"Origin": url, "Sec-Fetch-Site": "same-origin"}, timeout=60
    ) as http:
        await sign_in(http, url, PERSON)
        deployments = (await http.get(f"{url}/api/me")).json()["deployments"]
        begun = (await http.post(f"{url}/api/conversations", json={})).json()
        async with http.stream(
            "POST",
            f"{url}/api/conversations/{begun['id']}/messages",
            json={"text": QUESTION, "deployment": deployments[0]["name"]},
        ) as answer:
            async for line in answer.aiter_lines():
                if line == "event: delta":
                    return time.perf_counter()
    sys.exit("the answer had no text")


def main() -> None:
    """Measure, and print."""
    port = free_ports()
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        began = time.perf_counter()
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        cloned = time.perf_counter()
        with system(clone, port):
            ready = time.perf_counter()
            answered = asyncio.run(ask(f"http://localhost:{port}"))
    print("| step | seconds |\n| --- | --- |")
    print(f"| `git clone` | {cloned - began:.1f} |")
    print(f"| `make up`: install, unpack the model, start | {ready - cloned:.1f} |")
    print(f"| sign in, ask, first piece of the answer | {answered - ready:.1f} |")
    print(f"| **together** | **{answered - began:.1f}** |")
    print(f"\nCommands: 2. Decisions: {len(DECISIONS)} ({', '.join(DECISIONS)}).")


if __name__ == "__main__":
    main()
