"""Terraform as a program, in a folder of one's own, with the caller's sign-in to Azure."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from secure_openai.errors import DeliveryError

PROGRAMS: Final = ("terraform", "tofu")
"""What is looked for on the PATH, in this order."""

LOCK: Final = ".terraform.lock.hcl"

_ARGUMENTS: Final = "TF_CLI_ARGS"
_REQUIRED: Final = re.compile(r"\brequired_providers\s*\{(.*?)\}\s*\}", re.DOTALL)
_SOURCE: Final = re.compile(r'^\s*source\s*=\s*"(?:[^"/]+/)?([^"/]+/[^"/]+)"', re.MULTILINE)
_LOCKED: Final = re.compile(r'^provider "[^"]*?([^"/]+/[^"/]+)" \{', re.MULTILINE)
_STALE: Final = "saved plan is stale"
_LAST: Final = 12

Tell = Callable[[str], None]


class StalePlan(DeliveryError):
    """The estate's state has changed since the plan was made: nothing was applied."""


class Unfinished(DeliveryError):
    """Terraform began to apply, and did not come to the end."""


@dataclass(frozen=True, slots=True)
class Terraform:
    """A folder of Terraform, and the program that works in it.

    Attributes:
        folder: The root module.
        program: Where the program lies.
    """

    folder: Path
    program: str

    @classmethod
    def of(cls, folder: Path) -> Terraform:
        """Return the folder with the program of the PATH.

        Raises:
            DeliveryError: There is no program, no configuration, or a provider is not locked.
        """
        folder = folder.resolve()
        if not any(folder.glob("*.tf")):
            raise DeliveryError(f"{folder} holds no Terraform configuration (*.tf).")
        program = next(filter(None, map(shutil.which, PROGRAMS)), None)
        if program is None:
            raise DeliveryError(
                "Neither terraform nor tofu is on the PATH: install one; the estate needs 1.11 or "
                "later."
            )
        _require_locked(folder)
        return cls(folder, program)

    def initialise(self, backend: Path | None) -> None:
        """Initialise with locked providers only.

        Args:
            backend: The file that says where state is kept; None where that is said already.

        Raises:
            DeliveryError: It cannot be initialised.
        """
        named = [] if backend is None else [f"-backend-config={backend.resolve()}"]
        self._run("init", "-input=false", "-no-color", "-lockfile=readonly", *named)

    @property
    def workspace(self) -> str:
        """Return the name of the workspace."""
        return self._run("workspace", "show").strip()

    def plan(self, output: Path, variables: Sequence[Path]) -> None:
        """Plan into a file that belongs to whoever runs this.

        Raises:
            DeliveryError: Terraform refuses the configuration, or cannot ask what it needs.
        """
        files = [f"-var-file={one.resolve()}" for one in variables]
        self._run("plan", "-input=false", "-no-color", f"-out={output}", *files)

    def shown(self, plan: Path) -> str:
        """Return a plan as JSON."""
        return self._run("show", "-json", "-no-color", str(plan))

    def apply(self, plan: Path) -> None:
        """Carry out a plan, and let whoever looks on see what Terraform says.

        Raises:
            StalePlan: It is of a state that is no more; nothing was done.
            Unfinished: It began, and did not come to the end.
        """
        said: list[str] = []
        with subprocess.Popen(  # noqa: S603 - the program of the PATH, without a shell
            [self.program, "apply", "-input=false", "-no-color", str(plan)],
            cwd=self.folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            interrupted = False
            while True:
                try:
                    _pass_on(process, said)
                    break
                except KeyboardInterrupt:
                    # Terraform has had it too: it ends what is under way, and keeps its state.
                    interrupted = True
        if interrupted and process.returncode == 0:
            raise KeyboardInterrupt
        if process.returncode != 0:
            if _STALE in "\n".join(said).lower():
                raise StalePlan(
                    "The estate's state has changed since it was planned, so Terraform did "
                    "nothing: plan again."
                )
            raise Unfinished("Terraform did not come to the end of the plan.")

    def output(self, name: str) -> str:
        """Return one of the estate's outputs as JSON.

        Raises:
            DeliveryError: There is none of the name.
        """
        return self._run("output", "-json", "-no-color", name)

    def _run(self, *arguments: str) -> str:
        ran = subprocess.run(  # noqa: S603 - the program of the PATH, without a shell
            [self.program, *arguments],
            cwd=self.folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if ran.returncode != 0:
            said = [line for line in (ran.stderr or ran.stdout).splitlines() if line.strip(" │╷╵")]
            words = "\n".join(said[-_LAST:])
            raise DeliveryError(
                f"terraform {arguments[0]} failed, and nothing was applied:\n{words}"
            )
        return ran.stdout


def _pass_on(process: subprocess.Popen[str], said: list[str]) -> None:
    """Print what a process says until it ends, and keep its last lines."""
    for line in process.stdout or ():
        print(line, end="", flush=True)  # noqa: T201 - Terraform's own words
        said.append(line)
        del said[:-200]
    process.wait()


def _environment() -> Mapping[str, str]:
    """Return the caller's environment without options for Terraform that nobody sees."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_ARGUMENTS)}
    return kept | {"CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", "TF_INPUT": "0"}


def _require_locked(folder: Path) -> None:
    """Return if every provider that the folder names is locked by hash.

    Raises:
        DeliveryError: One is not: it could be another program each time, with our rights.
    """
    wanted = {
        source
        for file in folder.glob("*.tf")
        for required in _REQUIRED.findall(file.read_text(encoding="utf-8"))
        for source in _SOURCE.findall(required)
    }
    try:
        locked = set(_LOCKED.findall((folder / LOCK).read_text(encoding="utf-8")))
    except OSError:
        locked = set()
    if missing := sorted(wanted - locked):
        raise DeliveryError(
            f"{folder / LOCK} does not lock {', '.join(missing)}: run 'terraform -chdir={folder} "
            "providers lock -platform=linux_amd64 -platform=darwin_arm64', read what it wrote, and "
            "keep it."
        )


def changes(plan: str) -> dict[str, tuple[str, ...]]:
    """Return what a plan does by address: `create`, `update`, `delete`, in the order they happen.

    Empty where it does nothing at all, outputs and actions included.

    Args:
        plan: As `terraform show -json` prints it.
    """
    document: dict[str, Any] = json.loads(plan)
    found = {
        str(one["address"]): tuple(one["change"]["actions"])
        for one in document.get("resource_changes") or ()
        if one["change"]["actions"] not in (["no-op"], ["read"])
    }
    for name, one in (document.get("output_changes") or {}).items():
        if one["actions"] != ["no-op"]:
            found[f"output.{name}"] = tuple(one["actions"])
    for name in ("action_invocations", "deferred_changes", "deferred_action_invocations"):
        if document.get(name):
            found[name] = ("invoke",)
    return found
