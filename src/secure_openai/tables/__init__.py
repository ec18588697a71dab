"""The tables that Python and Terraform both read, JSON beside this module."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def table(name: str) -> dict[str, Any]:
    """Return a table by its name; callers share it and change nothing."""
    found: dict[str, Any] = json.loads(
        (files(__name__) / f"{name}.json").read_text(encoding="utf-8")
    )
    return found
