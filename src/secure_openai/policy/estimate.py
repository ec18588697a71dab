"""How many tokens a text takes, without a tokeniser to download.

The estimate bounds what is reserved; what is charged is what the model reports. English prose takes
about four characters a token, code and other scripts fewer: the estimate counts three and a half
UTF-8 bytes of ASCII, and one and a half of anything else, as a token, so that it errs upwards.
"""

from __future__ import annotations

import json
import math

from secure_openai.types import JsonObject

ASCII_BYTES_PER_TOKEN = 3.5
OTHER_BYTES_PER_TOKEN = 1.5
MESSAGE_TOKENS = 4
"""The frame around a message, by OpenAI's cookbook, "How to count tokens"."""

IMAGE_TOKENS = 1_105
"""A 1024 by 1024 image in high detail: 85 + 6 tiles of 170 (Azure OpenAI, "GPT-4 Turbo with Vision
concepts": image tokens); an upper figure for current models' first tile sizes."""


def estimate_text_tokens(text: str) -> int:
    """Return about how many tokens `text` takes; 0 for an empty text."""
    if text.isascii():
        return math.ceil(len(text) / ASCII_BYTES_PER_TOKEN)
    encoded = text.encode("utf-8", "replace")
    ascii_bytes = sum(byte < 128 for byte in encoded)  # noqa: PLR2004 - where ASCII ends
    others = len(encoded) - ascii_bytes
    return math.ceil(ascii_bytes / ASCII_BYTES_PER_TOKEN + others / OTHER_BYTES_PER_TOKEN)


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
