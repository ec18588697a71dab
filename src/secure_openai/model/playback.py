"""A script played in the shapes of an operation, for the scripted model and its server."""

from __future__ import annotations

import json
from collections.abc import Iterator

from secure_openai.model import shapes, tool_calls
from secure_openai.model.interface import DONE, ServerSentEvent
from secure_openai.model.script import SLOW_SECONDS, Ending, Script
from secure_openai.types import JsonObject, Operation

ENDED = frozenset({Ending.WHOLE, Ending.CENSORED})
"""Endings that are a model's own."""


def whole(script: Script, body: JsonObject, operation: Operation) -> JsonObject:
    """Return the answer that is not streamed."""
    model = str(body.get("model", "scripted"))
    tokens = script.prompt_tokens
    match operation:
        case Operation.CHAT_COMPLETIONS if script.call is not None:
            return tool_calls.chat_completion(model, script.call, prompt_tokens=tokens)
        case Operation.CHAT_COMPLETIONS:
            answer = shapes.chat_completion(
                model, script.words, finish_reason=script.ending.value, prompt_tokens=tokens
            )
            return _enriched(answer, script, body)
        case Operation.RESPONSES if script.call is not None:
            return tool_calls.response(model, script.call, prompt_tokens=tokens)
        case Operation.RESPONSES:
            return shapes.response(
                model, script.words, finish_reason=script.ending.value, prompt_tokens=tokens
            )
        case Operation.EMBEDDINGS:
            given = body.get("input")
            texts = given if isinstance(given, list) else [str(given)]
            return shapes.embeddings(
                model,
                [str(text) for text in texts],
                as_base64=body.get("encoding_format") == "base64",
                prompt_tokens=tokens,
            )


def _enriched(answer: JsonObject, script: Script, body: JsonObject) -> JsonObject:
    """Return a chat completion with what was asked for besides words."""
    choice = answer["choices"][0]
    if script.thought:
        choice["message"]["reasoning_content"] = script.thought
        details = {"reasoning_tokens": len(script.thought.split())}
        answer["usage"]["completion_tokens_details"] = details
    if body.get("logprobs"):
        choice["logprobs"] = {"content": shapes.logprobs(script.words), "refusal": None}
    answer["choices"] = [choice | {"index": index} for index in range(body.get("n") or 1)]
    return answer


def events(
    script: Script, body: JsonObject, operation: Operation
) -> Iterator[tuple[float, ServerSentEvent]]:
    """Yield a stream's events, each with the pause before it, as far as the script goes."""
    payloads = _responses if operation is Operation.RESPONSES else _chat
    if script.ending in {Ending.STALLED, Ending.CUT} and not script.words:
        return
    for sequence, (seconds, payload) in enumerate(payloads(script, body)):
        if operation is Operation.RESPONSES:
            payload["sequence_number"] = sequence
        yield seconds, _event(payload)
    if script.ending is Ending.GARBAGE:
        yield 0.0, ServerSentEvent(b"data: garbage\n\n", b"garbage")
    if operation is Operation.CHAT_COMPLETIONS and script.ending in {*ENDED, Ending.GARBAGE}:
        yield 0.0, ServerSentEvent(b"data: " + DONE + b"\n\n", DONE)


def _chat(script: Script, body: JsonObject) -> Iterator[tuple[float, JsonObject]]:
    options = body.get("stream_options")
    with_usage = isinstance(options, dict) and bool(options.get("include_usage"))
    for seconds, payload in _chunks(script, body, with_usage=with_usage):
        # Asked for, it stands in every chunk, and says nothing before the last.
        stands = with_usage and "choices" in payload
        yield seconds, {**payload, "usage": payload.get("usage")} if stands else payload


def _chunks(
    script: Script, body: JsonObject, *, with_usage: bool
) -> Iterator[tuple[float, JsonObject]]:
    model = str(body.get("model", "scripted"))
    for payload in shapes.chat_begin(model):
        yield 0.0, payload
    if script.thought:
        yield 0.0, shapes.chat_delta(model, {"reasoning_content": script.thought})
    if script.call is not None:
        for payload in tool_calls.chat_deltas(model, script.call):
            yield 0.0, payload
    for word in script.words if script.call is None else ():
        delta = shapes.chat_delta(model, {"content": word})
        if body.get("logprobs"):
            told = {"content": shapes.logprobs([word]), "refusal": None}
            delta["choices"][0]["logprobs"] = told
        yield script.seconds, delta
    if script.ending is Ending.BROKEN:
        yield SLOW_SECONDS, shapes.error_body("server_error", "secret")
    if script.ending in ENDED:
        for payload in shapes.chat_end(
            model,
            len(script.words),
            finish_reason="tool_calls" if script.call is not None else script.ending.value,
            prompt_tokens=script.prompt_tokens,
            with_usage=with_usage,
        ):
            yield 0.0, payload


def _responses(script: Script, body: JsonObject) -> Iterator[tuple[float, JsonObject]]:
    model = str(body.get("model", "scripted"))
    if script.call is not None:
        tokens = script.prompt_tokens
        for payload in tool_calls.response_events(model, script.call, prompt_tokens=tokens):
            yield 0.0, payload
        return
    for payload in shapes.response_begin(model):
        yield 0.0, payload
    for word in script.words:
        yield script.seconds, shapes.response_delta(word)
    if script.ending is Ending.BROKEN:
        yield SLOW_SECONDS, shapes.response_failed(model)
    if script.ending in ENDED:
        for payload in shapes.response_end(
            model,
            script.words,
            finish_reason=script.ending.value,
            prompt_tokens=script.prompt_tokens,
        ):
            yield 0.0, payload


def _event(payload: JsonObject) -> ServerSentEvent:
    data = json.dumps(payload, separators=(",", ":")).encode()
    name = str(payload.get("type", "")).encode()
    named = b"event: " + name + b"\n" if name else b""
    return ServerSentEvent(named + b"data: " + data + b"\n\n", data, name)
