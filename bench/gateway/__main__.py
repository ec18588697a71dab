"""`make bench-gateway`: the gateway against its limit and its peers, all in one run.

    python -m bench.gateway [rates] [first-byte] [streams] [records] [principals] [attacks]
    python -m bench.gateway rates --rounds 5 --seconds 2 --connections 1,32,256 --litellm ENV
    python -m bench.gateway rates --kinds streamed --prompts small
    python -m bench.gateway records principals --records 100000 --principals 10000

Needs nginx, wrk and taskset on the PATH. Prints Markdown. The gateway has everything on: it
validates the token, decides, counts, records, and sends its metrics and 5 % of its traces.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from functools import partial
from importlib.metadata import version
from operator import attrgetter
from pathlib import Path

from bench.gateway.attacks import beside_attacks
from bench.gateway.flatness import by_principals, by_records
from bench.gateway.ingestion import Ingestion, ingesting
from bench.gateway.processes import LOAD_CORE, pin
from bench.gateway.rates import CONNECTIONS, PROMPTS, Figure, body, measure, rounds
from bench.gateway.sides import KINDS, Side, gateway, paced, sides, starlette
from bench.gateway.streams import Told, at_once, first_bytes, percentile
from bench.gateway.upstream import missing, static

LIMIT = "Starlette"
PARTS = ("rates", "first-byte", "streams", "records", "principals", "attacks")
FIRST_BYTE_SECONDS = 15.0
SHARE = 0.3
STREAMS, CHUNKS, EVERY, BEGIN_SECONDS = 1_000, 600, 0.1, 10.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.gateway")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=1)
    parser.add_argument("--connections", type=_numbers, default=tuple(CONNECTIONS))
    parser.add_argument("--litellm", type=Path, help="an environment with litellm[proxy] in it")
    parser.add_argument("--kinds", type=partial(_some, KINDS), default=tuple(KINDS))
    parser.add_argument("--prompts", type=partial(_some, PROMPTS), default=tuple(PROMPTS))
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--principals", type=int, default=100_000)
    parser.add_argument("--unsent", action="store_true", help="also with nothing exported")
    given = parser.parse_args()
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}: write {', '.join(PARTS)}")
    if lacking := missing():
        raise SystemExit(f"install {', '.join(lacking)} first")
    print(_machine(given.litellm), flush=True)
    parts = given.parts or PARTS
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        if "rates" in parts or "first-byte" in parts:
            with sides(folder, litellm=given.litellm, kinds=given.kinds, unsent=given.unsent) as (
                every,
                ingestion,
            ):
                if "rates" in parts:
                    _rates(folder, every, given)
                if "first-byte" in parts:
                    _first_bytes(folder, every, given.rounds)
                _sent(ingestion)
        if "streams" in parts:
            _streams(folder)
        if "attacks" in parts:
            _attacked(folder)
        if "records" in parts or "principals" in parts:
            _flat(folder, parts, given)


def _some(known: Iterable[str], text: str) -> tuple[str, ...]:
    """Return the names in a list with commas, all of which are known."""
    names = tuple(text.split(","))
    if unknown := set(names) - set(known):
        raise argparse.ArgumentTypeError(
            f"there is no {', '.join(sorted(unknown))}: write {', '.join(known)}"
        )
    return names


def _numbers(text: str) -> tuple[int, ...]:
    """Return the numbers in a list with commas."""
    try:
        return tuple(map(int, text.split(",")))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is no list of numbers: write 1,32") from None


def _rates(folder: Path, every: list[Side], given: argparse.Namespace) -> None:
    for kind, prompt, number, found in rounds(
        folder,
        every,
        count=given.rounds,
        seconds=given.seconds,
        connections=given.connections,
        prompts=given.prompts,
    ):
        plural = "" if number == 1 else "s"
        print(f"\n{kind}, {prompt} prompt, {number} connection{plural}:\n")
        _table(found)


def _flat(folder: Path, parts: Sequence[str], given: argparse.Namespace) -> None:
    (folder / "flat").mkdir()
    with ExitStack() as stack:
        upstream = stack.enter_context(static(folder / "flat", core=LOAD_CORE))
        ingestion = stack.enter_context(ingesting(folder / "flat" / "ingestion"))
        if "records" in parts:
            found = by_records(
                folder, upstream, ingestion.settings, records=given.records, count=given.rounds
            )
            print("\nthe store fills; whole answers, small prompt, 32 connections:\n")
            _rows(found)
        if "principals" in parts:
            found = by_principals(
                folder,
                upstream,
                ingestion.settings,
                principals=given.principals,
                count=given.rounds,
            )
            print("\nthose who ask become many; the same:\n")
            _rows(found)


def _attacked(folder: Path) -> None:
    place = folder / "attacked"
    place.mkdir()
    with ExitStack() as stack:
        pin(os.getpid(), LOAD_CORE)
        upstream = stack.enter_context(static(place, core=LOAD_CORE))
        side = stack.enter_context(gateway(place / "gateway", upstream, "whole"))
        told = beside_attacks(folder, side)
    print("\nwhole answers, small prompt, 4 connections, beside attacks:\n")
    _rows(told.figures)
    print(f"\nthe gateway's memory at most: {told.memory:.0f} MB\n")
    print("| attack | answered | times |\n| --- | --- | --- |")
    for kind, statuses in sorted(told.statuses.items()):
        print(f"| {kind} | {', '.join(statuses)} | {sum(statuses.values())} |", flush=True)


def _sent(ingestion: Ingestion) -> None:
    """Say what the gateway's exporters have sent; a gateway that sent nothing was not measured."""
    taken = ingestion.taken()
    if not (taken.get("RequestData") and taken.get("MetricData")):
        raise SystemExit(f"the gateway's observations did not arrive: {taken}")
    print(f"\nsent to Azure Monitor meanwhile: {taken}", flush=True)


