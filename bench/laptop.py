"""What the laptop costs: time to ready, import, first token, each token, CPU for each request.

    make bench

Every comparison is made in one run against the model server called directly. Prints Markdown.
"""

from __future__ import annotations

import asyncio
import os
import platform
import secrets
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import httpx2
import psutil

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.system import System, environment, free_ports, running

from secure_openai.local.identity_provider.directory import DAEMON, TENANT_ID
from secure_openai.testing.person import sign_in

ROUNDS = 5
REQUESTS = 400
AT_ONCE = 8
PROMPT = "What is the capital of France? Answer in one sentence."

MODEL_KEY = secrets.token_urlsafe(32)
DIRECT = {"Authorization": f"Bearer {MODEL_KEY}"}
"""Only the application is answered: to be compared with it, the model server has a known key."""


def row(*cells: object) -> None:
    """Print a row of a table."""
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def seconds_of(command: list[str]) -> float:
    """Return how long a command takes."""
    began = time.perf_counter()
    subprocess.run(command, check=True, env=environment())
    return time.perf_counter() - began


def start_times(data: Path) -> list[float]:
    """Return how long `up` takes to be ready, with the model unpacked already."""
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        with running(data, model=""):
            times.append(time.perf_counter() - began)
    return times


async def application_token(system: System) -> str:
    """Return the demo application's access token, whose quota is the largest."""
    secret = (system.data / "identity" / "demo-application.secret").read_text()
    form = {
        "grant_type": "client_credentials",
        "client_id": DAEMON.client_id,
        "client_secret": secret,
    }
    async with httpx2.AsyncClient(trust_env=False) as http:
        answer = await http.post(f"{system.issuer}/{TENANT_ID}/oauth2/v2.0/token", data=form)
        return str(answer.json()["access_token"])


async def pieces(
    http: aiohttp.ClientSession,
    url: str,
    body: dict[str, Any],
    headers: dict[str, str],
    mark: bytes,
) -> AsyncIterator[float]:
    """Yield the time of each piece of text in a stream."""
    async with http.post(url, json=body, headers=headers) as response:
        response.raise_for_status()
        async for line in response.content:
            if mark in line:
                yield time.perf_counter()


async def conversations(http: httpx2.AsyncClient, count: int) -> list[str]:
    """Begin conversations; return where to ask in each: a long one would measure its length."""
    made = [await http.post("/api/conversations", json={"title": "b"}) for _ in range(count)]
    return [f"{http.base_url}/api/conversations/{one.json()['id']}/messages" for one in made]


async def stream_times(
    urls: list[str], body: dict[str, Any], headers: dict[str, str], mark: bytes
) -> tuple[float, float]:
    """Return the medians of the time to the first token and of the time for each one after."""
    first, each = [], []
    async with aiohttp.ClientSession() as http:
        for url in urls:
            began = time.perf_counter()
            times = [at async for at in pieces(http, url, body, headers, mark)]
            first.append(times[0] - began)
            each.append((times[-1] - times[0]) / max(1, len(times) - 1))
    return statistics.median(first[1:]), statistics.median(each[1:])


async def overheads(system: System) -> None:
    """Print first token and each token: direct, through the gateway, through the chat."""
    messages = [{"role": "user", "content": PROMPT}]
    port = int(system.url.rsplit(":", 1)[1])
    direct = f"http://127.0.0.1:{port + 2}/v1/chat/completions"
    token = await application_token(system)
    body = {"model": "local", "messages": messages, "stream": True, "temperature": 0}
    bearer = {"Authorization": f"Bearer {token}"}
    delta = b'"content":"'
    results = {
        "model server, directly": await stream_times([direct] * (ROUNDS + 1), body, DIRECT, delta),
        "through the gateway": await stream_times(
            [f"{system.openai_url}/chat/completions"] * (ROUNDS + 1), body, bearer, delta
        ),
    }
    async with httpx2.AsyncClient(base_url=system.url, trust_env=False) as http:
        own = {"Origin": system.url, "Sec-Fetch-Site": "same-origin"}
        http.headers |= own
        await sign_in(http, system.url, "Ada")
        cookie = f"secure_openai_session={http.cookies['secure_openai_session']}"
        results["through the chat"] = await stream_times(
            await conversations(http, ROUNDS + 1),
            {"text": PROMPT, "deployment": "local"},
            own | {"Cookie": cookie},
            b'data: {"text":',
        )
    row("way", "first token, ms", "each token, ms")
    row("---", "---", "---")
    for name, (first, each) in results.items():
        row(name, f"{first * 1000:.1f}", f"{each * 1000:.1f}")


@contextmanager
def scripted_server() -> Iterator[str]:
    """Serve the scripted model in a process of its own."""
    port = free_ports(1)
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "uvicorn", "--factory", "--log-level", "warning"),
            *("--no-access-log", "--port", str(port)),
            "secure_openai.model.scripted_server:scripted_model_app",
        ],
        env=environment(),
    )
    try:
        time.sleep(1.5)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait()


