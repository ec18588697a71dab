"""Where the Terraform, its environments and the shared tables lie."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
TABLES = ROOT / "src" / "secure_openai" / "tables"


def table(name: str) -> Any:
    """Return a table that Python and Terraform share."""
    return json.loads((TABLES / f"{name}.json").read_text(encoding="utf-8"))


def environment(name: str) -> Path:
    """Return the file of variables of an environment."""
    return INFRA / "environments" / f"{name}.tfvars"
