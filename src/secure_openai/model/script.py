"""What the scripted model answers, chosen by the first word of the last user message.

    slow N       N words, one every 20 ms
    spell TEXT   TEXT, a word every 20 ms
    long N       N words at once
    late N       a whole answer, its headers N times 20 ms late
    mute         the answer's headers, then nothing more
    stall K      K words, then nothing more (without K: nothing at all)
    cut K        K words, then the connection breaks (without K: after the headers)
    broken K     K words, then after 20 ms an error where an event belongs
    throttle S   429 with Retry-After: S
    hurried N    429 with retry-after-ms: N
    small N      429 of a deployment that takes N tokens a minute
    fail         500
    away S       503 with Retry-After: S (without S: without it)
    reject       400: a parameter that the model does not take
    window       400: prompt and answer are larger than the window
    missing      404: there is no such deployment
    retired      410: its model was retired
    forbidden    403: our credential is refused
    filter       400: the prompt is blocked by the content filter, in Azure OpenAI's shape
    call TEXT    a call of the first tool offered, with {"text": TEXT}
    think TEXT   reasoning beside the answer
    censor K     K words, then the content filter stops the answer
    garbage      something that is not JSON
    …            "You said: …", a word at a time

Whoever asks for a JSON schema gets a value of it, and whoever sends a tool's result hears of it.

The shapes are Azure OpenAI's; see `model.shapes`.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Callable
from dataclasses import dataclass, field

from secure_openai.model.shapes import blocked_error, error_body
from secure_openai.model.tool_calls import Call
from secure_openai.types import JsonObject, Operation

SLOW_SECONDS = 0.02
WORDS = ("secure", "private", "keyless", "signed-in", "audited", "estate", "policy", "quota")
LARGEST_COUNT = 100_000


class Ending(enum.Enum):
    """How an answer ends."""

    WHOLE = "stop"
    CENSORED = "content_filter"
    STALLED = "stalled"
    CUT = "cut"
    BROKEN = "broken"
    GARBAGE = "garbage"


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is an error.

    Attributes:
        status: HTTP status.
        body: In Azure OpenAI's shape.
        headers: Those that matter.
    """

    status: int
    body: JsonObject
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Script:
    """An answer that begins.

    Attributes:
        words: What is said, each word with the space before it.
        seconds: Pause before each word.
        ending: How it ends.
        prompt_tokens: What is reported as the prompt's.
        late: Seconds before the headers.
        opened: Whether headers come though nothing else does.
        call: What is to be called, instead of words.
        thought: What is reasoned before the words.
    """

    words: tuple[str, ...]
    ending: Ending = Ending.WHOLE
    seconds: float = 0.0
    prompt_tokens: int = 0
    late: float = 0.0
    opened: bool = False
    call: Call | None = None
    thought: str = ""

    @property
    def text(self) -> str:
        """Return everything said."""
        return "".join(self.words)

    @property
    def silent(self) -> bool:
        """Return whether nothing at all is sent, ever."""
        return self.ending is Ending.STALLED and not self.words and not self.opened


def _throttled(count: int | None) -> Refusal:
    body = error_body("429", "Requests have exceeded the rate limit.")
    return Refusal(429, body, {"Retry-After": str(7 if count is None else count)})


def _hurried(count: int | None) -> Refusal:
    body = error_body("429", "Requests have exceeded the rate limit.")
    return Refusal(429, body, {"retry-after-ms": str(count or 0), "Retry-After": "60"})


def _small(count: int | None) -> Refusal:
    body = error_body("429", "Requests have exceeded the token rate limit.")
    return Refusal(429, body, {"x-ratelimit-limit-tokens": str(count or 0), "Retry-After": "60"})


def _away(count: int | None) -> Refusal:
    headers = {} if count is None else {"Retry-After": str(count)}
    return Refusal(503, error_body("ServiceUnavailable", "secret"), headers)


_REFUSALS: dict[str, Callable[[int | None], Refusal]] = {
    "throttle": _throttled,
    "hurried": _hurried,
    "small": _small,
    "away": _away,
    "fail": lambda _: Refusal(500, error_body("InternalServerError", "secret")),
    "reject": lambda _: Refusal(
        400, error_body("unsupported_parameter", "secret", param="temperature")
    ),
    "window": lambda _: Refusal(
        400, error_body("context_length_exceeded", "secret", param="messages")
    ),
    "missing": lambda _: Refusal(404, error_body("DeploymentNotFound", "secret")),
    "retired": lambda _: Refusal(410, error_body("ModelDeprecated", "secret")),
    "forbidden": lambda _: Refusal(403, error_body("PermissionDenied", "secret")),
}


