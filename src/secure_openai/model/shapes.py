"""The shapes in which Azure OpenAI answers, for whoever stands in for it.

Sources: Azure OpenAI REST API reference; OpenAI API reference, chat completions, responses
(streaming events) and embeddings; Microsoft Learn, "Content filtering" (annotations).
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator, Sequence

from secure_openai.types import JsonObject, Operation

CREATED = 1_760_000_000
DIMENSIONS = 8
HARMS = ("hate", "self_harm", "sexual", "violence")
SAFE = {name: {"filtered": False, "severity": "safe"} for name in HARMS}
UNSAFE = {**SAFE, "violence": {"filtered": True, "severity": "medium"}}
ATTACKED = {**SAFE, "jailbreak": {"filtered": True, "detected": True}}


def error_body(code: str, message: str, *, param: str | None = None) -> JsonObject:
    """Return an error's body."""
    return {"error": {"code": code, "message": message, "param": param, "type": None}}


def blocked_error(operation: Operation) -> JsonObject:
    """Return the error of a prompt that the content filter blocked."""
    error: JsonObject = {
        "message": "The response was filtered due to the prompt triggering the policy.",
        "type": None,
        "param": "prompt",
        "code": "content_filter",
    }
    if operation is Operation.RESPONSES:
        error["content_filters"] = [_filters("prompt", ATTACKED, blocked=True)]
    else:
        error["status"] = 400
        error["innererror"] = {
            "code": "ResponsibleAIPolicyViolation",
            "content_filter_result": ATTACKED,
        }
    return {"error": error}


def _filters(source: str, results: JsonObject, *, blocked: bool) -> JsonObject:
    return {"blocked": blocked, "source_type": source, "content_filter_results": results}


def _usage(words: int, prompt_tokens: int) -> JsonObject:
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": words,
        "total_tokens": prompt_tokens + words,
    }


def _frame(kind: str, model: str) -> JsonObject:
    return {
        "id": "chatcmpl-scripted",
        "object": kind,
        "created": CREATED,
        "model": model,
        "system_fingerprint": None,
    }


def chat_completion(
    model: str, words: Sequence[str], *, finish_reason: str, prompt_tokens: int
) -> JsonObject:
    """Return a chat completion that is not streamed."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": "".join(words)},
        "finish_reason": finish_reason,
        "content_filter_results": UNSAFE if finish_reason == "content_filter" else SAFE,
    }
    return {
        **_frame("chat.completion", model),
        "choices": [choice],
        "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": SAFE}],
        "usage": _usage(len(words), prompt_tokens),
    }


def logprobs(words: Sequence[str]) -> list[JsonObject]:
    """Return log probabilities of words, each a token."""
    return [
        {"token": word, "logprob": -0.5, "bytes": list(word.encode()), "top_logprobs": []}
        for word in words
    ]


def chat_begin(model: str) -> Iterator[JsonObject]:
    """Yield what comes before the first word: the prompt's filter results, then the role."""
    frame = _frame("chat.completion.chunk", model)
    results = [{"prompt_index": 0, "content_filter_results": SAFE}]
    yield {**frame, "choices": [], "prompt_filter_results": results}
    yield chat_delta(model, {"role": "assistant", "content": ""})


def chat_delta(model: str, delta: JsonObject, *, finish_reason: str | None = None) -> JsonObject:
    """Return one chunk."""
    results = SAFE if delta.get("content") else {}
    choice = {
        "index": 0,
        "delta": delta,
        "finish_reason": finish_reason,
        "content_filter_results": UNSAFE if finish_reason == "content_filter" else results,
    }
    return {**_frame("chat.completion.chunk", model), "choices": [choice]}


def chat_end(
    model: str, words: int, *, finish_reason: str, prompt_tokens: int, with_usage: bool
) -> Iterator[JsonObject]:
    """Yield what comes after the last word."""
    yield chat_delta(model, {}, finish_reason=finish_reason)
    if with_usage:
        frame = _frame("chat.completion.chunk", model)
        yield {**frame, "choices": [], "usage": _usage(words, prompt_tokens)}


