"""checkov, asked about one plan after another in one process of its own environment."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self, cast

ROOT = Path(__file__).parents[2]
ENVIRONMENT = ROOT / ".venv" / "checkov" / "bin"
_LOOP = Path(__file__).with_name("checkov_loop.py")

Pair = tuple[str, str]
"""A check's id and a resource's address."""


@dataclass(frozen=True)
class Report:
    """What checkov says of a plan, and the seconds that it took, loading not counted."""

    failed: frozenset[Pair]
    passed: frozenset[Pair]
    seconds: float


def clean() -> dict[str, str]:
    """Return the environment in which another Python finds its own packages and not ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


class Checkov:
    """One running checkov. Use it as a context manager.

    Attributes:
        version: Its version.
        types: The resource types that its checks are about.
    """

    version: str
    types: frozenset[str]

    def __enter__(self) -> Self:
        """Start it.

        Raises:
            SystemExit: It is not installed.
        """
        python = ENVIRONMENT / "python"
        if not python.exists():
            raise SystemExit("checkov is not installed: run `make bench` or `make check-infra`.")
        self._folder = tempfile.TemporaryDirectory(prefix="secure-openai-bench-")
        self._process = subprocess.Popen(
            [python, _LOOP],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=clean(),
        )
        said = self._answer()
        self.version, self.types = said["version"], frozenset(said["types"])
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End it."""
        cast("IO[str]", self._process.stdin).close()
        self._process.wait(timeout=30)
        self._folder.cleanup()

    def ask(self, plan: dict[str, Any], written: list[dict[str, Any]] | None = None) -> Report:
        """Return what it says of a plan.

        Args:
            plan: The plan.
            written: Resources that are searched for secrets besides, a line for each value: on the
                one line that Terraform prints, checkov finds none.
        """
        path = Path(self._folder.name) / "plan.json"
        path.write_text(json.dumps(plan), encoding="utf-8")
        asked: dict[str, str | None] = {"plan": str(path), "secrets": None}
        if written:
            lines = path.with_name("written.json")
            lines.write_text(json.dumps(written, indent=1), encoding="utf-8")
            asked["secrets"] = str(lines)
        to = cast("IO[str]", self._process.stdin)
        to.write(json.dumps(asked) + "\n")
        to.flush()
        said = self._answer()
        if said["skipped"]:
            raise SystemExit("checkov skipped a check: the comparison would not be fair.")
        return Report(
            frozenset((check, where) for check, where in said["failed"]),
            frozenset((check, where) for check, where in said["passed"]),
            said["seconds"],
        )

    def _answer(self) -> dict[str, Any]:
        line = cast("IO[str]", self._process.stdout).readline()
        if not line:
            raise SystemExit(f"checkov ended with {self._process.wait()}.")
        answer: dict[str, Any] = json.loads(line)
        return answer
