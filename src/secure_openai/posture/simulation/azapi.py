"""What azapi does that its schema cannot say: ids from a type, and an output from a body."""

from __future__ import annotations

from typing import Any

from secure_openai.posture.simulation.cloud import Cloud, guid
from secure_openai.posture.simulation.values import Value, dynamic, is_dynamic, is_unknown, plain

Object = dict[str, Any]


def resource_id(parent: str, resource_type: str, name: str) -> str:
    """Return the id of a resource of a type (`Microsoft.X/a/b@version`) below its parent."""
    kind = resource_type.partition("@")[0]
    namespace, _, path = kind.partition("/")
    collections = path.split("/")
    parent = parent.rstrip("/")
    if kind.lower() == "microsoft.resources/resourcegroups":
        return f"{parent}/resourceGroups/{name}"
    if kind.lower() == "microsoft.resources/subscriptions":
        return f"/subscriptions/{name}"
    # A child stands below a parent of its own namespace; anything else extends its parent.
    owner = parent.lower().rpartition("/providers/")[2].split("/")
    if len(collections) > 1 and owner[0] == namespace.lower():
        return f"{parent}/{collections[-1]}/{name}"
    return f"{parent}/providers/{namespace}/{collections[-1]}/{name}"


def parts_of(identifier: str) -> tuple[str, str]:
    """Return the parent and the name that an id holds."""
    head, _, name = identifier.rpartition("/")
    parent = head.rpartition("/")[0]
    if "/providers/" in parent and parent.rpartition("/providers/")[2].count("/") == 0:
        parent = parent.rpartition("/providers/")[0]
    return parent or "/", name


def overrides(cloud: Cloud, kind: str, state: Object) -> Object:
    """Return the values that azapi derives for a resource, by attribute."""
    found: Object = {}
    if kind == "azapi_resource_action":
        found["id"] = state["resource_id"]
        found["exist"] = True
    elif isinstance(state.get("resource_id"), str):
        found["id"] = state["resource_id"]
        found["parent_id"], found["name"] = parts_of(state["resource_id"])
    else:
        parent = state.get("parent_id")
        if is_unknown(parent) or parent is None:
            parent = f"/subscriptions/{cloud.subscription_id}"
        name = state.get("name")
        if is_unknown(name) or name is None:
            name = guid("azapi", parent, state["type"])
        found["parent_id"], found["name"] = parent, name
        found["id"] = resource_id(parent, state["type"], name)
        found["resource_id"] = found["id"]
    found["output"] = output(state, found.get("id"))
    if "sensitive_output" in state:
        found["sensitive_output"] = dynamic({})
    return found


def output(state: Object, identifier: Any) -> Value:
    """Return what the resource answers with: what was asked of it, taken from its body.

    Azure would add more than was sent. Only the id, the name and the type are made up; any other
    path that the body lacks is null.
    """
    body = plain(state.get("body"))
    answer = dict(body) if isinstance(body, dict) else {}
    answer |= {
        "id": identifier,
        "name": str(identifier).rpartition("/")[2],
        "type": str(state["type"]).partition("@")[0],
    }
    wanted = plain(state.get("response_export_values"))
    if isinstance(wanted, list):
        if any(plain(path) == "*" for path in wanted):
            return dynamic(answer)
        chosen: Object = {}
        for path in wanted:
            _put(chosen, str(plain(path)).split("."), _at(answer, str(plain(path))))
        return dynamic(chosen)
    if isinstance(wanted, dict):
        return dynamic({key: _at(answer, str(plain(path))) for key, path in wanted.items()})
    return dynamic({})


def _at(value: Value, path: str) -> Value:
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _put(target: Object, path: list[str], value: Value) -> None:
    for part in path[:-1]:
        target = target.setdefault(part, {})
    target[path[-1]] = value


def body_changed(prior: Object, planned: Object) -> bool:
    """Return whether a change makes the output unknown until it is applied."""
    return any(
        prior.get(name) != planned.get(name)
        for name in ("body", "response_export_values", "sensitive_body_version", "tags")
    )


def type_changed(prior: Object, planned: Object) -> bool:
    """Return whether the resource type differs; another version of it is an update."""
    one, other = prior.get("type"), planned.get("type")
    if is_unknown(other) or not isinstance(one, str) or not isinstance(other, str):
        return False
    return one.partition("@")[0].lower() != other.partition("@")[0].lower()


def triggered(prior: Object, planned: Object) -> bool:
    """Return whether the values that are declared to replace the resource have changed."""
    before = prior.get("replace_triggers_external_values")
    after = planned.get("replace_triggers_external_values")
    if before != after:
        return True
    old, new = plain(prior.get("body")), plain(planned.get("body"))
    return any(
        _at(old, path) != _at(new, path)
        for path in planned.get("replace_triggers_refs") or ()
        if isinstance(path, str)
    )


def problems(kind: str, config: Object) -> list[tuple[str, str, str]]:
    """Return what azapi refuses, as attribute, summary and detail."""
    found = []
    named = config.get("type")
    if isinstance(named, str) and not _is_type(named):
        found.append(
            (
                "type",
                "Invalid type",
                f'"{named}" is not a resource type with its API version: write it as '
                '"Microsoft.Web/sites@2024-04-01".',
            )
        )
    body = config.get("body")
    if body is not None and not is_unknown(body):
        held = plain(body) if is_dynamic(body) else body
        if not isinstance(held, dict):
            found.append(
                (
                    "body",
                    "Invalid Body",
                    "The body must be an object: write it in HCL, without jsonencode().",
                )
            )
    if kind == "azapi_update_resource":
        given = [name for name in ("name", "resource_id") if config.get(name) is not None]
        if len(given) != 1:
            found.append(
                (
                    given[-1] if given else "resource_id",
                    "Invalid configuration",
                    "Either `resource_id`, or `name` with `parent_id`, must be given.",
                )
            )
    return found


def _is_type(named: str) -> bool:
    kind, at, version = named.partition("@")
    return bool(at) and "/" in kind and bool(version)
