"""From clone to first streamed answer: how long a newcomer takes, and what is asked on the way.

    python bench/newcomer.py

Clones this repository into an empty folder, types the README's first block, goes where a browser is
led and asks. What is typed and what must be chosen on the way is counted as it is done. What
downloads take depends on the line. Prints Markdown.
"""

from __future__ import annotations

import asyncio
import os
import re
import shlex
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

from secure_openai.testing.person import choose

ROOT = Path(__file__).parent.parent

PRESSED = re.compile(r"<button\b[^>]*\bname=")
"""A button that says something to whom the page is from."""

PERSON = "Uma"
QUESTION = "What is the capital of France?"
MOST_SECONDS = 900


def commands(readme: str) -> list[list[str]]:
    """Return what the README's first block types, in words."""
    (block,) = re.findall(r"```sh\n(.*?)```", readme, re.DOTALL)[:1]
    return [shlex.split(line) for line in block.splitlines()]


@contextmanager
def system(clone: Path, typed: list[list[str]], port: int) -> Iterator[None]:
    """Type commands in a clone, as a person would but without a browser; end when it is ready.

    Nobody is there to answer: what asks at the terminal reads an end of file, and nothing is ready.
    """
    environment = {key: os.environ[key] for key in ("HOME", "LANG", "PATH") if key in os.environ}
    *before, last = typed
    for words in before:
        subprocess.run(words, cwd=clone, env=environment, stdin=subprocess.DEVNULL, check=True)
    started = subprocess.Popen(
        [*last, f"ARGS=--no-browser --port {port}"],
        cwd=clone,
        env=environment,
        stdin=subprocess.DEVNULL,
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
            sys.exit(f"it ended with {started.returncode}")
        try:
            if httpx2.get(url).status_code == httpx2.codes.OK:
                return
        except httpx2.HTTPError:
            pass
        time.sleep(0.1)
    sys.exit(f"not ready after {MOST_SECONDS} seconds")


async def decided(http: httpx2.AsyncClient, url: str) -> list[str]:
    """Open the application as a browser does; return every choice on the way to its first page."""
    found: list[str] = []
    page = await http.get(url, headers={"Accept": "text/html"}, follow_redirects=True)
    while str(page.url).rstrip("/") != url:
        (title,) = re.findall(r"<h1[^>]*>(.*?)</h1>", page.text)
        found.append(f"{title} {len(PRESSED.findall(page.text))} buttons")
        page = await choose(http, page, PERSON)
    return found


async def ask(url: str) -> tuple[float, list[str]]:
    """Sign in and ask; return when the first piece of the answer came, and what was chosen."""
    async with httpx2.AsyncClient(
        headers={"Origin": url, "Sec-Fetch-Site": "same-origin"}, timeout=60
    ) as http:
        decisions = await decided(http, url)
        deployments = (await http.get(f"{url}/api/me")).json()["deployments"]
        begun = (await http.post(f"{url}/api/conversations", json={})).json()
        async with http.stream(
            "POST",
            f"{url}/api/conversations/{begun['id']}/messages",
            json={"text": QUESTION, "deployment": deployments[0]["name"]},
        ) as answer:
            async for line in answer.aiter_lines():
                if line == "event: delta":
                    return time.perf_counter(), decisions
    sys.exit("the answer had no text")


def main() -> None:
    """Measure, and print."""
    port = free_ports()
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        began = time.perf_counter()
        cloning = ["git", "clone", "--quiet", str(ROOT), str(clone)]
        subprocess.run(cloning, stdin=subprocess.DEVNULL, check=True)
        cloned = time.perf_counter()
        typed = commands((clone / "README.md").read_text("utf-8"))
        with system(clone, typed, port):
            ready = time.perf_counter()
            answered, decisions = asyncio.run(ask(f"http://localhost:{port}"))
    print("| step | seconds |\n| --- | --- |")
    print(f"| `git clone` | {cloned - began:.1f} |")
    shown = [shlex.join(words) for words in (cloning[:2], *typed)]
    print(f"| `{shown[-1]}`: install, unpack the model, start | {ready - cloned:.1f} |")
    print(f"| sign in, ask, first piece of the answer | {answered - ready:.1f} |")
    print(f"| **together** | **{answered - began:.1f}** |")
    print(f"\nCommands: {len(shown)} ({', '.join(shown)}); none asked anything, with nobody at the")
    print(f"terminal. Decisions: {len(decisions)} ({'; '.join(decisions)}).")


if __name__ == "__main__":
    main()
