"""What is sent: the checked body in the shape of its operation."""

from __future__ import annotations

import orjson

from secure_openai.model.interface import ModelRequest
from secure_openai.types import JsonObject, Operation


def wire_body(request: ModelRequest, *, named: bool = True, stores: bool = False) -> JsonObject:
    """Return what is sent: the checked value, with what is ours to write.

    Args:
        request: What is asked.
        named: Whether the body names the deployment; an address may do so instead.
        stores: Whether chat completions can be stored there, and so must be told not to be. Older
            versions and other servers refuse the word itself.
    """
    body = dict(request.body)
    body.pop("model", None)
    body.pop("store", None)
    options = body.pop("stream_options", None) or {}
    if named:
        body["model"] = request.deployment
    match request.operation:
        case Operation.CHAT_COMPLETIONS:
            body["stream"] = request.stream
            if request.stream:
                body["stream_options"] = {**options, "include_usage": True}
            if stores:
                body["store"] = False
        case Operation.RESPONSES:
            body["stream"] = request.stream
            if request.stream and options:
                body["stream_options"] = options
            # Unless it is told otherwise the service keeps a response for thirty days.
            body["store"] = False
        case Operation.EMBEDDINGS:
            body.pop("stream", None)
    return body


def wire_bytes(request: ModelRequest, *, named: bool = True, stores: bool = False) -> bytes:
    """Return what is sent, as UTF-8; see `wire_body`."""
    # A long prompt costs pydantic ten times as much, and `json` forty times.
    return orjson.dumps(wire_body(request, named=named, stores=stores))
