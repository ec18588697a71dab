"""What is decided outside: by the answers of data sources, or by the name of the workspace."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any, Final

from secure_openai.posture import simulation
from secure_openai.posture.estate import Decided, Estate, leaves, resource_of
from secure_openai.posture.simulation.schema import resource_block

_OURSELVES: Final = frozenset(
    {
        "azapi_client_config",
        "azuread_application_published_app_ids",
        "azuread_client_config",
        "azurerm_client_config",
    }
)
"""Data sources that say who deploys, or what is the same in every tenant."""

_WORDS: Final = frozenset({"tags"})
"""Arguments that decide nothing: a tag that data sources add can only declare a door more."""

_BUILT: Final = "a data source decides whether it is built"
_NAMED: Final = (
    "it asks for the name of its workspace, and only `default` is built here: "
    "prove the plan or the state of another"
)
_BROKEN: Final = "another answer of a data source builds something else, or nothing"


def by_name(workspace: simulation.Workspace) -> tuple[Decided, ...]:
    """Return that something may hang on the workspace's name, if the configuration asks for it."""
    return (Decided("", "", (), _NAMED),) if workspace.named else ()


def decided(workspace: simulation.Workspace, estate: Estate) -> tuple[Decided, ...]:
    """Return what hangs on data sources, told from what would change if they answered otherwise.

    Args:
        workspace: Where the estate was applied.
        estate: The estate.
    """
    if all(one.type in _OURSELVES for one in estate.looked_up):
        return ()
    names: dict[tuple[str, str], set[str]] = {}
    for yes in (True, False):
        try:
            planned = workspace.plan_otherwise(yes=yes)
        except simulation.SimulationError:
            return (Decided("", "", (), _BROKEN),)
        for change in planned.json.get("resource_changes", ()):
            found = _changed(change)
            if found is not None:
                names.setdefault((change["address"], _type(change)), set()).update(found)
    return tuple(
        Decided(address, kind, tuple(sorted(found)), _says(found))
        for (address, kind), found in sorted(names.items())
        if found - _WORDS
    )


def _changed(change: Mapping[str, Any]) -> Set[str] | None:
    """Return the arguments that would change; an empty name for the whole, None for nothing."""
    actions = set(change["change"]["actions"])
    if change["mode"] != "managed" or actions <= {"no-op", "read", "forget"}:
        return None
    if actions in ({"create"}, {"delete"}):
        return {""}
    before, after = (change["change"].get(side) or {} for side in ("before", "after"))
    unknown = {
        str(path[0])
        for path, value in leaves(change["change"].get("after_unknown") or {})
        if value is True and path
    }
    return {
        name
        for name in {*before, *after, *unknown}
        if (name in unknown or before.get(name) != after.get(name))
        and _is_argument(change["type"], name)
    }


def _is_argument(kind: str, name: str) -> bool:
    """Return whether a configuration can say it, so that it is no mere consequence."""
    attribute = resource_block(kind).attributes.get(name)
    return attribute is None or attribute.optional or attribute.required


def _type(change: Mapping[str, Any]) -> str:
    values = change["change"].get("before") or change["change"].get("after") or {}
    return resource_of({**change, "values": values}).type


def _says(names: Set[str]) -> str:
    if "" in names:
        return _BUILT
    return f"a data source decides {', '.join(sorted(names))}"
