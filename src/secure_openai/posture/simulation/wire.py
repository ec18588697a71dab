"""A provider's schema as the protocol sends it."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from secure_openai.posture.simulation.protocol import MESSAGES, NESTING
from secure_openai.posture.simulation.schema import Block, Type, load

_KINDS = ("resource", "data_source", "ephemeral_resource")


@cache
def provider_schema(name: str) -> Any:
    """Return the answer to `GetProviderSchema`; built once in a process."""
    schema = load(name)
    response = MESSAGES["GetProviderSchemaResponse"]()
    raw = schema.document["schema"]
    response.provider.CopyFrom(_schema(schema.provider))
    for kind in _KINDS:
        target = getattr(response, f"{kind}_schemas")
        for type_name in schema.names(kind):
            _fill(target[type_name], schema.type(type_name, kind))
    for function, signature in raw.get("functions", {}).items():
        response.functions[function].CopyFrom(_function(signature))
    # Terraform then keeps the schema in memory and asks once, not once a provider block.
    response.server_capabilities.get_provider_schema_optional = True
    return response


def _schema(kind: Type) -> Any:
    message = MESSAGES["Schema"]()
    _fill(message, kind)
    return message


def _fill(message: Any, kind: Type) -> None:
    message.version = kind.version
    _block(message.block, kind.block)


def _block(message: Any, block: Block) -> None:
    message.SetInParent()
    _attributes(message.attributes, block)
    for name, nested in sorted(block.blocks.items()):
        child = message.block_types.add(
            type_name=name,
            nesting=NESTING[nested.nesting],
            min_items=nested.min_items,
            max_items=nested.max_items,
        )
        _block(child.block, nested.block)


def _attributes(target: Any, block: Block) -> None:
    for name, attribute in sorted(block.attributes.items()):
        message = target.add(
            name=name,
            required=attribute.required,
            optional=attribute.optional,
            computed=attribute.computed,
            sensitive=attribute.sensitive,
            deprecated=attribute.deprecated,
            write_only=attribute.write_only,
        )
        if attribute.nested:
            message.nested_type.nesting = NESTING[attribute.nesting]
            _attributes(message.nested_type.attributes, attribute.nested)
        else:
            message.type = _type(attribute.type)


def _type(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _function(signature: dict[str, Any]) -> Any:
    message = MESSAGES["Function"]()
    for parameter in signature.get("parameters", ()):
        message.parameters.add(
            name=parameter["name"],
            type=_type(parameter["type"]),
            allow_null_value=parameter.get("is_nullable", False),
        )
    getattr(message, "return").type = _type(signature["return_type"])
    return message
