"""What the scripted model answers, chosen by the first word of the last user message.

    slow N       N words, one every 20 ms
    long N       N words at once
    stall K      K words, then nothing more (without K: nothing at all)
    cut K        K words, then the connection breaks
    throttle S   429 with Retry-After: S
    fail         500
    reject       400: a parameter that the model does not take
    filter       400: the prompt is blocked by the content filter, in Azure OpenAI's shape
    censor K     K words, then the content filter stops the answer
    garbage      something that is not JSON
    …            "You said: …", a word at a time

The shapes are Azure OpenAI's: a first event with `prompt_filter_results`, deltas with
`content_filter_results`, and a last one with usage.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Iterator
from dataclasses import dataclass

from secure_openai.types import JsonObject

SLOW_SECONDS = 0.02
WORDS = ("secure", "private", "keyless", "signed-in", "audited", "estate", "policy", "quota")
LARGEST_COUNT = 100_000


class Ending(enum.Enum):
    """How an answer ends."""

    WHOLE = "stop"
    CENSORED = "content_filter"
    STALLED = "stalled"
    CUT = "cut"
    GARBAGE = "garbage"


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is an error.

    Attributes:
        status: HTTP status.
        body: In Azure OpenAI's shape.
        retry_after: Seconds.
        categories: Which categories of the content filter blocked the prompt.
    """

    status: int
    body: JsonObject
    retry_after: int | None = None
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Script:
    """An answer that begins.

    Attributes:
        words: What is said, each word with the space before it.
        seconds: Pause before each word.
        ending: How it ends.
        prompt_tokens: What is reported as the prompt's.
    """

    words: tuple[str, ...]
    ending: Ending = Ending.WHOLE
    seconds: float = 0.0
    prompt_tokens: int = 0

    @property
    def text(self) -> str:
        """Return everything said."""
        return "".join(self.words)

    @property
    def usage(self) -> JsonObject:
        """Return the usage reported: a word is a token."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": len(self.words),
            "total_tokens": self.prompt_tokens + len(self.words),
        }


def script_for(body: JsonObject) -> Script | Refusal:  # noqa: C901, PLR0911 - a table
    """Return what to answer."""
    prompt = _last_text(body)
    prompt_tokens = len(json.dumps(body.get("messages", [])).split())
    command, _, rest = prompt.partition(" ")
    count = min(int(rest), LARGEST_COUNT) if rest.isascii() and rest.isdigit() else None
    some = tuple(f" {WORDS[index % len(WORDS)]}" for index in range(count or 0))
    match command:
        case "throttle":
            error = {"code": "429", "message": "Requests have exceeded the rate limit."}
            return Refusal(429, {"error": error}, retry_after=count or 7)
        case "fail":
            return Refusal(500, {"error": {"code": "InternalServerError", "message": "secret"}})
        case "reject":
            error = {"code": "unsupported_parameter", "param": "temperature", "message": "secret"}
            return Refusal(400, {"error": error})
        case "filter":
            return Refusal(400, _blocked(), categories=("jailbreak",))
        case "stall":
            return Script(some, Ending.STALLED, prompt_tokens=prompt_tokens)
        case "cut":
            return Script(some, Ending.CUT, prompt_tokens=prompt_tokens)
        case "censor":
            return Script(some, Ending.CENSORED, prompt_tokens=prompt_tokens)
        case "garbage":
            return Script((), Ending.GARBAGE, prompt_tokens=prompt_tokens)
        case "slow" if count:
            return Script(some, seconds=SLOW_SECONDS, prompt_tokens=prompt_tokens)
        case "long" if count:
            return Script(some, prompt_tokens=prompt_tokens)
        case _:
            words = tuple(f" {word}" for word in prompt.split(" "))
            return Script(("You said:", *words), prompt_tokens=prompt_tokens)


def completion(script: Script, body: JsonObject) -> JsonObject:
    """Return an answer that is not streamed."""
    return {
        **_frame(body, "chat.completion"),
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": script.text},
                "finish_reason": script.ending.value,
                "content_filter_results": _SAFE,
            }
        ],
        "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": _SAFE}],
        "usage": script.usage,
    }


def chunks(script: Script, body: JsonObject) -> Iterator[tuple[float, JsonObject]]:
    """Yield a stream's payloads, each with the pause before it, as far as the script goes."""
    frame = _frame(body, "chat.completion.chunk")
    yield (
        0.0,
        {
            **frame,
            "choices": [],
            "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": _SAFE}],
        },
    )
    yield 0.0, _chunk(frame, {"role": "assistant", "content": ""}, None)
    for word in script.words:
        yield script.seconds, _chunk(frame, {"content": word}, None)
    if script.ending in {Ending.WHOLE, Ending.CENSORED}:
        yield 0.0, _chunk(frame, {}, script.ending.value)
        options = body.get("stream_options")
        if isinstance(options, dict) and options.get("include_usage"):
            yield 0.0, {**frame, "choices": [], "usage": script.usage}


_SAFE = {
    name: {"filtered": False, "severity": "safe"}
    for name in ("hate", "self_harm", "sexual", "violence")
}


def _frame(body: JsonObject, kind: str) -> JsonObject:
    return {
        "id": "chatcmpl-scripted",
        "object": kind,
        "created": 1_760_000_000,
        "model": body.get("model", "scripted"),
        "system_fingerprint": None,
    }


def _chunk(frame: JsonObject, delta: JsonObject, finish_reason: str | None) -> JsonObject:
    choice = {
        "index": 0,
        "delta": delta,
        "finish_reason": finish_reason,
        "content_filter_results": _SAFE if delta.get("content") else {},
    }
    return {**frame, "choices": [choice]}


def _blocked() -> JsonObject:
    """Return Azure OpenAI's error for a blocked prompt ("Content filtering", scenario details)."""
    return {
        "error": {
            "message": "The response was filtered due to the prompt triggering the policy.",
            "type": None,
            "param": "prompt",
            "code": "content_filter",
            "status": 400,
            "innererror": {
                "code": "ResponsibleAIPolicyViolation",
                "content_filter_result": {
                    **_SAFE,
                    "jailbreak": {"filtered": True, "detected": True},
                },
            },
        }
    }


def _last_text(body: JsonObject) -> str:
    for message in reversed(body.get("messages") or []):
        content = message.get("content")
        if message.get("role") == "user" and isinstance(content, str):
            return content
    return ""
