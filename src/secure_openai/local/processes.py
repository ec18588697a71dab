"""Children of `up`: started with a pipe that dies with it, watched, and ended together."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from secure_openai.errors import StartError
from secure_openai.local.server import loopback_sockets

STOP_SECONDS = 8.0
TAIL_LINES = 12


@dataclass
class Child:
    """A started process.

    Attributes:
        name: What people call it.
        process: Itself; what it prints on standard output is read by whoever watches it.
        log: Where its standard error goes.
    """

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def ended(self) -> int | None:
        """Return the exit code, or `None` while it runs."""
        return self.process.poll()

    def last_words(self) -> str:
        """Return the end of its log."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return "\n".join(lines[-TAIL_LINES:])


class Processes:
    """Starts children and ends them in the reverse order."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._logs.mkdir(mode=stat.S_IRWXU, exist_ok=True)
        self._reading, self._writing = os.pipe()
        self.children: list[Child] = []

    def start(
        self,
        name: str,
        command: list[str],
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        tells_progress: bool = False,
    ) -> Child:
        """Start a child that ends when this process does, however that happens.

        Args:
            name: What people call it.
            command: What to run; the pipe is added.
            environment: Its environment, ours unless given.
            folder: Where it stands, ours unless given.
            tells_progress: Whether someone reads its standard output; otherwise it is logged.
        """
        log = self._logs / f"{name.replace(' ', '-')}.log"
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with os.fdopen(os.open(log, flags, stat.S_IRUSR | stat.S_IWUSR), "wb") as output:
            process = subprocess.Popen(  # noqa: S603 - our own modules, no shell
                [*command, "--parent-pipe", str(self._reading)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if tells_progress else output,
                stderr=output,
                pass_fds=(self._reading,),
                env=None if environment is None else dict(environment),
                cwd=folder,
                # Ctrl-C in a terminal goes to the whole group; only the parent decides.
                start_new_session=True,
            )
        child = Child(name, process, log)
        self.children.append(child)
        return child

    def stop(self) -> None:
        """End every child: ask, wait, then insist."""
        for child in reversed(self.children):
            if child.ended is None:
                child.process.send_signal(signal.SIGTERM)
        end = time.monotonic() + STOP_SECONDS
        for child in reversed(self.children):
            try:
                child.process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
            _close(child.process.stdout)
        os.close(self._writing)
        os.close(self._reading)


def _close(stream: IO[bytes] | None) -> None:
    if stream is not None:
        stream.close()


def require_free(port: int) -> None:
    """Return if a port on loopback can be listened on.

    Raises:
        StartError: It is taken, or not a port.
    """
    if not 1 <= port <= 65535:  # noqa: PLR2004 - what a port is
        raise StartError("The port and the two after it are used: name 1 to 65533 with --port.")
    for probe in loopback_sockets(port):
        probe.close()
