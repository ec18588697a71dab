"""The gateway described to programs: OpenAPI 3.1, made of the allow-lists that are enforced.

A rule of `tables/` becomes the JSON Schema (2020-12) of what it lets through, so that what is
described and what is taken are one.
"""

from __future__ import annotations

from typing import Any

from secure_openai.edge.openai_errors import PREFIX
from secure_openai.policy.fields import TABLES
from secure_openai.types import JsonObject, Operation

_VERSION = {
    "name": "api-version",
    "in": "query",
    "required": True,
    "description": "The answer is the same whatever it is.",
    "schema": {"type": "string", "enum": ["2024-10-21", "2025-04-01-preview", "v1"]},
}
_DEPLOYMENT = {
    "name": "deployment",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "minLength": 1, "maxLength": 64},
}
_MODEL = {**_DEPLOYMENT, "name": "model"}
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": "string"},
            },
        }
    },
}
_SUMMARIES = {
    Operation.CHAT_COMPLETIONS: "Answer a conversation",
    Operation.RESPONSES: "Answer, keeping nothing",
    Operation.EMBEDDINGS: "Embed texts",
}


def description(public_url: str) -> JsonObject:
    """Return the document."""
    paths: JsonObject = {
        f"{PREFIX}/v1/models": _reading("Models that one may ask"),
        f"{PREFIX}/v1/models/{{model}}": _reading("One of them", _MODEL),
        f"{PREFIX}/models": _reading("Models that one may ask", _VERSION),
        f"{PREFIX}/models/{{model}}": _reading("One of them", _MODEL, _VERSION),
    }
    for operation in Operation:
        paths[f"{PREFIX}/v1/{operation}"] = _asking(operation)
        if operation is Operation.RESPONSES:
            paths[f"{PREFIX}/{operation}"] = _asking(operation, _VERSION)
        else:
            dated = f"{PREFIX}/deployments/{{deployment}}/{operation}"
            paths[dated] = _asking(operation, _DEPLOYMENT, _VERSION)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Gateway",
            "version": "1",
            "description": "OpenAI's API under policy, with a Microsoft Entra token for a key.",
        },
        "servers": [{"url": public_url}],
        "security": [{"bearer": []}, {"api-key": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "api-key": {"type": "apiKey", "in": "header", "name": "api-key"},
            },
            "schemas": {"Error": _ERROR},
        },
    }


def _reading(summary: str, *parameters: JsonObject) -> JsonObject:
    return {"get": {"summary": summary, "parameters": [*parameters], "responses": _answers()}}


def _asking(operation: Operation, *parameters: JsonObject) -> JsonObject:
    known = TABLES[operation]
    schema = schema_of(known["request"], known["types"])
    if _DEPLOYMENT in parameters:
        schema["required"] = [name for name in schema["required"] if name != "model"]
        schema["properties"]["model"] = {"description": "Says nothing: the address decides."}
    streams = operation is not Operation.EMBEDDINGS
    return {
        "post": {
            "summary": _SUMMARIES[operation],
            "parameters": [*parameters],
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": schema}},
            },
            "responses": _answers(streams=streams),
        }
    }


def _answers(*, streams: bool = False) -> JsonObject:
    content: JsonObject = {"application/json": {"schema": {"type": "object"}}}
    if streams:
        content["text/event-stream"] = {"schema": {"type": "string"}}
    error = {
        "description": "An error in OpenAI's shape.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    return {
        "200": {"description": "The answer.", "content": content},
        "4XX": error,
        "5XX": error,
    }


def schema_of(rule: JsonObject, types: JsonObject) -> JsonObject:
    """Return the JSON Schema of what a rule lets through."""
    if "use" in rule:
        rule = types[rule["use"]] | {name: rule[name] for name in ("null",) if name in rule}
    schema = _SCHEMAS[rule["type"]](rule, types)
    if rule.get("null") and schema and rule["type"] != "nothing":
        return {"anyOf": [schema, {"type": "null"}]}
    return schema


def _object(rule: JsonObject, types: JsonObject) -> JsonObject:
    members = {name: schema_of(member, types) for name, member in rule["members"].items()}
    return {
        "type": "object",
        "properties": members,
        "required": list(rule.get("required", ())),
        "additionalProperties": False,
    }


def _list(rule: JsonObject, types: JsonObject) -> JsonObject:
    return {
        "type": "array",
        "items": schema_of(rule["items"], types),
        "minItems": rule.get("least", 0),
        "maxItems": rule["most"],
    }


def _text(rule: JsonObject, _: JsonObject) -> JsonObject:
    schema: JsonObject = {"type": "string"}
    for name, ours in (("enum", "values"), ("minLength", "least"), ("maxLength", "most")):
        if ours in rule:
            schema[name] = rule[ours]
    if "form" in rule:
        schema["pattern"] = f"^{rule['form']}"
    return schema


def _number(rule: JsonObject, _: JsonObject) -> JsonObject:
    return {"type": rule["type"], "minimum": rule["least"], "maximum": rule["most"]}


def _boolean(rule: JsonObject, _: JsonObject) -> JsonObject:
    return {"const": rule["only"]} if "only" in rule else {"type": "boolean"}


def _map(rule: JsonObject, types: JsonObject) -> JsonObject:
    return {
        "type": "object",
        "additionalProperties": schema_of(rule["items"], types),
        "maxProperties": rule["most"],
    }


def _either(rule: JsonObject, types: JsonObject) -> JsonObject:
    kinds = ("text", "integer", "list", "object")
    return {"anyOf": [schema_of(rule[kind], types) for kind in kinds if kind in rule]}


def _variant(rule: JsonObject, types: JsonObject) -> JsonObject:
    by, found = rule["by"], []
    for kind, variant in rule["variants"].items():
        schema = schema_of(variant, types)
        for one in schema.get("oneOf", [schema]):
            chosen: dict[str, Any] = {**one, "properties": {**one["properties"]}}
            chosen["properties"][by] = {"const": kind}
            if kind != rule.get("default"):
                chosen["required"] = sorted({*one["required"], by})
            found.append(chosen)
    return {"oneOf": found}


_SCHEMAS = {
    "boolean": _boolean,
    "either": _either,
    "integer": _number,
    "json": lambda _rule, _types: {},
    "left_out": lambda rule, _types: (
        {"type": "null"} if rule.get("only_null") else {"description": "The model is not sent it."}
    ),
    "list": _list,
    "map": _map,
    "nothing": lambda _rule, _types: {"type": "null"},
    "number": _number,
    "object": _object,
    "text": _text,
    "variant": _variant,
}
