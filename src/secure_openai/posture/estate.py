"""The estate that a Terraform configuration builds: its resources by type, address and id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Resource:
    """One managed resource of a state.

    Attributes:
        address: Where the configuration declares it, instance key included.
        type: Its type, such as `azurerm_key_vault`.
        values: Its attributes, as `terraform show -json` prints them.
    """

    address: str
    type: str
    values: Values

    @property
    def id(self) -> str:
        """Return its id."""
        return str(self.values["id"])

    @property
    def name(self) -> str:
        """Return its name in Azure; empty for what has none."""
        return str(self.values.get("name") or "")


@dataclass(frozen=True)
class Estate:
    """All managed resources of a state, and its outputs."""

    resources: tuple[Resource, ...]
    outputs: Values

    @classmethod
    def of(cls, state: Values) -> Self:
        """Read a state as `terraform show -json` prints it."""
        values = state["values"]
        outputs = {name: one["value"] for name, one in values.get("outputs", {}).items()}
        return cls(tuple(_walk(values["root_module"])), outputs)

    def every(self, *kinds: str) -> list[Resource]:
        """Return the resources of these types, in the order of their addresses."""
        return sorted(
            (one for one in self.resources if one.type in kinds), key=lambda one: one.address
        )

    def at(self, address: str) -> Resource:
        """Return the resource at an address.

        Raises:
            KeyError: There is none.
        """
        for one in self.resources:
            if one.address == address:
                return one
        raise KeyError(address)

    def with_id(self, identifier: str) -> Resource:
        """Return the resource that has an id.

        Raises:
            KeyError: There is none.
        """
        for one in self.resources:
            if one.values.get("id") == identifier:
                return one
        raise KeyError(identifier)


def _walk(module: Values) -> Iterator[Resource]:
    for one in module.get("resources", ()):
        if one["mode"] == "managed":
            yield Resource(one["address"], one["type"], one["values"])
    for child in module.get("child_modules", ()):
        yield from _walk(child)
