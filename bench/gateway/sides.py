"""The sides of the comparison, each a server of its own on one core."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import psutil
from tests.system import free_ports, running

from bench.gateway.ingestion import Ingestion, ingesting
from bench.gateway.processes import LOAD_CORE, SERVED_CORE, pin, process, wait, worker_of
from bench.gateway.tokens import tokens
from bench.gateway.upstream import PASSING, nginx, static
from secure_openai.local.identity_provider.directory import TENANT_ID

KINDS = ("whole", "streamed")

MIDDLE = 32
"""The number of connections at which every side is asked."""

MODEL = "local"
"""The deployment's name at the gateway, and the model's at every other side."""

COLD_TOKENS = 16_000
"""None is sent twice: each run goes on where the last one of its side ended."""

RETURNING = 100
"""Those who come back with another token: each is noted once, and then known."""

COLD = "gateway, cold tokens"
FIRST = "gateway, cold tokens, each of a principal never seen"

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


@dataclass
class Side:
    """A server to ask for one kind of answer.

    Attributes:
        name: What the table calls it.
        kind: `whole` or `streamed`.
        url: The address to ask, whole.
        tokens: A file of bearer tokens, one a line, sent in turn.
        pid: The process whose time and memory count, if one is measured.
        host: The Host to send, if not the address's own.
        connections: How many it is asked with, if not every number.
        sent: How many requests it was sent.
        judged: Whether every answer that is no 200 is told, with its code.
    """

    name: str
    kind: str
    url: str
    tokens: Path
    pid: int | None = None
    host: str = ""
    connections: tuple[int, ...] = ()
    sent: int = 0
    judged: bool = False


@contextmanager
def sides(
    folder: Path, *, litellm: Path | None, kinds: tuple[str, ...], unsent: bool = False
) -> Iterator[tuple[list[Side], Ingestion]]:
    """Start every side; yield them, and where the gateway's observations go.

    Args:
        folder: An empty one.
        kinds: Which answers to ask for.
        unsent: Whether there is a gateway, too, that keeps its observations to itself.
        litellm: The environment in which LiteLLM's proxy is installed, if it is to be measured.
    """
    nothing = folder / "nobody"
    nothing.write_text("nobody\n")
    with ExitStack() as stack:
        upstream = stack.enter_context(static(folder, core=LOAD_CORE))
        ingestion = stack.enter_context(ingesting(folder / "ingestion"))
        found: list[Side] = []
        for kind in kinds:
            direct = f"http://127.0.0.1:{upstream}/{kind}/chat/completions"
            found.append(Side("upstream alone", kind, direct, nothing, connections=(MIDDLE,)))
        port = free_ports(1)
        servers = PASSING.format(port=port, target=upstream)
        pid = stack.enter_context(nginx(folder / "nginx", servers, core=SERVED_CORE))
        worker = worker_of(pid)
        for kind in kinds:
            url = f"http://127.0.0.1:{port}/{kind}/chat/completions"
            found.append(Side("nginx", kind, url, nothing, worker, connections=(MIDDLE,)))
        port, pid = stack.enter_context(starlette(upstream))
        for kind in kinds:
            url = f"http://127.0.0.1:{port}/{kind}/chat/completions"
            found.append(Side("Starlette", kind, url, nothing, pid))
        for kind in kinds:
            place = folder / f"gateway-{kind}"
            side = stack.enter_context(gateway(place, upstream, kind, ingestion.settings))
            cold = cold_tokens(place, side, principals=RETURNING)
            first = cold_tokens(place, side)
            found += [
                side,
                replace(side, name=COLD, tokens=cold, connections=(MIDDLE,)),
                replace(side, name=FIRST, tokens=first, connections=(MIDDLE,)),
            ]
            if unsent:
                alone = stack.enter_context(gateway(folder / f"unsent-{kind}", upstream, kind))
                found.append(replace(alone, name="gateway, nothing sent", connections=(MIDDLE,)))
        if litellm is not None:
            made = stack.enter_context(_litellm(folder, litellm, upstream))
            found += [side for side in made if side.kind in kinds]
        yield found, ingestion


@contextmanager
def paced(chunks: int, every: float) -> Iterator[int]:
    """Serve streams at a steady pace from the load's core; yield the port."""
    port = free_ports(1)
    command = [sys.executable, "-m", "bench.gateway.upstream", *map(str, (port, chunks, every))]
    with process(command, core=LOAD_CORE):
        wait(f"http://127.0.0.1:{port}/", {})
        yield port


@contextmanager
def starlette(upstream: int) -> Iterator[tuple[int, int]]:
    port = free_ports(1)
    command = [
        *(sys.executable, "-m", "uvicorn", "bench.passthrough:app", "--port", str(port)),
        *("--log-level", "warning", "--no-access-log", "--loop", "uvloop"),
        *("--http", "httptools", "--backlog", "4096"),
    ]
    with process(command, UPSTREAM=f"http://127.0.0.1:{upstream}") as pid:
        wait(f"http://127.0.0.1:{port}/whole/chat/completions", {})
        yield port, pid


@contextmanager
def gateway(
    folder: Path, upstream: int, kind: str, settings: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Side]:
    """The gateway, asked with one token that it remembers.

    Args:
        folder: Where it is kept; one that holds its data already is taken as it is.
        upstream: The model's port.
        kind: `whole` or `streamed`.
        settings: What it does besides deciding, counting and recording: sending observations.
    """
    folder.mkdir(exist_ok=True)
    policy = folder / "policy.toml"
    policy.write_text(UNBOUNDED)
    model = f"http://127.0.0.1:{upstream}/{kind}"
    named = {"SECURE_OPENAI_POLICY": str(policy), **settings}
    with running(folder / "data", model=model, azure=False, **named) as system:
        application = next(
            child
            for child in psutil.Process(system.process.pid).children()
            if "serve" in child.cmdline()
        )
        pin(application.pid, SERVED_CORE)
        port = system.url.rpartition(":")[2]
        url = f"http://127.0.0.1:{port}/openai/v1/chat/completions"
        issuer = f"{system.issuer}/{TENANT_ID}/v2.0"
        (folder / "issuer").write_text(issuer)
        warm = _file(folder / "warm", tokens(issuer, system.data, 1))
        yield Side("gateway", kind, url, warm, application.pid, f"localhost:{port}", judged=True)


def cold_tokens(
    folder: Path, side: Side, count: int = COLD_TOKENS, *, principals: int | None = None
) -> Path:
    """Return a file of tokens that the gateway in a folder has never seen; see `tokens`."""
    made = tokens((folder / "issuer").read_text(), folder / "data", count, principals=principals)
    return _file(folder / f"cold-{count}-{principals or count}-{side.kind}", made)


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
    with process(
        command,
        NO_DOCS="True",
        LITELLM_TELEMETRY="False",
        LITELLM_LOCAL_MODEL_COST_MAP="True",
        PATH=f"{installed / 'bin'}:{os.environ['PATH']}",
    ) as pid:
        url = f"http://127.0.0.1:{port}/v1/chat/completions"
        wait(url, {"Authorization": f"Bearer {key}"})
        held = _file(folder / "litellm.key", [key])
        yield [Side("LiteLLM", kind, url, held, pid) for kind in KINDS]


def _file(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines))
    return path
