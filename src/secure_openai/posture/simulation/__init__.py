"""Terraform configurations applied offline: real Terraform over stand-in providers.

    with simulate(Path("infra"), var_files=[Path("infra/environments/private.tfvars")]) as done:
        done.state, done.replan_is_empty, done.invented

`Workspace` does the same in steps: plan, apply, other variables, plan again, destroy.
"""

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
