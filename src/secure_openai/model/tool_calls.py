"""A call of a tool in the shapes of both APIs, for whoever stands in for Azure OpenAI.

Sources: OpenAI API reference, chat completions (`tool_calls`), responses (`function_call` and its
streaming events).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from secure_openai.model import shapes
from secure_openai.types import JsonObject

CALL_ID = "call_scripted"


@dataclass(frozen=True, slots=True)
class Call:
    """What a model wants called.

    Attributes:
        name: The function.
        arguments: JSON, as text.
    """

    name: str
    arguments: str


def chat_completion(model: str, call: Call, *, prompt_tokens: int) -> JsonObject:
    """Return a chat completion that calls."""
    whole = shapes.chat_completion(
        model, [call.arguments], finish_reason="tool_calls", prompt_tokens=prompt_tokens
    )
    whole["choices"][0]["message"] |= {"content": None, "tool_calls": [_called(call)]}
    return whole


def chat_deltas(model: str, call: Call) -> Iterator[JsonObject]:
    """Yield the chunks of a call: who is called, then the arguments in two pieces."""
    begun = {"index": 0, **_called(Call(call.name, ""))}
    yield shapes.chat_delta(model, {"tool_calls": [begun]})
    half = len(call.arguments) // 2
    for piece in (call.arguments[:half], call.arguments[half:]):
        delta = {"index": 0, "function": {"arguments": piece}}
        yield shapes.chat_delta(model, {"tool_calls": [delta]})


def _called(call: Call) -> JsonObject:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": CALL_ID, "type": "function", "function": function}


def response(model: str, call: Call, *, prompt_tokens: int) -> JsonObject:
    """Return a response that calls."""
    whole = shapes.response(
        model, [call.arguments], finish_reason="stop", prompt_tokens=prompt_tokens
    )
    return whole | {"output": [_item(call, "completed")]}


def response_events(model: str, call: Call, *, prompt_tokens: int) -> Iterator[JsonObject]:
    """Yield the events of a response that calls."""
    whole = response(model, call, prompt_tokens=prompt_tokens)
    under_way = shapes.response(model, None, finish_reason="", prompt_tokens=0)
    place = {"item_id": shapes.ITEM, "output_index": 0}
    yield {"type": "response.created", "response": under_way}
    begun = _item(Call(call.name, ""), "in_progress")
    yield {"type": "response.output_item.added", "output_index": 0, "item": begun}
    kind = "response.function_call_arguments"
    yield {"type": f"{kind}.delta", **place, "delta": call.arguments}
    yield {"type": f"{kind}.done", **place, "name": call.name, "arguments": call.arguments}
    item = whole["output"][0]
    yield {"type": "response.output_item.done", "output_index": 0, "item": item}
    yield {"type": "response.completed", "response": whole}


def _item(call: Call, status: str) -> JsonObject:
    return {
        "id": shapes.ITEM,
        "type": "function_call",
        "status": status,
        "call_id": CALL_ID,
        "name": call.name,
        "arguments": call.arguments,
    }