def _first_bytes(folder: Path, every: list[Side], count: int) -> None:
    mine = [
        side
        for side in every
        if side.kind == "streamed" and side.name in {LIMIT, "gateway"} and side.pid is not None
    ]
    limit = next(side for side in mine if side.name == LIMIT)
    rate = SHARE * measure(folder, limit, "small", 32, 3).rate
    asked = body(folder, "streamed", "small", "local").read_bytes()
    pin(os.getpid(), LOAD_CORE)
    for side in mine:
        # What has just started is slower: the rates are measured after some seconds, too.
        first_bytes(side, asked, rate=rate, seconds=FIRST_BYTE_SECONDS, keeps=True)
    for keeps in (True, False):
        how = "connections that are kept" if keeps else "a connection for each"
        print(f"\nfirst byte of a stream, open loop, {rate:.0f} a second, {how}:\n", flush=True)
        told: dict[str, list[Told]] = {side.name: [] for side in mine}
        for _ in range(count):
            for side in mine:
                one = first_bytes(side, asked, rate=rate, seconds=FIRST_BYTE_SECONDS, keeps=keeps)
                told[side.name].append(one)
        _told(told, "first byte", attrgetter("first"))


def _streams(folder: Path) -> None:
    print(f"\n{STREAMS} streams at once, an event every {EVERY:g} s:\n", flush=True)
    told: dict[str, list[Told]] = {}
    with ExitStack() as stack:
        pin(os.getpid(), LOAD_CORE)
        upstream = stack.enter_context(paced(CHUNKS, EVERY))
        nothing = folder / "no-one"
        nothing.write_text("nobody\n")
        with starlette(upstream) as (port, pid):
            url = f"http://127.0.0.1:{port}/streamed/chat/completions"
            side = Side(LIMIT, "streamed", url, nothing, pid)
            told[LIMIT] = [_held(folder, side)]
        ingestion = stack.enter_context(ingesting(folder / "paced-ingestion"))
        with gateway(folder / "paced", upstream, "streamed", ingestion.settings) as side:
            told["gateway"] = [_held(folder, side)]
    _told(told, "event late", attrgetter("late"))


def _held(folder: Path, side: Side) -> Told:
    asked = body(folder, "streamed", "small", "local").read_bytes()
    return at_once(side, asked, count=STREAMS, begin_seconds=BEGIN_SECONDS)


def _told(told: dict[str, list[Told]], what: str, values: Callable[[Told], list[float]]) -> None:
    """Print the medians of what each side's rounds showed, and how much there was of it."""
    row = "| {:<10} | {:>6} | {:>6} | {:>16} | {:>16} | {:>20} | {:>6} |"
    head = (f"{what} {part}, ms" for part in ("p50", "p99"))
    print(row.format("side", "ended", "broken", *head, "client late p99, ms", "MB"))
    print(row.format(*("---",) * 7))
    for name, rounds_of in told.items():
        found, lag = [values(one) for one in rounds_of], [one.lag for one in rounds_of]
        cells = (
            sum(one.ended for one in rounds_of),
            sum(one.broken for one in rounds_of),
            _median(found, 0.5),
            _median(found, 0.99),
            _median(lag, 0.99),
            f"{max(one.memory for one in rounds_of):.0f}",
        )
        print(row.format(name, *cells), flush=True)
        for reason, number in sum((one.reasons for one in rounds_of), Counter()).items():
            print(f"{number} broke: {reason}", file=sys.stderr)


def _median(rounds_of: list[list[float]], part: float) -> str:
    """Return the median of the rounds' percentiles; nothing where no round has values."""
    found = [percentile(values, part) for values in rounds_of if values]
    return f"{statistics.median(found):.2f}" if found else ""


def _table(found: dict[str, Figure]) -> None:
    """Print what each side showed, and its share of the limit."""
    limit = found[LIMIT]
    _rows(
        found,
        "CPU, Starlette's part",
        {name: f"{limit.cpu / one.cpu:.2f}" if one.cpu else "" for name, one in found.items()},
    )
    if "LiteLLM" in found and found["LiteLLM"].rate:
        times = found["gateway"].rate / found["LiteLLM"].rate
        print(f"\nthe gateway answers {times:.0f} times as many requests a second as LiteLLM")


def _rows(found: dict[str, Figure], more: str = "", told: dict[str, str] | None = None) -> None:
    row = "| {:<52} | {:>10} | {:>17} | {:>8} | {:>8} | {:>6} |" + (" {:>21} |" if more else "")
    head = ("side", "requests/s", "CPU, us a request", "p50, ms", "p99, ms", "MB", more)
    print(row.format(*head))
    print(row.format(*("---",) * 7))
    for name, one in found.items():
        cpu = f"{one.cpu:,.0f}" if one.cpu else ""
        memory = f"{one.memory:.0f}" if one.memory else ""
        cells = (f"{one.rate:,.0f}", cpu, f"{one.p50:.2f}", f"{one.p99:.2f}", memory)
        print(row.format(name, *cells, (told or {}).get(name, "")), flush=True)


def _machine(litellm: Path | None) -> str:
    parts = [
        f"{platform.machine()}, Python {platform.python_version()}, {platform.system()}",
        *(f"{name} {version(name)}" for name in ("uvicorn", "starlette", "aiohttp")),
        subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True)
        .stderr.strip()
        .removeprefix("nginx version: "),
    ]
    if litellm is not None:
        command = [
            str(litellm / "bin" / "python"),
            "-c",
            "from importlib.metadata import version; print('litellm', version('litellm'))",
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        parts.append(done.stdout.strip())
    return "; ".join(parts)


if __name__ == "__main__":
    main()