async def load(
    urls: list[str], body: dict[str, Any], headers: dict[str, str]
) -> tuple[float, float]:
    """Send a request to each, some at once; return requests a second and the median latency."""
    latencies: list[float] = []
    waiting = iter(urls)

    async with aiohttp.ClientSession() as http:

        async def worker() -> None:
            for url in waiting:
                began = time.perf_counter()
                async with http.post(url, json=body, headers=headers) as response:
                    await response.read()
                    response.raise_for_status()
                latencies.append(time.perf_counter() - began)

        began = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
        elapsed = time.perf_counter() - began
    return REQUESTS / elapsed, statistics.median(latencies)


async def processor_times(system: System, direct: str) -> None:
    """Print requests a second, latency and the application's CPU for each request, by door."""
    application = next(
        child
        for child in psutil.Process(system.process.pid).children()
        if "serve" in child.cmdline()
    )
    token = await application_token(system)
    bearer = {"Authorization": f"Bearer {token}"}
    messages = [{"role": "user", "content": "hello there, this is a short prompt"}]
    ways: list[tuple[str, list[str], dict[str, Any], dict[str, str]]] = []
    for stream in (False, True):
        body = {"model": "local", "messages": messages, "stream": stream}
        kind = "streamed" if stream else "whole"
        directly = [f"{direct}/chat/completions"] * REQUESTS
        ways.append((f"model server, directly, {kind}", directly, body, {}))
        gateway = [f"{system.openai_url}/chat/completions"] * REQUESTS
        ways.append((f"gateway, {kind}", gateway, body, bearer))
    async with httpx2.AsyncClient(base_url=system.url, trust_env=False) as http:
        own = {"Origin": system.url, "Sec-Fetch-Site": "same-origin"}
        http.headers |= own
        await sign_in(http, system.url, "Ada")
        cookie = {"Cookie": f"secure_openai_session={http.cookies['secure_openai_session']}"}
        chat = await conversations(http, REQUESTS)
        question = {"text": "hello there, this is a short prompt", "deployment": "local"}
        ways.append(("chat, streamed and kept", chat, question, own | cookie))
        row("way", "requests/s", "median latency, ms", "application CPU, µs a request")
        row("---", "---", "---", "---")
        for name, urls, body, headers in ways:
            before = sum(application.cpu_times()[:2])
            rate, latency = await load(urls, body, headers)
            used = sum(application.cpu_times()[:2]) - before
            cpu = "" if urls[0].startswith(direct) else f"{used / REQUESTS * 1e6:.0f}"
            row(name, f"{rate:.0f}", f"{latency * 1000:.1f}", cpu)


GENEROUS = """version = 1
[people.admin]
deployments = ["*"]
requests_per_minute = 1_000_000
requests_per_day = 1_000_000_000
tokens_per_minute = 1_000_000_000
tokens_per_day = 1_000_000_000
largest_prompt_tokens = 1_000_000
largest_answer_tokens = 8_192
concurrent_streams = 1_000
[applications.service]
deployments = ["*"]
requests_per_minute = 1_000_000
requests_per_day = 1_000_000_000
tokens_per_minute = 1_000_000_000
tokens_per_day = 1_000_000_000
largest_prompt_tokens = 1_000_000
largest_answer_tokens = 8_192
concurrent_streams = 1_000
"""


def main() -> None:
    """Measure, and print tables."""
    folder = Path(tempfile.mkdtemp(prefix="secure-openai-bench-"))
    policy = folder / "policy.toml"
    policy.write_text(GENEROUS)
    try:
        memory = psutil.virtual_memory().total / 2**30
        print(
            f"{platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB, "
            f"Python {platform.python_version()}, {platform.system()}; medians of {ROUNDS}\n"
        )
        row("what", "seconds", "goal")
        row("---", "---", "---")
        data = folder / "data"
        with running(data, model=""):
            pass
        times = start_times(data)
        row("`up` to ready, model unpacked", f"{statistics.median(times):.2f}", "5")
        empty = statistics.median(seconds_of([sys.executable, "-c", "pass"]) for _ in range(ROUNDS))
        imported = statistics.median(
            seconds_of([sys.executable, "-c", "import secure_openai.app"]) for _ in range(ROUNDS)
        )
        row("import of the application", f"{imported - empty:.2f}", "1")
        print("\nThe small local model:\n")
        key = MODEL_KEY
        with running(
            data, model="", SECURE_OPENAI_POLICY=str(policy), SECURE_OPENAI_MODEL_KEY=key
        ) as system:
            asyncio.run(overheads(system))
        print(f"\nThe scripted model, {REQUESTS} requests, {AT_ONCE} at once:\n")
        with (
            scripted_server() as direct,
            running(folder / "scripted", model=direct, SECURE_OPENAI_POLICY=str(policy)) as system,
        ):
            asyncio.run(processor_times(system, direct))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