ITEM = "msg_scripted"


def response(
    model: str, words: Sequence[str] | None, *, finish_reason: str, prompt_tokens: int
) -> JsonObject:
    """Return a response as it stands: under way while `words` is `None`."""
    filtered = finish_reason == "content_filter"
    whole: JsonObject = {
        "id": "resp_scripted",
        "object": "response",
        "created_at": CREATED,
        "model": model,
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "output": [],
        "parallel_tool_calls": True,
        "store": False,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": None,
    }
    if words is None:
        return whole
    return whole | {
        "status": "incomplete" if filtered else "completed",
        "incomplete_details": {"reason": "content_filter"} if filtered else None,
        "output": [_message(words, status="incomplete" if filtered else "completed")],
        "content_filters": [
            _filters("prompt", SAFE, blocked=False),
            _filters("completion", UNSAFE if filtered else SAFE, blocked=filtered),
        ],
        "usage": {
            "input_tokens": prompt_tokens,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": len(words),
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": prompt_tokens + len(words),
        },
    }


def _message(words: Sequence[str] | None, *, status: str) -> JsonObject:
    content = [] if words is None else [_part("".join(words))]
    return {
        "id": ITEM,
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": content,
    }


def _part(text: str) -> JsonObject:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def response_begin(model: str) -> Iterator[JsonObject]:
    """Yield the events before the first word."""
    under_way = response(model, None, finish_reason="", prompt_tokens=0)
    yield {"type": "response.created", "response": under_way}
    yield {"type": "response.in_progress", "response": under_way}
    item = _message(None, status="in_progress")
    yield {"type": "response.output_item.added", "output_index": 0, "item": item}
    yield _in_part("response.content_part.added", part=_part(""))


def response_delta(word: str) -> JsonObject:
    """Return the event of one word."""
    return _in_part("response.output_text.delta", delta=word, logprobs=[])


def response_end(
    model: str, words: Sequence[str], *, finish_reason: str, prompt_tokens: int
) -> Iterator[JsonObject]:
    """Yield the events after the last word; the last of them ends the stream."""
    whole = response(model, words, finish_reason=finish_reason, prompt_tokens=prompt_tokens)
    item = whole["output"][0]
    yield _in_part("response.output_text.done", text="".join(words), logprobs=[])
    yield _in_part("response.content_part.done", part=item["content"][0])
    yield {"type": "response.output_item.done", "output_index": 0, "item": item}
    yield {"type": f"response.{whole['status']}", "response": whole}


def response_failed(model: str) -> JsonObject:
    """Return the event of a response that fails under way."""
    failed = response(model, None, finish_reason="", prompt_tokens=0)
    failed |= {"status": "failed", "error": {"code": "server_error", "message": "secret"}}
    return {"type": "response.failed", "response": failed}


def _in_part(kind: str, **more: object) -> JsonObject:
    return {"type": kind, "item_id": ITEM, "output_index": 0, "content_index": 0, **more}


def embeddings(
    model: str, texts: Sequence[str], *, as_base64: bool, prompt_tokens: int
) -> JsonObject:
    """Return one vector a text, the same for the same text."""
    vectors = [[(len(text) + index) / 100 for index in range(DIMENSIONS)] for text in texts]
    packed = [
        base64.b64encode(struct.pack(f"<{DIMENSIONS}f", *vector)).decode() for vector in vectors
    ]
    return {
        "object": "list",
        "model": model,
        "data": [
            {"object": "embedding", "index": index, "embedding": vector}
            for index, vector in enumerate(packed if as_base64 else vectors)
        ],
        "usage": {"prompt_tokens": prompt_tokens, "total_tokens": prompt_tokens},
    }
