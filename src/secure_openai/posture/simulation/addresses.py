"""How Terraform's state file names what it holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from secure_openai.posture.simulation.marks import Path
from secure_openai.posture.simulation.schema import PROVIDERS, load


def address_of(resource: dict[str, Any], instance: dict[str, Any]) -> str:
    """Return the address of an instance in a state file."""
    parts = [resource["module"]] if resource.get("module") else []
    if resource["mode"] == "data":
        parts.append("data")
    parts += [resource["type"], resource["name"]]
    return ".".join(parts) + _index(instance.get("index_key"))


def _index(key: Any) -> str:
    return "" if key is None else f"[{json.dumps(key)}]"


def every_data_path(kind: str, attributes: dict[str, Any]) -> Iterator[Path]:
    """Give the paths of a data source that its provider filled in."""
    name = kind.partition("_")[0]
    block = load(name).type(kind, "data_source").block if name in PROVIDERS else None
    for attribute, value in attributes.items():
        known = block.attributes.get(attribute) if block else None
        if value not in (None, [], {}) and (known is None or known.computed):
            yield (attribute,)
