"""An applied estate, read back: resources by type and address, with their values."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
ENVIRONMENTS = ("existing-network", "government", "private", "public")
TABLES = ROOT / "src" / "secure_openai" / "tables"

Values = dict[str, Any]


def table(name: str) -> Any:
    """Return a table that Python and Terraform share."""
    return json.loads((TABLES / f"{name}.json").read_text(encoding="utf-8"))


def environment(name: str) -> Path:
    """Return the file of variables of an environment."""
    return INFRA / "environments" / f"{name}.tfvars"


@dataclass(frozen=True)
class Resource:
    """One resource of the state."""

    address: str
    type: str
    values: Values

    @property
    def id(self) -> str:
        """Return its id."""
        return str(self.values["id"])


@dataclass(frozen=True)
class Estate:
    """All managed resources of a state."""

    resources: tuple[Resource, ...]
    outputs: Values

    @classmethod
    def of(cls, state: Values) -> Estate:
        """Read `terraform show -json`."""
        values = state["values"]
        return cls(
            tuple(_walk(values["root_module"])),
            {name: one["value"] for name, one in values.get("outputs", {}).items()},
        )

    def every(self, kind: str) -> list[Resource]:
        """Return the resources of a type."""
        return [one for one in self.resources if one.type == kind]

    def at(self, address: str) -> Resource:
        """Return the resource at an address."""
        return next(one for one in self.resources if one.address == address)

    def with_id(self, identifier: str) -> Resource:
        """Return the resource that has an id."""
        return next(one for one in self.resources if one.values.get("id") == identifier)


def _walk(module: Values) -> Iterator[Resource]:
    for one in module.get("resources", ()):
        if one["mode"] == "managed":
            yield Resource(one["address"], one["type"], one["values"])
    for child in module.get("child_modules", ()):
        yield from _walk(child)
