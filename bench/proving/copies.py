"""One estate, many times in one state: each copy in groups and under names and ids of its own."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.posture.mutants import resources

_UUID = re.compile(r"\b([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{8})[0-9a-f]{4}\b")
# The example's subscription, and roles that Azure itself defines.
_SHARED = "00000000-0000-"
_WORKSPACE = "azurerm_log_analytics_workspace"


def copies(state: dict[str, Any], count: int) -> dict[str, Any]:
    """Return a state that holds so many copies of an estate, which share its workspace for logs.

    Args:
        state: A state of the private environment.
        count: How many.
    """
    values = {one["type"]: one["values"] for one in resources(state)}
    suffix = values["random_string"]["result"]
    workspace = values[_WORKSPACE]["id"]
    group = values["azurerm_resource_group"]["name"].partition("-network")[0]
    text = json.dumps(state["values"]["root_module"])
    tenant = values["azurerm_key_vault"]["tenant_id"]

    def renamed(words: str, number: int) -> str:
        def other(found: re.Match[str]) -> str:
            whole = found.group(0)
            shared = whole == tenant or whole.startswith(_SHARED)
            return whole if shared else f"{found.group(1)}{number:04x}"

        words = _UUID.sub(other, words).replace(suffix, f"q{number:04d}")
        return _starting(group).sub(rf"\g<0>-{number:04d}", words)

    def copy(number: int) -> dict[str, Any]:
        one = renamed(text, number).replace(renamed(workspace, number), renamed(workspace, 0))
        one = one.replace('"address": "', f'"address": "module.copy[{number}].')
        module: dict[str, Any] = json.loads(one)
        if number:
            _without_workspace(module)
        return module

    return {
        "format_version": "1.0",
        "terraform_version": state["terraform_version"],
        "values": {"root_module": {"child_modules": [copy(number) for number in range(count)]}},
    }


def _starting(name: str) -> re.Pattern[str]:
    """Return what finds a name where a value or a part of an id begins."""
    return re.compile(rf'(?<=["/]){re.escape(name)}')


def _without_workspace(module: dict[str, Any]) -> None:
    module["resources"] = [one for one in module.get("resources", ()) if one["type"] != _WORKSPACE]
    for child in module.get("child_modules", ()):
        _without_workspace(child)
