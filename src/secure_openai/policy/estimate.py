"""How many tokens a text takes, without a tokeniser to download.

The estimate bounds what is reserved; what is charged is what the model reports. English prose takes
about four characters a token, code and other scripts fewer: the estimate counts three and a half
ASCII characters, or one and a half of capitals, digits and signs where these prevail, and one and a
half UTF-8 bytes of anything else, as a token. It errs upwards for what people write, and downwards
by two fifths at most for what machines do (`tests/clients/test_estimate.py` holds it to that, by
the tokeniser of current models; `docs/gateway.md` has the table).
"""

from __future__ import annotations

import json
import math
import string

from secure_openai.types import JsonObject

ASCII_BYTES_PER_TOKEN = 3.5
DENSE_BYTES_PER_TOKEN = 1.5
SPARSE_BYTES_PER_TOKEN = 7.0
OTHER_BYTES_PER_TOKEN = 1.5
_SPARSE = string.ascii_lowercase.encode() + b" \t\r\n"
_OTHER = bytes(range(128, 256))
_SPARSE_AND_OTHER = _SPARSE + _OTHER
MESSAGE_TOKENS = 4
"""The frame around a message, by OpenAI's cookbook, "How to count tokens"."""

IMAGE_TOKENS = 1_105
"""A 1024 by 1024 image in high detail: 85 + 6 tiles of 170 (Azure OpenAI, "GPT-4 Turbo with Vision
concepts": image tokens); an upper figure for current models' first tile sizes."""


def estimate_text_tokens(text: str) -> int:
    """Return about how many tokens `text` takes; 0 for an empty text."""
    # `translate` looks at a byte in a nanosecond; a loop would take a hundred.
    if text.isascii():
        size = len(text)
        dense = len(text.encode().translate(None, _SPARSE))
        return math.ceil(_ascii_tokens(size, dense))
    encoded = text.encode("utf-8", "replace")
    size = len(encoded.translate(None, _OTHER))
    dense = len(encoded.translate(None, _SPARSE_AND_OTHER))
    return math.ceil(_ascii_tokens(size, dense) + (len(encoded) - size) / OTHER_BYTES_PER_TOKEN)


def _ascii_tokens(size: int, dense: int) -> float:
    spread = dense / DENSE_BYTES_PER_TOKEN + (size - dense) / SPARSE_BYTES_PER_TOKEN
    return max(size / ASCII_BYTES_PER_TOKEN, spread)


PARAMETERS = frozenset(
    {
        "dimensions",
        "encoding_format",
        "frequency_penalty",
        "include",
        "logit_bias",
        "logprobs",
        "max_completion_tokens",
        "max_output_tokens",
        "max_tokens",
        "model",
        "n",
        "parallel_tool_calls",
        "presence_penalty",
        "reasoning",
        "reasoning_effort",
        "seed",
        "stop",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "top_logprobs",
        "top_p",
        "truncation",
        "verbosity",
    }
)
"""Fields that steer the model and are not part of the prompt."""

IMAGES = frozenset({"image_url", "input_image"})


def estimate_prompt_tokens(body: JsonObject) -> int:
    """Return about how many prompt tokens a checked body takes.

    Counts messages and items by their texts, a flat figure for an image, a token written as its
    number as one, and everything else that reaches the model (tools, schemas, what policy admits)
    by the JSON it is.
    """
    total = 0
    for name, value in body.items():
        if name in PARAMETERS or value is None:
            continue
        if name == "messages" and isinstance(value, list):
            total += sum(map(estimate_message_tokens, value))
        elif name == "input" and isinstance(value, list):
            total += sum(
                estimate_message_tokens(item) if isinstance(item, dict) else _tokens(item)
                for item in value
            )
        elif isinstance(value, str):
            total += estimate_text_tokens(value) + MESSAGE_TOKENS
        else:
            total += estimate_text_tokens(json.dumps(value, ensure_ascii=False))
    return total


def estimate_message_tokens(message: JsonObject) -> int:
    """Return about how many tokens one message or item takes, its frame included."""
    total = MESSAGE_TOKENS
    for name, value in message.items():
        if name not in {"content", "output"}:
            total += 0 if name == "role" else _tokens(value)
            continue
        for part in value if isinstance(value, list) else [value]:
            # An image stands here and nowhere else; its bytes are not what it costs.
            if isinstance(part, dict) and part.get("type") in IMAGES:
                total += IMAGE_TOKENS
            else:
                total += _tokens(part)
    return total


def _tokens(value: object) -> int:
    if isinstance(value, str):
        return estimate_text_tokens(value)
    if isinstance(value, list):
        return sum(map(_tokens, value))
    if isinstance(value, dict):
        return sum(estimate_text_tokens(name) + _tokens(item) for name, item in value.items())
    return 0 if value is None else 1
