"""How many tokens a text takes, without a tokeniser to download.

The estimate bounds what is reserved; what is charged is what the model reports. English prose takes
about four characters a token, code and other scripts fewer: the estimate counts three and a half
ASCII characters, or one and a half of capitals, digits and signs where these prevail, and one and a
half UTF-8 bytes of anything else, as a token. It errs upwards for what people write, and downwards
by two fifths at most for what machines do (`tests/clients/test_estimate.py` holds it to that, by
the tokeniser of current models; `docs/gateway.md` has the table).
"""

from __future__ import annotations

import base64
import json
import math
import string

from secure_openai.images import measured
from secure_openai.types import JsonObject

ASCII_BYTES_PER_TOKEN = 3.5
DENSE_BYTES_PER_TOKEN = 1.5
SPARSE_BYTES_PER_TOKEN = 7.0
OTHER_BYTES_PER_TOKEN = 1.5
_SPARSE = string.ascii_lowercase.encode() + b" \t\r\n"
_OTHER = bytes(range(128, 256))
MESSAGE_TOKENS = 4
"""The frame around a message, by OpenAI's cookbook, "How to count tokens"."""

IMAGE_TOKENS = 1_105
"""An image whose size is not known: one of 2048 by 4096 in high detail."""

IMAGE_BASE, IMAGE_TILE, TILE_SIDE = 85, 170, 512
LARGEST_SIDE, LARGEST_SHORT_SIDE = 2048, 768
"""How an image is counted: scaled to fit a square of 2048, then so that its shorter side has 768
pixels at most, then 170 tokens for each tile of 512 and 85 for the whole; 85 alone in low detail
(Azure OpenAI, "Overview": image tokens). Small reasoning models count patches instead, of which
Azure says nothing: theirs may take more than this says."""

MEASURED_CHARACTERS = 131_072
"""How much of an image's base64 is read for its size: what stands before it is less in most."""


def estimate_text_tokens(text: str) -> int:
    """Return about how many tokens `text` takes; 0 for an empty text."""
    encoded = text.encode("utf-8", "replace")
    # `translate` looks at a byte in a nanosecond; a loop would take a hundred.
    rest = encoded.translate(None, _SPARSE)
    dense = len(rest) if text.isascii() else len(rest.translate(None, _OTHER))
    others = len(rest) - dense
    size = len(encoded) - others
    spread = dense / DENSE_BYTES_PER_TOKEN + (size - dense) / SPARSE_BYTES_PER_TOKEN
    return math.ceil(max(size / ASCII_BYTES_PER_TOKEN, spread) + others / OTHER_BYTES_PER_TOKEN)


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

    Counts messages and items by their texts, an image by its tiles, a token written as its number
    as one, and everything else that reaches the model (tools, schemas, what policy admits) by the
    JSON it is.
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
        if name == "role":
            continue
        if isinstance(value, str):
            total += estimate_text_tokens(value)
        elif name in {"content", "output"}:
            total += sum(map(_part_tokens, value if isinstance(value, list) else [value]))
        else:
            total += _tokens(value)
    return total


def _part_tokens(part: object) -> int:
    # An image stands here and nowhere else; its bytes are not what it costs.
    if isinstance(part, dict) and part.get("type") in IMAGES:
        return _image_part_tokens(part)
    return _tokens(part)


def estimate_image_tokens(width: int, height: int) -> int:
    """Return how many tokens an image of so many pixels takes in high detail."""
    scale = min(1.0, LARGEST_SIDE / max(width, height))
    scale *= min(1.0, LARGEST_SHORT_SIDE / (min(width, height) * scale))
    # Rounded: a third of a third must not begin another tile.
    across, down = (
        max(1, math.ceil(round(side * scale / TILE_SIDE, 6))) for side in (width, height)
    )
    return IMAGE_BASE + IMAGE_TILE * across * down


def _image_part_tokens(part: JsonObject) -> int:
    """Return what an image takes: a chat's nests its address and detail, a response's does not."""
    image = part.get("image_url")
    told = image if isinstance(image, dict) else {"url": image, "detail": part.get("detail")}
    if told.get("detail") == "low":
        return IMAGE_BASE
    size = _size_in(told.get("url"))
    return IMAGE_TOKENS if size is None else estimate_image_tokens(*size)


def _size_in(url: object) -> tuple[int, int] | None:
    if not isinstance(url, str):
        return None
    begun = url[:MEASURED_CHARACTERS].partition(";base64,")[2]
    try:
        return measured(base64.b64decode(begun[: len(begun) // 4 * 4], validate=True))
    except ValueError:
        return None


def _tokens(value: object) -> int:
    if isinstance(value, str):
        return estimate_text_tokens(value)
    if isinstance(value, list):
        return sum(map(_tokens, value))
    if isinstance(value, dict):
        return sum(estimate_text_tokens(name) + _tokens(item) for name, item in value.items())
    return 0 if value is None else 1
