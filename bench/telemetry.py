"""What being observed costs: the application's CPU for each request, with and without an SDK.

    make bench

The gateway, not streamed and streamed, over the scripted model; the SDK sends to a stand-in of
Azure Monitor's ingestion on this machine. Rounds alternate, so that whatever else runs here is
shared.
Prints Markdown.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.azure_cli import AZ, stand_in
from tests.ingestion import ingesting
from tests.system import System, running
from tests.tls import make_tls

from bench.laptop import GENEROUS, application_token, load, row, scripted_server

ROUNDS = 7
REQUESTS = 400
BODY = {
    "model": "local",
    "messages": [{"role": "user", "content": "hello there, this is a short prompt"}],
}


@contextmanager
def systems(folder: Path) -> Iterator[dict[str, System]]:
    """Run a system without an SDK, and two with: one in twenty traced, and every request."""
    policy, commands = folder / "policy.toml", folder / "bin"
    policy.write_text(GENEROUS)
    commands.mkdir()
    stand_in(commands, "az", AZ)
    tls = make_tls(folder, "localhost")
    with ExitStack() as stack:
        direct = stack.enter_context(scripted_server())
        ingestion = stack.enter_context(ingesting(tls))
        common = {"SECURE_OPENAI_POLICY": str(policy)}
        sending = common | {
            "APPLICATIONINSIGHTS_CONNECTION_STRING": ingestion.connection_string,
            "PATH": f"{commands}:{os.environ['PATH']}",
            "SECURE_OPENAI_CA_BUNDLE": str(tls.ca),
        }
        settings = {
            "the API alone": common,
            "sent, 5 % traced": sending,
            "sent, all traced": sending | {"SECURE_OPENAI_TRACE_PERCENT": "100"},
        }
        yield {
            name: stack.enter_context(running(folder / name, model=direct, azure=False, **extra))
            for name, extra in settings.items()
        }


def application_of(system: System) -> psutil.Process:
    """Return the application's process."""
    children = psutil.Process(system.process.pid).children()
    return next(child for child in children if "serve" in child.cmdline())


def processor_seconds(process: psutil.Process) -> float:
    """Return what the threads of a process have run, by Linux's scheduler: to the microsecond."""
    tasks = Path(f"/proc/{process.pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


async def cost(system: System, *, stream: bool) -> float:
    """Return the application's CPU for a request, in microseconds."""
    headers = {"Authorization": f"Bearer {await application_token(system)}"}
    urls = [f"{system.openai_url}/chat/completions"] * REQUESTS
    application = application_of(system)
    before = processor_seconds(application)
    await load(urls, BODY | {"stream": stream}, headers)
    return (processor_seconds(application) - before) / REQUESTS * 1e6


def main() -> None:
    """Measure, and print a table."""
    folder = Path(tempfile.mkdtemp(prefix="secure-openai-telemetry-"))
    try:
        with systems(folder) as running_systems:
            found: dict[tuple[str, bool], list[float]] = {}
            for _ in range(ROUNDS):
                for name, system in running_systems.items():
                    for stream in (False, True):
                        used = asyncio.run(cost(system, stream=stream))
                        found.setdefault((name, stream), []).append(used)
    finally:
        shutil.rmtree(folder)
    row("observed", "gateway, whole, µs a request", "gateway, streamed, µs a request")
    row("---", "---", "---")
    for name in running_systems:
        medians = (statistics.median(found[name, stream][1:]) for stream in (False, True))
        row(name, *(f"{median:.0f}" for median in medians))


if __name__ == "__main__":
    main()
