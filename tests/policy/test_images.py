"""An image in a request is the image itself, and counts by its size."""

from __future__ import annotations

import base64
import io
from typing import Any

import pytest
from PIL import Image

from secure_openai.errors import RequestError
from secure_openai.policy.estimate import (
    IMAGE_TOKENS,
    estimate_image_tokens,
    estimate_message_tokens,
)
from secure_openai.policy.fields import check_chat_completions, check_request
from secure_openai.types import Operation


@pytest.mark.parametrize(
    ("width", "height", "tokens"),
    [
        (1024, 1024, 765),
        (2048, 4096, 1105),
        (4096, 8192, 1105),
        (512, 512, 255),
        (1, 1, 255),
        (8192, 2048, 85 + 4 * 170),
        (2048, 700, 85 + 8 * 170),
        (10_000, 1, 85 + 4 * 170),
    ],
)
def test_an_image_is_estimated_by_its_tiles(width: int, height: int, tokens: int) -> None:
    """Azure's own examples come out as Azure says; nothing is scaled up."""
    assert estimate_image_tokens(width, height) == tokens


def test_a_sent_image_is_measured() -> None:
    """An image in either API counts by the size in its bytes and by its detail."""
    file = io.BytesIO()
    Image.new("RGB", (600, 600)).save(file, "PNG")
    url = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    spoilt = url[:40] + "*" + url[41:]

    def tokens(part: dict[str, Any]) -> int:
        return estimate_message_tokens({"role": "user", "content": [part]}) - 4

    chat = {"type": "image_url", "image_url": {"url": url}}
    assert tokens(chat) == estimate_image_tokens(600, 600) == 85 + 4 * 170
    assert tokens({"type": "input_image", "image_url": url}) == tokens(chat)
    assert tokens({"type": "input_image", "image_url": url, "detail": "low"}) == 85
    assert tokens({"type": "image_url", "image_url": {"url": url, "detail": "low"}}) == 85
    assert tokens({"type": "image_url", "image_url": {"url": spoilt}}) == IMAGE_TOKENS
    assert tokens({"type": "image_url"}) == IMAGE_TOKENS


ADDRESSES = (
    "http://evil.example/x.png",
    "HTTPS://evil.example/x.png",
    "//evil.example/x.png",
    "file:///etc/passwd",
    " data:image/png;base64,AAAA",
    "data:image/http://evil.example",
    "data:image/png,http://evil.example",
    "data:image/svg+xml;base64,PHN2Zz4=",
    "data:image/svg+xml,<svg xmlns:x='http://evil.example'/>",
    "data:text/html;base64,AAAA",
    "x\ndata:image/png;base64,AAAA",
)


@pytest.mark.parametrize("url", ADDRESSES)
def test_an_image_is_the_image_itself(url: str) -> None:
    """Whatever else stands in its place, or could lead elsewhere, is refused in both APIs."""
    chat = [{"type": "image_url", "image_url": {"url": url}}]
    response = [{"type": "input_image", "image_url": url}]
    with pytest.raises(RequestError, match="nothing is fetched"):
        check_chat_completions({"model": "m", "messages": [{"role": "user", "content": chat}]})
    for item in (
        {"role": "user", "content": response},
        {"type": "function_call_output", "call_id": "c", "output": response},
    ):
        with pytest.raises(RequestError, match="nothing is fetched"):
            check_request(Operation.RESPONSES, {"model": "m", "input": [item]})


@pytest.mark.parametrize("kind", ["png", "jpeg", "jpg", "gif", "webp", "bmp"])
def test_every_kind_of_image_that_azure_reads_passes(kind: str) -> None:
    """By the name that clients write (Azure OpenAI, "Vision-enabled chat model concepts")."""
    part = {"type": "image_url", "image_url": {"url": f"data:image/{kind};base64,AAAA"}}
    asked = {"model": "m", "messages": [{"role": "user", "content": [part]}]}

    assert check_chat_completions(asked).body == asked
