"""What a plan of Terraform does, and to which subscription, as `terraform show -json` prints it."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

SUBSCRIPTION: Final = "ARM_SUBSCRIPTION_ID"
"""What the provider azurerm takes its subscription from where its block does not say."""

_MANAGES: Final = "azurerm"
_VARIABLE: Final = "var."
_WHOLE_LIST: Final = 40
"""How many changes are listed each on a line; of more, the instances of one resource share one."""

_KEY: Final = re.compile(r"\[(?:\d+|\"(?:[^\"\\]|\\.)*\")\]")
_SAID: Final = {
    ("create",): "creates",
    ("update",): "updates",
    ("delete",): "removes",
    ("forget",): "forgets, and leaves in Azure,",
    ("delete", "create"): "removes and makes anew",
    ("create", "delete"): "makes anew and removes the old",
    ("invoke",): "invokes",
}
_REMOVES: Final = frozenset({"delete", "forget"})


def changes(plan: str) -> dict[str, tuple[str, ...]]:
    """Return what a plan does by address: `create`, `update`, `delete`, in the order they happen.

    Empty where it does nothing at all, outputs and actions included.

    Args:
        plan: As `terraform show -json` prints it.
    """
    document: dict[str, Any] = json.loads(plan)
    found = {
        str(one["address"]): tuple(one["change"]["actions"])
        for one in document.get("resource_changes") or ()
        if one["change"]["actions"] not in (["no-op"], ["read"])
    }
    for name, one in (document.get("output_changes") or {}).items():
        if one["actions"] != ["no-op"]:
            found[f"output.{name}"] = tuple(one["actions"])
    for name in ("action_invocations", "deferred_changes", "deferred_action_invocations"):
        if document.get(name):
            found[name] = ("invoke",)
    return found


def listed(does: Mapping[str, Sequence[str]]) -> list[str]:
    """Return a line for each change, what is removed first.

    Of a long list the instances of one resource that are not removed share a line.
    """
    long = len(does) > _WHOLE_LIST
    removed: list[str] = []
    others: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for address, actions in does.items():
        said = _SAID.get(tuple(actions), "and ".join(f"{one}s " for one in actions).strip())
        if _REMOVES & set(actions):
            removed.append(f"! it {said} {address}")
        else:
            others[said, _KEY.sub("", address) if long else address].append(address)
    return removed + [
        f"it {said} {them[0]}" if len(them) == 1 else f"it {said} {name}, {len(them)} instances"
        for (said, name), them in others.items()
    ]


def subscriptions(plan: str, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the subscriptions that a plan's providers work in, in lower case; sorted.

    Empty where one cannot be told: it is then the sign-in's own, whoever that is when applying.

    Args:
        plan: As `terraform show -json` prints it.
        environment: What applying is given.
    """
    document: dict[str, Any] = json.loads(plan)
    given = environment.get(SUBSCRIPTION) or None
    found = list(_said_by_providers(document, given)) or [given]
    if None in found:
        return ()
    return tuple(sorted({str(one).lower() for one in found}))


def _said_by_providers(document: Mapping[str, Any], given: str | None) -> Iterator[str | None]:
    providers = (document.get("configuration") or {}).get("provider_config") or {}
    for one in providers.values():
        if one.get("name") != _MANAGES:
            continue
        said = (one.get("expressions") or {}).get("subscription_id")
        if said is None:
            yield given
            continue
        value = said.get("constant_value")
        match said.get("references"):
            case [str(reference)] if reference.startswith(_VARIABLE):
                name = reference.removeprefix(_VARIABLE)
                value = ((document.get("variables") or {}).get(name) or {}).get("value")
        yield value if isinstance(value, str) else None
