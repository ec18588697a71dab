"""What is sent: the checked body in the shape of its operation."""

from __future__ import annotations

from pydantic import TypeAdapter

from secure_openai.model.interface import ModelRequest
from secure_openai.types import JsonObject, Operation

_JSON = TypeAdapter(JsonObject)
"""Writes JSON several times as fast as `json`, of which a long prompt costs most."""


def wire_body(request: ModelRequest, *, named: bool = True) -> JsonObject:
    """Return what is sent: the checked value, with what is ours to write.

    Args:
        request: What is asked.
        named: Whether the body names the deployment; an address may do so instead.
    """
    body = dict(request.body)
    body.pop("model", None)
    body.pop("stream_options", None)
    if named:
        body["model"] = request.deployment
    match request.operation:
        case Operation.CHAT_COMPLETIONS:
            body["stream"] = request.stream
            if request.stream:
                body["stream_options"] = {"include_usage": True}
        case Operation.RESPONSES:
            body["stream"] = request.stream
            # Unless it is told otherwise the service keeps a response for thirty days.
            body["store"] = False
        case Operation.EMBEDDINGS:
            body.pop("stream", None)
    return body


def wire_bytes(request: ModelRequest, *, named: bool = True) -> bytes:
    """Return what is sent, as UTF-8."""
    return _JSON.dump_json(wire_body(request, named=named))
