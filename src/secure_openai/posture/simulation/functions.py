"""The functions that azurerm and azapi contribute to expressions."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from secure_openai.posture.simulation.azapi import parts_of, resource_id
from secure_openai.posture.simulation.ids import segments
from secure_openai.posture.simulation.values import Value, dynamic, plain


class FunctionArgumentError(ValueError):
    """An argument is not what the function takes; the text is shown to the user."""


def _checked(identifier: str) -> list[tuple[str, str]]:
    pairs = segments(identifier)
    if not identifier.startswith("/") or not all(value for _, value in pairs):
        raise FunctionArgumentError(f'"{identifier}" is not a resource ID')
    return pairs


def _find(pairs: list[tuple[str, str]], wanted: str) -> str:
    return next((value for key, value in pairs if key.lower() == wanted), "")


def _split(identifier: str) -> tuple[list[tuple[str, str]], str, list[tuple[str, str]]]:
    """Return an id's scope, its provider and the pairs below it."""
    pairs = _checked(identifier)
    places = [place for place, (key, _) in enumerate(pairs) if key.lower() == "providers"]
    if not places:
        return [], "Microsoft.Resources", pairs
    last = places[-1]
    return pairs[:last], pairs[last][1], pairs[last + 1 :]


def normalise_resource_id(identifier: str) -> str:
    """Return an id with the casing that Resource Manager gives its fixed parts."""
    fixed = {"subscriptions": "subscriptions", "resourcegroups": "resourceGroups"}
    fixed["providers"] = "providers"
    return "/" + "/".join(
        f"{fixed.get(key.lower(), key)}/{value}" for key, value in _checked(identifier)
    )


def parse_azurerm(identifier: str) -> dict[str, Value]:
    """Return an id's parts as azurerm names them."""
    scope, provider, own = _split(identifier)
    pairs = _checked(identifier)
    kind, name = own[-1] if own else ("", "")
    path = "/".join(key for key, _ in own)
    return {
        "full_resource_type": f"{provider}/{path}",
        "parent_resources": dict(own[:-1]),
        "resource_group_name": _find(pairs, "resourcegroups"),
        "resource_name": name,
        "resource_provider": provider,
        "resource_scope": "".join(f"/{key}/{value}" for key, value in scope) or None,
        "resource_type": kind,
        "subscription_id": _find(pairs, "subscriptions"),
    }


def parse_azapi(resource_type: str, identifier: str) -> dict[str, Value]:
    """Return an id's parts as azapi names them."""
    pairs = _checked(identifier)
    parent, name = parts_of(identifier)
    subscription, group = _find(pairs, "subscriptions"), _find(pairs, "resourcegroups")
    kind = resource_type.partition("@")[0]
    return {
        "id": identifier,
        "name": name,
        "parent_id": parent,
        "parts": dict(pairs),
        "provider_namespace": kind.partition("/")[0],
        "resource_group_id": (
            f"/subscriptions/{subscription}/resourceGroups/{group}" if group else ""
        ),
        "resource_group_name": group,
        "subscription_id": subscription,
        "type": kind,
    }


def _below(scope: str, resource_type: str, names: list[str]) -> str:
    namespace, _, path = resource_type.partition("@")[0].partition("/")
    collections = path.split("/")
    if len(collections) != len(names):
        raise FunctionArgumentError(
            f'"{resource_type}" takes {len(collections)} names, not {len(names)}'
        )
    pairs = "".join(f"/{key}/{name}" for key, name in zip(collections, names, strict=True))
    return f"{scope}/providers/{namespace}{pairs}"


def _camel(value: Value) -> Value:
    if isinstance(value, dict):
        return {
            re.sub(r"_(\w)", lambda found: found.group(1).upper(), key): _camel(part)
            for key, part in value.items()
        }
    return [_camel(part) for part in value] if isinstance(value, list) else value


def _unique(parts: list[str]) -> str:
    # The real one hashes with MurmurHash; here any fixed 13 letters serve.
    digest = hashlib.sha256("-".join(parts).encode()).digest()
    return "".join("abcdefghijklmnopqrstuvwxyz234567"[byte % 32] for byte in digest[:13])


FUNCTIONS: Final[Mapping[str, Mapping[str, Callable[..., Any]]]] = {
    "azurerm": {
        "normalise_resource_id": normalise_resource_id,
        "parse_resource_id": parse_azurerm,
    },
    "azapi": {
        "build_resource_id": resource_id,
        "extension_resource_id": _below,
        "management_group_resource_id": lambda group, kind, names: _below(
            f"/providers/Microsoft.Management/managementGroups/{group}", kind, names
        ),
        "parse_resource_id": parse_azapi,
        "resource_group_resource_id": lambda subscription, group, kind, names: _below(
            f"/subscriptions/{subscription}/resourceGroups/{group}", kind, names
        ),
        "snake2camel": lambda value: dynamic(_camel(plain(value))),
        "subscription_resource_id": lambda subscription, kind, names: _below(
            f"/subscriptions/{subscription}", kind, names
        ),
        "tenant_resource_id": lambda kind, names: _below("", kind, names),
        "unique_string": _unique,
    },
}
"""What computes each function, by provider and name."""
