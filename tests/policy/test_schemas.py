"""A schema in a request refers to itself at most, and describes anything."""

from __future__ import annotations

from typing import Any

import pytest

from secure_openai.errors import RequestError
from secure_openai.policy.fields import check_request
from secure_openai.types import Operation


def schemas(schema: dict[str, Any]) -> list[tuple[Operation, dict[str, Any]]]:
    """Return requests that hold a schema, one for each place where one may stand."""
    chat = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    response = {"model": "m", "input": "x"}
    named = {"name": "s", "schema": schema}
    return [
        (
            Operation.CHAT_COMPLETIONS,
            chat | {"response_format": {"type": "json_schema", "json_schema": named}},
        ),
        (
            Operation.CHAT_COMPLETIONS,
            chat
            | {"tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}]},
        ),
        (
            Operation.RESPONSES,
            response | {"text": {"format": {"type": "json_schema", **named}}},
        ),
        (
            Operation.RESPONSES,
            response | {"tools": [{"type": "function", "name": "f", "parameters": schema}]},
        ),
    ]


@pytest.mark.parametrize("name", ["$ref", "$dynamicRef", "$recursiveRef"])
@pytest.mark.parametrize("address", ["http://evil.example/x.json", "x.json", "", "urn:x"])
def test_a_schema_refers_to_nothing_elsewhere(name: str, address: str) -> None:
    """A reference that somebody would have to fetch is refused, however deep it lies."""
    deep = {"anyOf": [{"type": "object", "properties": {"a": {name: address}}}]}
    for operation, asked in schemas(deep):
        with pytest.raises(RequestError, match="nothing is fetched"):
            check_request(operation, asked)


def test_a_schema_refers_to_itself() -> None:
    """A recursive one passes, and so does a member that is called like a reference."""
    own = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$defs": {"a": {"type": "array", "items": {"$ref": "#/$defs/a"}}},
        "properties": {"$ref": {"type": "string"}, "b": {"$ref": "#"}},
        "required": ["$ref"],
    }
    for operation, asked in schemas(own):
        assert check_request(operation, asked).body == asked


@pytest.mark.parametrize(
    "schema",
    [
        {"$schema": "http://evil.example/schema"},
        {"$schema": "https://json-schema.org.evil.example/draft-07/schema"},
        {"$schema": ""},
        {"items": {"$schema": "https://json-schema.org/draft-07/schema?x=http://evil.example"}},
        # Called like data, these are schemas.
        {"properties": {"const": {"$ref": "http://evil.example"}}},
        {"$defs": {"enum": {"$ref": "http://evil.example"}}},
        {"properties": {"properties": {"items": {"$ref": "http://evil.example"}}}},
        # What is data here is a schema there.
        {"const": {"$ref": "http://evil.example"}, "$ref": "#/const"},
        {"const": {"$ref": "http://evil.example"}, "$ref": "#/%63onst"},
        {
            "properties": {"properties": {"default": {"$ref": "http://evil.example"}}},
            "$ref": "#/properties/properties/default",
        },
    ],
)
def test_a_schema_names_no_address(schema: dict[str, Any]) -> None:
    """Neither as its dialect nor in what only looks like data."""
    for operation, asked in schemas(schema):
        with pytest.raises(RequestError) as refused:
            check_request(operation, asked)
        assert "const, default" in refused.value.detail or "nothing is" in refused.value.detail


@pytest.mark.parametrize(
    "schema",
    [
        {"$schema": "https://json-schema.org/draft/2020-12/schema"},
        {"const": {"$ref": "http://example.com/x.json"}},
        {"enum": [{"$ref": "x.json", "$schema": "http://example.com"}, "$ref"]},
        {"properties": {"a": {"default": {"a": [{"$ref": "x"}]}, "examples": [{"$ref": "y"}]}}},
        {"properties": {"default": {"type": "string"}}, "items": {"$ref": "#/properties/default"}},
    ],
)
def test_what_a_schema_describes_is_no_reference(schema: dict[str, Any]) -> None:
    """Data may hold a member that is called like a reference, with anything in it."""
    for operation, asked in schemas(schema):
        assert check_request(operation, asked).body == asked
