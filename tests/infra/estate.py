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
    """Begin to apply an environment, once in a process; whoever looks at it changes nothing."""
    return _builders.submit(_applied, name)


def built(name: str) -> Simulation:
    """Return what an environment builds; see `begun`."""
    return begun(name).result()


@cache
def ended(name: str) -> Future[Simulation]:
    """Begin to apply an environment, plan it again and destroy it, once in a process."""
    return _builders.submit(_life, name)


def _applied(name: str) -> Simulation:
    with simulate(INFRA, var_files=[environment(name)]) as done:
        return done


def _life(name: str) -> Simulation:
    with simulate(INFRA, var_files=[environment(name)]) as done:
        done.destroy()
        return done
