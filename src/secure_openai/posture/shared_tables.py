"""The tables that Python and Terraform both read."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def table(name: str) -> dict[str, Any]:
    """Return a table of `secure_openai/tables` by its name."""
    found: dict[str, Any] = json.loads(
        (files("secure_openai") / "tables" / f"{name}.json").read_text(encoding="utf-8")
    )
    return found
