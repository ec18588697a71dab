"""The sides of the comparison, each a server of its own on one core."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from tests.system import environment, free_ports, running

from bench.gateway.tokens import issuance, tokens
from bench.gateway.upstream import PASSING, nginx, static
from secure_openai.local.identity_provider.directory import TENANT_ID

SERVED_CORE, LOAD_CORE = 0, 1
"""What is measured has a core of its own; load and upstream share the other."""

KINDS = ("whole", "streamed")

MODEL = "local"
"""The deployment's name at the gateway, and the model's at every other side."""

COLD_TOKENS = 20_000
"""More than the gateway remembers: asked in turn, none is remembered when it comes again."""

READY_SECONDS = 60

UNBOUNDED = """
version = 1

[people.user]
deployments = ["*"]
requests_per_minute = 1_000_000_000
requests_per_day = 1_000_000_000_000
tokens_per_minute = 1_000_000_000_000
tokens_per_day = 1_000_000_000_000
largest_prompt_tokens = 1_000_000
largest_answer_tokens = 4_096
concurrent_streams = 100_000
"""
"""Everything is decided, counted and recorded; nothing is refused."""


@dataclass(frozen=True)
class Side:
    """A server to ask for one kind of answer.

    Attributes:
        name: What the table calls it.
        kind: `whole` or `streamed`.
        url: The address to ask, whole.
        tokens: A file of bearer tokens, one a line, sent in turn.
        pid: The process whose time and memory count, if one is measured.
        host: The Host to send, if not the address's own.
    """

    name: str
    kind: str
    url: str
    tokens: Path
    pid: int | None = None
    host: str = ""


@contextmanager
def sides(folder: Path, *, litellm: Path | None) -> Iterator[list[Side]]:
    """Start every side; yield them.

    Args:
        folder: An empty one.
        litellm: The environment in which LiteLLM's proxy is installed, if it is to be measured.
    """
    nothing = folder / "nobody"
    nothing.write_text("nobody\n")
    with ExitStack() as stack:
        upstream = stack.enter_context(static(folder, core=LOAD_CORE))
        found: list[Side] = []
        for kind in KINDS:
            direct = f"http://127.0.0.1:{upstream}/{kind}/chat/completions"
            found.append(Side("upstream alone", kind, direct, nothing))
        port = free_ports(1)
        servers = PASSING.format(port=port, target=upstream)
        pid = stack.enter_context(nginx(folder / "nginx", servers, core=SERVED_CORE))
        worker = _worker_of(pid)
        for kind in KINDS:
            url = f"http://127.0.0.1:{port}/{kind}/chat/completions"
            found.append(Side("nginx", kind, url, nothing, worker))
        port, pid = stack.enter_context(starlette(upstream))
        for kind in KINDS:
            url = f"http://127.0.0.1:{port}/{kind}/chat/completions"
            found.append(Side("Starlette", kind, url, nothing, pid))
        for kind in KINDS:
            found += stack.enter_context(gateway(folder / f"gateway-{kind}", upstream, kind))
        if litellm is not None:
            found += stack.enter_context(_litellm(folder, litellm, upstream))
        yield found


@contextmanager
def paced(chunks: int, every: float) -> Iterator[int]:
    """Serve streams at a steady pace from the load's core; yield the port."""
    port = free_ports(1)
    command = [sys.executable, "-m", "bench.gateway.upstream", *map(str, (port, chunks, every))]
    with _process(command, core=LOAD_CORE):
        _wait(f"http://127.0.0.1:{port}/", {})
        yield port


@contextmanager
def starlette(upstream: int) -> Iterator[tuple[int, int]]:
    port = free_ports(1)
    command = [
        *(sys.executable, "-m", "uvicorn", "bench.passthrough:app", "--port", str(port)),
        *("--log-level", "warning", "--no-access-log", "--loop", "uvloop"),
        *("--http", "httptools", "--backlog", "4096"),
    ]
    with _process(command, UPSTREAM=f"http://127.0.0.1:{upstream}") as pid:
        _wait(f"http://127.0.0.1:{port}/whole/chat/completions", {})
        yield port, pid


@contextmanager
def gateway(folder: Path, upstream: int, kind: str) -> Iterator[list[Side]]:
    """The gateway with everything on, asked with a warm token and with cold ones."""
    folder.mkdir()
    policy = folder / "policy.toml"
    policy.write_text(UNBOUNDED)
    model = f"http://127.0.0.1:{upstream}/{kind}"
    with running(folder / "data", model=model, SECURE_OPENAI_POLICY=str(policy)) as system:
        application = next(
            child
            for child in psutil.Process(system.process.pid).children()
            if "serve" in child.cmdline()
        )
        pin(application.pid, SERVED_CORE)
        made_by = issuance(f"{system.issuer}/{TENANT_ID}/v2.0", system.data)
        port = system.url.rpartition(":")[2]
        url = f"http://127.0.0.1:{port}/openai/v1/chat/completions"
        yield [
            Side(name, kind, url, _file(folder / name, made), application.pid, f"localhost:{port}")
            for name, made in {
                "gateway": tokens(made_by, 1),
                "gateway, cold tokens": tokens(made_by, COLD_TOKENS),
            }.items()
        ]


@contextmanager
def _litellm(folder: Path, installed: Path, upstream: int) -> Iterator[list[Side]]:
    """LiteLLM's proxy with one key and one deployment, as its quick start has it."""
    key, port = "sk-bench", free_ports(1)
    config = folder / "litellm.yaml"
    models = [
        {
            "model_name": f"{MODEL}-{kind}",
            "litellm_params": {
                "model": "openai/bench",
                "api_base": f"http://127.0.0.1:{upstream}/{kind}",
                "api_key": "none",
            },
        }
        for kind in KINDS
    ]
    # JSON is YAML too.
    config.write_text(json.dumps({"model_list": models, "general_settings": {"master_key": key}}))
    command = [
        *(str(installed / "bin" / "litellm"), "--config", str(config)),
        *("--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"),
    ]
    with _process(
        command,
        NO_DOCS="True",
        LITELLM_TELEMETRY="False",
        LITELLM_LOCAL_MODEL_COST_MAP="True",
        PATH=f"{installed / 'bin'}:{os.environ['PATH']}",
    ) as pid:
        url = f"http://127.0.0.1:{port}/v1/chat/completions"
        _wait(url, {"Authorization": f"Bearer {key}"})
        held = _file(folder / "litellm.key", [key])
        yield [Side("LiteLLM", kind, url, held, pid) for kind in KINDS]


@contextmanager
def _process(command: list[str], *, core: int = SERVED_CORE, **extra: str) -> Iterator[int]:
    """Run a server on a core; yield its process id."""
    process = subprocess.Popen(
        ["taskset", "-c", str(core), *command],
        env=environment(**extra),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def pin(pid: int, core: int) -> None:
    """Hold every thread of a process, and those to come, to one core."""
    for thread in psutil.Process(pid).threads():
        os.sched_setaffinity(thread.id, {core})


def _worker_of(pid: int) -> int:
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end:
        if children := psutil.Process(pid).children():
            return children[0].pid
        time.sleep(0.05)
    raise SystemExit("nginx did not start")


def _wait(url: str, headers: dict[str, str]) -> None:
    """Return once something answers at an address, whatever it answers."""
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end:
        request = urllib.request.Request(url, b"{}", headers)
        try:
            urllib.request.urlopen(request, timeout=2).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"nothing answers at {url}")


def _file(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines))
    return path
