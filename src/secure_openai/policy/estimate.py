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


def estimate_prompt_tokens(body: JsonObject) -> int:
    """Return about how many prompt tokens a checked chat-completions body takes.

    Counts messages by their texts, a flat figure for an image, and everything else that reaches
    the model (tools, schemas) by the JSON it is.
    """
    messages = body.get("messages")
    total = sum(map(estimate_message_tokens, messages if isinstance(messages, list) else ()))
    for name in ("tools", "response_format", "tool_choice"):
        if body.get(name) is not None:
            total += estimate_text_tokens(json.dumps(body[name], ensure_ascii=False))
    return total


def estimate_message_tokens(message: JsonObject) -> int:
    """Return about how many tokens one message takes, its frame included."""
    content = message.get("content")
    total = MESSAGE_TOKENS
    for part in content if isinstance(content, list) else [content]:
        # An image stands here and nowhere else; its bytes are not what it costs.
        if isinstance(part, dict) and part.get("type") == "image_url":
            total += IMAGE_TOKENS
        else:
            total += _tokens(part)
    return total + sum(
        _tokens(value) for name, value in message.items() if name not in {"content", "role"}
    )


def _tokens(value: object) -> int:
    if isinstance(value, str):
        return estimate_text_tokens(value)
    if isinstance(value, list):
        return sum(map(_tokens, value))
    if isinstance(value, dict):
        return sum(estimate_text_tokens(name) + _tokens(item) for name, item in value.items())
    return 0 if value is None else 1
