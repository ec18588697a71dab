"""The small local model answers a real question through the whole stack."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest

from secure_openai.testing.person import sign_in
from tests.cli.test_commands import token_of
from tests.system import System, running

pytestmark = [pytest.mark.process, pytest.mark.local_model]

QUESTION = "What is the capital of France?"


async def by_chat(system: System) -> dict[str, Any]:
    """Ask through the first door, and return the answer as it is kept."""
    async with httpx2.AsyncClient(base_url=system.url, trust_env=False, timeout=60) as http:
        http.headers |= {"Origin": system.url, "Sec-Fetch-Site": "same-origin"}
        await sign_in(http, system.url, "Uma")
        made = await http.post("/api/conversations", json={"title": "France"})
        path = f"/api/conversations/{made.json()['id']}/messages"
        asked = await http.post(path, json={"text": QUESTION, "deployment": "local"})
        assert "event: end" in asked.text
        listed = await http.get(path)
        return dict(listed.json()["items"][1])


def test_a_real_question_is_answered_through_both_doors(tmp_path: Path) -> None:
    """The chat keeps a whole answer with its usage; the gateway names Paris, whole and streamed."""
    with running(tmp_path / "data", model="") as system:
        answer = asyncio.run(by_chat(system))
        assert answer["status"] == "complete"
        assert answer["text"].strip()
        assert answer["usage"]["completion_tokens"] > 0

        token = token_of(system)
        client = openai.OpenAI(base_url=system.openai_url, api_key=token, max_retries=0)
        messages: list[Any] = [{"role": "user", "content": QUESTION}]
        whole = client.chat.completions.create(model="local", messages=messages, temperature=0)
        stream = client.chat.completions.create(
            model="local", messages=messages, temperature=0, stream=True
        )
        streamed = "".join(
            chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices
        )
        assert "Paris" in str(whole.choices[0].message.content)
        assert "Paris" in streamed
        too_long: list[Any] = [{"role": "user", "content": "word " * 6000}]
        with pytest.raises(openai.BadRequestError, match="Shorten the conversation") as caught:
            client.chat.completions.create(model="local", messages=too_long)
        assert caught.value.code == "context_length_exceeded"
        client.close()
