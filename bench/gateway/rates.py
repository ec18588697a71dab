"""Requests a second, CPU a request, latency and memory, side by side."""

from __future__ import annotations

import json
import math
import statistics
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import sleep

import psutil

from bench.gateway.processes import LOAD_CORE
from bench.gateway.sides import MIDDLE, MODEL, Side

SCRIPT = Path(__file__).with_name("load.lua")
PROMPTS = {"small": 12, "100 kB": 100_000}
WARM_UP_SECONDS = 1
AT_REST = 0.1
"""Which part of a core a side takes at most that has nothing to do."""
CONNECTIONS = (1, MIDDLE, 256)
SLOW = 3
"""Times as long a side is asked that ends few requests a second."""


@dataclass(frozen=True)
class Figure:
    """One measurement of one side.

    Attributes:
        rate: Requests a second.
        cpu: Microseconds of the server's CPU time a request, 0 if it is not measured.
        p50: Milliseconds.
        p99: Milliseconds.
        memory: Resident megabytes at the end.
    """

    rate: float
    cpu: float
    p50: float
    p99: float
    memory: float


def body(folder: Path, kind: str, prompt: str, model: str) -> Path:
    """Return a file that holds a request."""
    path = folder / f"{kind}-{prompt}-{model}.json".replace(" ", "")
    text = "word " * (PROMPTS[prompt] // 5)
    asked = {
        "model": model,
        "messages": [{"role": "user", "content": text}],
        "stream": kind == "streamed",
        "max_completion_tokens": 64,
    }
    path.write_text(json.dumps(asked))
    return path


def measure(folder: Path, side: Side, prompt: str, connections: int, seconds: int) -> Figure:
    """Load one side for a while."""
    # LiteLLM asks one upstream for each model, and every other side has one model.
    model = f"{MODEL}-{side.kind}" if side.name == "LiteLLM" else MODEL
    command = [
        *("taskset", "-c", str(LOAD_CORE), "wrk", "-t1", f"-c{connections}"),
        *(f"-d{seconds}s", "--timeout", "20s", "-s", str(SCRIPT), side.url, "--"),
        *(str(body(folder, side.kind, prompt, model)), str(side.tokens), side.host or "-"),
        str(side.sent),
        "looked at" if side.judged else "passed over",
    ]
    before = _processor_seconds(side)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    after = _processor_seconds(side)
    said = json.loads(done.stdout.splitlines()[-1])
    _rest(side)
    # What is under way at the end was sent too.
    side.sent += said["requests"] + 2 * connections
    if said["failed"]:
        raise SystemExit(
            f"{side.name}, {side.kind}: {said['failed']} requests failed ({said['how']})"
        )
    # A slow side may not end one within the time: then nothing is known of a request.
    answered = said["requests"] or math.inf
    return Figure(
        rate=said["requests"] / said["seconds"],
        cpu=(after - before) / answered * 1e6,
        p50=said["p50"],
        p99=said["p99"],
        memory=0 if side.pid is None else psutil.Process(side.pid).memory_info().rss / 1e6,
    )


def _rest(side: Side) -> None:
    """Return when a side works no more on what it was asked, or in half a minute.

    A slow one has as many requests under way as connections, and the next side has the same core.
    """
    for _ in range(150):
        before = _processor_seconds(side)
        sleep(0.2)
        if _processor_seconds(side) - before < AT_REST * 0.2:
            return


def _processor_seconds(side: Side) -> float:
    if side.pid is None:
        return 0.0
    times = psutil.Process(side.pid).cpu_times()
    return float(times.user + times.system)


def rounds(
    folder: Path,
    every: list[Side],
    *,
    count: int,
    seconds: int,
    connections: tuple[int, ...],
    prompts: tuple[str, ...] = tuple(PROMPTS),
) -> Iterator[tuple[str, str, int, dict[str, Figure]]]:
    """Yield for each kind, prompt and number of connections each side's median figure.

    The sides take turns within each round, so that what else the machine does meets all of them.
    """
    for kind in dict.fromkeys(side.kind for side in every):
        for side in every:
            if side.kind == kind:
                measure(folder, side, prompts[0], MIDDLE, WARM_UP_SECONDS)
        for prompt in prompts:
            for number in connections:
                mine = [
                    side
                    for side in every
                    if side.kind == kind and number in (side.connections or connections)
                ]
                taken: dict[str, list[Figure]] = {side.name: [] for side in mine}
                for _ in range(count):
                    for side in mine:
                        time = seconds * (SLOW if side.name == "LiteLLM" else 1)
                        taken[side.name].append(measure(folder, side, prompt, number, time))
                yield kind, prompt, number, {n: median_of(f) for n, f in taken.items()}


def median_of(figures: list[Figure]) -> Figure:
    """Return the median of each figure."""
    return Figure(
        *(
            statistics.median(getattr(one, name) for one in figures)
            for name in ("rate", "cpu", "p50", "p99", "memory")
        )
    )
