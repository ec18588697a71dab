"""Where the Terraform, its environments and the shared tables lie; each environment, built once."""

from __future__ import annotations

import os
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path

from secure_openai.posture.simulation import Simulation, simulate

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"

# Terraform takes a core and a half while it plans and applies.
_builders = ThreadPoolExecutor(os.cpu_count())


def environment(name: str) -> Path:
    """Return the file of variables of an environment."""
    return INFRA / "environments" / f"{name}.tfvars"


@cache
def begun(name: str) -> Future[Simulation]:
    """Begin to build an environment, once in a process; whoever looks at it changes nothing.

    It is validated, applied, planned again and destroyed.
    """
    return _builders.submit(_life, name)


def built(name: str) -> Simulation:
    """Return what an environment builds; see `begun`."""
    return begun(name).result()


def _life(name: str) -> Simulation:
    with simulate(INFRA, var_files=[environment(name)]) as done:
        done.workspace.validate()
        done.destroy()
        return done
