"""Provisioners: programs that Terraform runs while it applies, on this machine or on another.

What one changes stands in no state, and a simulation is no place to run anybody's program.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def provisioned(plan: Mapping[str, Any]) -> Iterator[str]:
    """Yield the address, without instances, of each resource of a plan that has a provisioner."""
    waiting = [("", plan.get("configuration", {}).get("root_module", {}))]
    while waiting:
        where, module = waiting.pop()
        for one in module.get("resources") or ():
            if one.get("provisioners"):
                yield f"{where}{one['address']}"
        for name, call in (module.get("module_calls") or {}).items():
            waiting.append((f"{where}module.{name}.", call.get("module") or {}))


def refused(plan: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each provisioner: none is run here."""
    return [
        f"{address} has a provisioner, which runs a program: what it changes stands in no state, "
        "and a simulation does not run it. Take it out."
        for address in sorted(provisioned(plan))
    ]
