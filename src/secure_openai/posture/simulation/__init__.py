"""Terraform configurations applied offline: real Terraform over stand-in providers.

    with simulate(Path("infra"), var_files=[Path("infra/environments/private.tfvars")]) as done:
        done.state, done.replan_is_empty, done.invented

`Workspace` does the same in steps: plan, apply, other variables, plan again, destroy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from secure_openai.posture.simulation.diagnostics import Diagnostic, SimulationError
    from secure_openai.posture.simulation.marks import SECRET_PREFIX
    from secure_openai.posture.simulation.simulation import Simulation, simulate
    from secure_openai.posture.simulation.workspace import (
        Plan,
        Progress,
        TestReport,
        TestRun,
        Workspace,
    )

__all__ = [
    "SECRET_PREFIX",
    "Diagnostic",
    "Plan",
    "Progress",
    "Simulation",
    "SimulationError",
    "TestReport",
    "TestRun",
    "Workspace",
    "simulate",
]

_PLACES: Final = {
    "Diagnostic": "diagnostics",
    "Plan": "workspace",
    "Progress": "workspace",
    "SECRET_PREFIX": "marks",
    "Simulation": "simulation",
    "SimulationError": "diagnostics",
    "TestReport": "workspace",
    "TestRun": "workspace",
    "Workspace": "workspace",
    "simulate": "simulation",
}


def __getattr__(name: str) -> Any:
    """Load what is asked for: whoever proves a state needs no Terraform, nor what serves it."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
