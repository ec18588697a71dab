"""Values as Terraform sends them: MessagePack, with unknown values as an extension.

Objects and maps are dictionaries, lists and sets are lists, null is `None`. An unknown value stays
the extension that it came as, refinements and all, so that it can be handed back unchanged
(Terraform, `docs/plugin-protocol/object-wire-format.md`). A value of dynamic type travels with its
type: a pair of the type as JSON bytes and the value.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

import msgpack

from secure_openai.posture.simulation.protocol import MESSAGES, UNKNOWN
from secure_openai.posture.simulation.schema import Attribute, Block

Value = Any
"""What a value is once decoded; Terraform's types are not Python's."""

OWN_UNKNOWN: Final = msgpack.ExtType(0, UNKNOWN)
"""What the provider will only know after apply. Its identity tells it from an unknown that the
configuration brought: only that one may force a replacement."""


def decode(message: Any) -> Value:
    """Return the value of a `DynamicValue`."""
    if message.json:
        return json.loads(message.json)
    if not message.msgpack:
        return None
    return msgpack.unpackb(message.msgpack, strict_map_key=False)


def encode(value: Value) -> Any:
    """Return a value as a `DynamicValue`."""
    return MESSAGES["DynamicValue"](msgpack=msgpack.packb(value))


def is_unknown(value: Value) -> bool:
    """Return whether a value is not known yet."""
    return isinstance(value, msgpack.ExtType)


def holds_unknown(value: Value) -> bool:
    """Return whether a value or anything in it is not known yet."""
    if isinstance(value, dict):
        return any(map(holds_unknown, value.values()))
    if isinstance(value, list):
        return any(map(holds_unknown, value))
    return is_unknown(value)


def is_dynamic(value: Value) -> bool:
    """Return whether a value is a pair of type and value."""
    return isinstance(value, list) and bool(value) and isinstance(value[0], bytes)


def plain(value: Value) -> Value:
    """Return what a value of dynamic type holds; anything else unchanged."""
    return value[1] if is_dynamic(value) else value


def dynamic(value: Value) -> Value:
    """Return a value together with its type."""
    return [json.dumps(type_of(value), separators=(",", ":")).encode(), value]


def type_of(value: Value) -> Any:
    """Return the narrowest type of a plain value, as cty's JSON writes it."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    if isinstance(value, dict):
        return ["object", {key: type_of(part) for key, part in value.items()}]
    if isinstance(value, list):
        return ["tuple", [type_of(part) for part in value]]
    return "dynamic"


def normal(value: Value, *, unordered: bool = False) -> Value:
    """Return a form that compares equal when Terraform would call two values equal."""
    if isinstance(value, dict):
        return {key: normal(part) for key, part in value.items()}
    if isinstance(value, list):
        parts = [normal(part) for part in value]
        return sorted(parts, key=repr) if unordered else parts
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def same(attribute: Attribute, one: Value, other: Value) -> bool:
    """Return whether two values of an attribute are equal."""
    return bool(
        normal(one, unordered=attribute.is_set) == normal(other, unordered=attribute.is_set)
    )


def empty(block: Block) -> dict[str, Value]:
    """Return an object of a block with nothing in it."""
    result: dict[str, Value] = dict.fromkeys(block.attributes)
    for name, nested in block.blocks.items():
        result[name] = None if nested.nesting in {"single", "group"} else []
    return result


def blocks_in(value: Value) -> Iterable[dict[str, Value]]:
    """Give the objects of a nested block's value, whichever way it repeats."""
    if isinstance(value, dict):
        yield value
    elif isinstance(value, list):
        yield from (part for part in value if isinstance(part, dict))
