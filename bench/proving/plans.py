"""A state's mutant as the plan that checkov reads: `planned_values` beside `configuration`.

A plan that changes nothing of an estate that lives: every value is known, and the configuration
says what refers to what, which is all that checkov's graph checks have. What a fault sets outright
no longer refers to anything, so the references of what it changed are taken out of the
configuration; where several instances share a block they all lose them, which can only make checkov
find more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.posture.mutants import Entry, resources

_MODULE = re.compile(r"module\.([^.\[]+)")


class Plans:
    """Plans of one estate and its mutants.

    Args:
        state: Its state.
        configuration: The `configuration` of its plan.
    """

    def __init__(self, state: dict[str, Any], configuration: dict[str, Any]) -> None:
        self._state = state
        self._configuration = json.dumps(configuration)
        self._before = {one["address"]: one for one in resources(state)}

    def of(self, entries: list[Entry]) -> dict[str, Any]:
        """Return the plan of an estate that has these resources."""
        after = {one["address"]: one for one in entries}
        root = _with(self._state["values"]["root_module"], after)
        root["resources"] += [one for key, one in after.items() if key not in self._before]
        configuration = json.loads(self._configuration)
        for address, one in after.items():
            before = self._before.get(address)
            if before and before != one:
                expressions = _expressions(configuration["root_module"], one)
                _sever(expressions, before["values"], one["values"])
        return {
            "format_version": "1.2",
            "terraform_version": self._state["terraform_version"],
            "planned_values": {"root_module": root},
            "configuration": configuration,
        }

    def written(self, entries: list[Entry]) -> list[Entry]:
        """Return the resources that are not as they are in the estate."""
        return [one for one in entries if one != self._before.get(one["address"])]

    def types(self, entries: list[Entry]) -> set[str]:
        """Return the types of what differs from the estate, what is gone included."""
        addresses = {one["address"] for one in entries}
        gone = [one for address, one in self._before.items() if address not in addresses]
        return {one["type"] for one in (*self.written(entries), *gone)}


def _with(module: dict[str, Any], after: dict[str, Entry]) -> dict[str, Any]:
    return {
        **module,
        "resources": list(_kept(module.get("resources", []), after)),
        "child_modules": [_with(child, after) for child in module.get("child_modules", [])],
    }


def _kept(entries: list[Entry], after: dict[str, Entry]) -> Iterator[Entry]:
    for one in entries:
        if one["mode"] != "managed":
            yield one
        elif one["address"] in after:
            yield after[one["address"]]


def _expressions(module: dict[str, Any], entry: Entry) -> dict[str, Any]:
    """Return what the configuration says of a resource's arguments, to be changed in place."""
    path = entry["address"].rpartition(f"{entry['type']}.{entry['name']}")[0]
    for name in _MODULE.findall(path):
        module = module["module_calls"][name]["module"]
    return next(
        (
            one["expressions"]
            for one in module["resources"]
            if (one["mode"], one["type"], one["name"]) == ("managed", entry["type"], entry["name"])
        ),
        {},
    )


def _sever(expressions: dict[str, Any], before: Any, after: Any) -> None:
    for name in before.keys() | after.keys():
        old, new, said = before.get(name), after.get(name), expressions.get(name)
        if old == new or said is None:
            continue
        if isinstance(said, list) and isinstance(new, list) and len(said) == len(old) == len(new):
            for block, was, became in zip(said, old, new, strict=True):
                _sever(block, was, became)
        else:
            del expressions[name]