def script_for(
    body: JsonObject, operation: Operation = Operation.CHAT_COMPLETIONS
) -> Script | Refusal:
    """Return what to answer."""
    prompt = last_text(body)
    prompt_tokens = len(json.dumps(body.get("messages") or body.get("input") or []).split())
    if (told := _told(body)) is not None:
        return Script(("The tool said:", f" {told}"), prompt_tokens=prompt_tokens)
    command, _, rest = prompt.partition(" ")
    count = min(int(rest), LARGEST_COUNT) if rest.isascii() and rest.isdigit() else None
    if command == "filter":
        return Refusal(400, blocked_error(operation))
    if command in _REFUSALS:
        return _REFUSALS[command](count)
    if command == "call" and (name := _tool_of(body)) is not None:
        call = Call(name, json.dumps({"text": rest}))
        return Script((call.arguments,), prompt_tokens=prompt_tokens, call=call)
    if (schema := _schema_of(body)) is not None:
        return Script((json.dumps(_value_of(schema)),), prompt_tokens=prompt_tokens)
    return _answer(prompt, command, count, prompt_tokens)


def _told(body: JsonObject) -> str | None:
    """Return what a tool gave back, where that is the last thing said."""
    said = body.get("messages") or body.get("input")
    last = said[-1] if isinstance(said, list) and said else None
    if not isinstance(last, dict):
        return None
    if last.get("role") == "tool":
        return str(last.get("content"))
    return str(last.get("output")) if last.get("type") == "function_call_output" else None


def _tool_of(body: JsonObject) -> str | None:
    for tool in body.get("tools") or []:
        function = tool.get("function", tool)
        return str(function.get("name"))
    return None


def _schema_of(body: JsonObject) -> JsonObject | None:
    chat = (body.get("response_format") or {}).get("json_schema")
    written = chat or (body.get("text") or {}).get("format") or {}
    schema = written.get("schema")
    return schema if isinstance(schema, dict) else None


def _value_of(schema: JsonObject) -> object:
    """Return a value of a simple schema."""
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "object":
        return {name: _value_of(rule) for name, rule in (schema.get("properties") or {}).items()}
    if schema.get("type") == "array":
        return [_value_of(schema.get("items") or {})]
    return {"integer": 7, "number": 1.5, "boolean": True}.get(str(schema.get("type")), "a text")


def _answer(prompt: str, command: str, count: int | None, prompt_tokens: int) -> Script:
    some = tuple(f" {WORDS[index % len(WORDS)]}" for index in range(count or 0))
    endings = {
        "stall": Ending.STALLED,
        "cut": Ending.CUT,
        "broken": Ending.BROKEN,
        "censor": Ending.CENSORED,
    }
    if command in endings:
        return Script(some, endings[command], prompt_tokens=prompt_tokens)
    if command == "mute":
        return Script((), Ending.STALLED, prompt_tokens=prompt_tokens, opened=True)
    if command == "garbage":
        return Script((), Ending.GARBAGE, prompt_tokens=prompt_tokens)
    if command in {"slow", "long"} and count:
        seconds = SLOW_SECONDS if command == "slow" else 0.0
        return Script(some, seconds=seconds, prompt_tokens=prompt_tokens)
    rest = prompt.partition(" ")[2]
    if command == "spell" and rest:
        first, *others = rest.split(" ")
        spelt = (first, *(f" {word}" for word in others))
        return Script(spelt, seconds=SLOW_SECONDS, prompt_tokens=prompt_tokens)
    words = ("You said:", *(f" {word}" for word in prompt.split(" ")))
    late = SLOW_SECONDS * (count or 0) if command == "late" else 0.0
    thought = "They greet me." if command == "think" else ""
    return Script(words, prompt_tokens=prompt_tokens, late=late, thought=thought)


def last_text(body: JsonObject) -> str:
    """Return what the user said last: of a chat, of a response's input, or the text to embed."""
    asked = body.get("input")
    if isinstance(asked, str):
        return asked
    for message in reversed(body.get("messages") or asked or []):
        if isinstance(message, str):
            return message
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, list) and content and isinstance(content[-1], dict):
            content = content[-1].get("text")
        if isinstance(content, str) and message.get("role") == "user":
            return content
    return ""
