"""Where the Terraform, its environments and the shared tables lie."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"


def environment(name: str) -> Path:
    """Return the file of variables of an environment."""
    return INFRA / "environments" / f"{name}.tfvars"
