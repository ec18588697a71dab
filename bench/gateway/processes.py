"""Processes, each held to a core."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
from tests.system import environment

SERVED_CORE, LOAD_CORE = 0, 1
"""What is measured has a core of its own; load and upstream share the other."""

READY_SECONDS = 60


@contextmanager
def process(command: list[str], *, core: int = SERVED_CORE, **extra: str) -> Iterator[int]:
    """Run a server on a core; yield its process id."""
    running = subprocess.Popen(
        ["taskset", "-c", str(core), *command],
        env=environment(**extra),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield running.pid
    finally:
        running.send_signal(signal.SIGTERM)
        try:
            running.wait(20)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def pin(pid: int, core: int) -> None:
    """Hold every thread of a process, and those to come, to one core."""
    for thread in psutil.Process(pid).threads():
        os.sched_setaffinity(thread.id, {core})


def worker_of(pid: int) -> int:
    """Return the child in which nginx works."""
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end:
        if children := psutil.Process(pid).children():
            return children[0].pid
        time.sleep(0.05)
    raise SystemExit("nginx did not start")


def wait(url: str, headers: dict[str, str], *, context: ssl.SSLContext | None = None) -> None:
    """Return once something answers at an address, whatever it answers."""
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end:
        request = urllib.request.Request(url, None if context else b"{}", headers)
        try:
            urllib.request.urlopen(request, timeout=2, context=context).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"nothing answers at {url}")
