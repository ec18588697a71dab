"""The whole system as a person starts it: `secure-openai up`, in a folder of its own."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

READY_SECONDS = 60


@dataclass(frozen=True)
class Place:
    """Where people go, whatever runs there.

    Attributes:
        url: Of the application.
        issuer: Where they sign in.
    """

    url: str
    issuer: str


@dataclass(frozen=True)
class System(Place):
    """A running system.

    Attributes:
        data: The data folder.
        process: `secure-openai up` itself.
    """

    data: Path
    process: subprocess.Popen[str]

    @property
    def openai_url(self) -> str:
        """Return the base address for OpenAI clients."""
        return f"{self.url}/openai/v1"


_FIRST, _SLICE, _SLICES = 12_000, 600, 30
# Below the range from which the kernel takes the ports of outgoing connections: whoever polls a
# port in that range before it is served may connect to himself. A process takes its ports from a
# slice of its own, one after the other: what it finds free, another must not take before it is
# served.
_following = itertools.cycle(range(_SLICE))


def free_ports(count: int = 3) -> int:
    """Return the first of `count` neighbouring ports that are free on loopback."""
    begin = _FIRST + _SLICE * (os.getpid() % _SLICES)
    for _ in range(_SLICE):
        first = begin + next(_following)
        try:
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            continue
        for _ in range(count - 1):
            next(_following)
        return first
    raise AssertionError("no free neighbouring ports")


def environment(**extra: str) -> dict[str, str]:
    """Return this process's environment without settings of ours."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith("SECURE_OPENAI_")
    }
    return kept | extra


@contextmanager
def running(
    data: Path,
    *,
    model: str = "scripted",
    azure: bool = False,
    before: Sequence[str] = (),
    **extra: str,
) -> Iterator[System]:
    """Start the system, wait until it is ready, and stop it as Ctrl-C does.

    `before` is what runs the command, where it is not run by itself.
    """
    port = free_ports()
    command = [*before, sys.executable, "-m", "secure_openai.cli", "up", "--no-browser"]
    command += ["--port", str(port), "--data", str(data)]
    if azure:
        command += ["--azure"]
    elif model:
        command += ["--model", model]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(**extra),
        start_new_session=True,
    )
    url = f"http://localhost:{port}"
    try:
        wait_ready(url, process)
        yield System(url, f"http://localhost:{port + 1}", data, process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise


def wait_ready(url: str, process: subprocess.Popen[str]) -> None:
    """Return once the application says that it is ready."""
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            output = process.stdout.read() if process.stdout else ""
            raise AssertionError(f"up ended with {process.returncode}:\n{output}")
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=2) as answer:
                if answer.status == 200:
                    return
        except (OSError, HTTPException):
            pass
        time.sleep(0.05)
    raise AssertionError("the system did not become ready")
