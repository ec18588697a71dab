"""The clients that people have, unmodified, against the running gateway.

Each is a program of its own in an environment of its own (`requirements/clients.txt`,
`tests/clients/package-lock.json`; `make test` installs both), told an address and a token.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.clients.programs import HERE, NODE, PYTHON, TEXT, told
from tests.world import World

PLACE = {"city": "a text", "people": 7}


async def test_the_openai_package(gateway: World) -> None:
    """`OpenAI` and `AzureOpenAI`, sync and async: everything that the gateway serves."""
    found = json.loads(await told(gateway, PYTHON, HERE / "openai_package.py"))
    used = {
        "chat": TEXT,
        "stream": TEXT,
        "usage": True,
        "called": "Berlin",
        "told": "The tool said: sun",
        "parsed": PLACE,
        "streamed": PLACE,
        "response": TEXT,
        "response stream": TEXT,
        "response parsed": PLACE,
        "embedded": 8,
        "models": ["scripted"],
        "headers": [
            "x-ratelimit-limit-requests",
            "x-ratelimit-limit-tokens",
            "x-ratelimit-remaining-requests",
            "x-ratelimit-remaining-tokens",
            "x-ratelimit-reset-requests",
            "x-ratelimit-reset-tokens",
            "x-request-id",
        ],
    }
    unhurried = {"stream": TEXT, "events": "response.completed", "embedded": 8}

    assert found == {
        "OpenAI": used,
        "AzureOpenAI": used,
        "AzureOpenAI by deployment": TEXT,
        "AsyncOpenAI": unhurried,
        "AsyncAzureOpenAI": unhurried,
        "sent back": [TEXT] * 21,
        "asked": True,
        "refused": {
            "key": ["AuthenticationError", "invalid_api_key", None],
            "model": ["NotFoundError", "model_not_found", None],
            "field": ["BadRequestError", "field_not_allowed", "user"],
            "filter": ["BadRequestError", "content_filter", None],
            "busy": ["RateLimitError", "rate_limit_exceeded", None],
        },
    }


async def test_langchain(gateway: World) -> None:
    """`AzureChatOpenAI`, `ChatOpenAI` (responses too) and embeddings: streams, tools, structure."""
    found = json.loads(await told(gateway, PYTHON, HERE / "langchain_package.py"))
    used = {
        "invoke": TEXT,
        "stream": TEXT,
        "tool": [{"text": "Berlin"}],
        "told": "The tool said: sun in Berlin",
        "structured": PLACE,
    }

    assert found == {"azure": used, "plain": used, "responses": used, "embedded": 8}


async def test_litellm(gateway: World) -> None:
    """LiteLLM as a client, as `azure/` and as `openai/`."""
    local = {"LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    said = await told(gateway, PYTHON, HERE / "litellm_package.py", **local)
    # It prints advice of its own before.
    found = json.loads(said.strip().splitlines()[-1])
    used = {"completion": TEXT, "stream": TEXT, "embedded": 8}

    assert found == {
        "azure": used,
        "openai": used,
        "responses": TEXT,
        "busy": "RateLimitError",
    }


async def test_llm(gateway: World) -> None:
    """The `llm` command, told by its own file of models."""
    folder = gateway.settings.data.parent / "llm"
    folder.mkdir()
    model: dict[str, Any] = {
        "model_id": "gateway",
        "model_name": "scripted",
        "api_key_name": "gateway",
        "api_base": f"{gateway.url}/openai/v1",
        "supports_schema": True,
    }
    # JSON is YAML.
    (folder / "extra-openai-models.yaml").write_text(json.dumps([model]))
    command: list[str | Path] = [
        PYTHON,
        "-m",
        "llm",
        "-m",
        "gateway",
        "--key",
        gateway.token("Uma"),
    ]
    where = {"LLM_USER_PATH": str(folder)}
    streamed = await told(gateway, *command, "hello there", **where)
    whole = await told(gateway, *command, "--no-stream", "hello there", **where)
    schema = await told(gateway, *command, "--schema", "city, people int", "x", **where)

    assert [streamed.strip(), whole.strip()] == [TEXT, TEXT]
    assert json.loads(schema) == PLACE


async def test_the_javascript_openai_package(gateway: World) -> None:
    """`OpenAI` and `AzureOpenAI` of the other package: streams, tools run, structure, responses."""
    found = json.loads(await told(gateway, NODE, HERE / "openai_package.mjs"))
    used = {
        "chat": TEXT,
        "stream": TEXT,
        "told": "The tool said: sun in Berlin",
        "parsed": PLACE,
        "response": TEXT,
        "response stream": TEXT,
        "embedded": 8,
    }

    assert found == {
        "OpenAI": used,
        "AzureOpenAI": used,
        "refused": ["AuthenticationError", "invalid_api_key"],
    }


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not there")
async def test_curl(gateway: World) -> None:
    """A line of the shell, in both styles and with the token in either header."""
    token = gateway.token("Uma")
    body = json.dumps(
        {"model": "scripted", "messages": [{"role": "user", "content": "hello there"}]}
    )
    common: list[str | Path] = [
        "curl",
        "-sS",
        "-N",
        "-H",
        "Content-Type: application/json",
        "-d",
        body,
    ]
    whole = await told(
        gateway,
        *common,
        "-H",
        f"Authorization: Bearer {token}",
        f"{gateway.url}/openai/v1/chat/completions",
    )
    dated = await told(
        gateway,
        *common,
        "-H",
        f"api-key: {token}",
        f"{gateway.url}/openai/deployments/scripted/chat/completions?api-version=2024-10-21",
    )

    for text in (whole, dated):
        assert json.loads(text)["choices"][0]["message"]["content"] == TEXT
