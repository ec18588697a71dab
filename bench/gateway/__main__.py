"""`make bench-gateway`: the gateway against its limit and its peers, all in one run.

    python -m bench.gateway [--rounds 5] [--seconds 2] [--connections 1,32,256] [--litellm ENV]

Needs nginx, wrk and taskset on the PATH. Prints Markdown.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import tempfile
from importlib.metadata import version
from pathlib import Path

from bench.gateway.rates import CONNECTIONS, Figure, rounds
from bench.gateway.sides import sides
from bench.gateway.upstream import missing

LIMIT = "Starlette"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.gateway")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--connections", default=",".join(map(str, CONNECTIONS)))
    parser.add_argument("--litellm", type=Path, help="an environment with litellm[proxy] in it")
    given = parser.parse_args()
    if lacking := missing():
        raise SystemExit(f"install {', '.join(lacking)} first")
    print(_machine(given.litellm), flush=True)
    connections = tuple(map(int, given.connections.split(",")))
    with (
        tempfile.TemporaryDirectory() as made,
        sides(Path(made), litellm=given.litellm) as every,
    ):
        for kind, prompt, number, found in rounds(
            Path(made), every, count=given.rounds, seconds=given.seconds, connections=connections
        ):
            plural = "" if number == 1 else "s"
            print(f"\n{kind}, {prompt} prompt, {number} connection{plural}:\n")
            _table(found)


def _table(found: dict[str, Figure]) -> None:
    row = "| {:<22} | {:>10} | {:>7} | {:>8} | {:>8} | {:>6} | {:>9} |"
    print(row.format("side", "requests/s", "CPU, us", "p50, ms", "p99, ms", "MB", "CPU ratio"))
    print(row.format(*("---",) * 7))
    limit = found[LIMIT].cpu
    for name, one in found.items():
        cpu = f"{one.cpu:.0f}" if one.cpu else ""
        ratio = f"{limit / one.cpu:.2f}" if one.cpu else ""
        memory = f"{one.memory:.0f}" if one.memory else ""
        print(
            row.format(
                name, f"{one.rate:.0f}", cpu, f"{one.p50:.2f}", f"{one.p99:.2f}", memory, ratio
            ),
            flush=True,
        )


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
