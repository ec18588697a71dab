"""Every API of the gateway, at both styles of address, by the unmodified `openai` package."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import openai
import pytest

from secure_openai.model.scripted_server import Served, scripted_model_app
from secure_openai.types import Operation
from tests.azure_cli import AZ, stand_in
from tests.edge.test_refusals import openai_error, problem
from tests.servers import listening, port_of, served
from tests.world import World, running_world

VERSION = "2024-10-21"
HELLO: list[Any] = [{"role": "user", "content": "hello there"}]
TOOL = {
    "name": "weather",
    "description": "Says the weather.",
    "parameters": {"type": "object", "properties": {"text": {"type": "string"}}},
}
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "people": {"type": "integer"}},
    "required": ["city", "people"],
    "additionalProperties": False,
}
PIXEL = "data:image/png;base64,iVBORw0KGgo="


def clients(world: World) -> list[openai.AsyncOpenAI]:
    """Return the package's client for each style of address."""
    token = world.token("Uma")
    return [
        openai.AsyncOpenAI(base_url=f"{world.url}/openai/v1", api_key=token, max_retries=0),
        openai.AsyncAzureOpenAI(
            azure_endpoint=world.url, api_version=VERSION, azure_ad_token=token, max_retries=0
        ),
        openai.AsyncAzureOpenAI(
            azure_endpoint=world.url, api_version=VERSION, api_key=token, max_retries=0
        ),
    ]


@pytest.fixture
async def seen(
    tmp_path: Path, identity_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[World, Served]]:
    """A gateway, and what its account of Azure OpenAI has seen of it."""
    stand_in(tmp_path, "az", AZ)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.defpath}")
    model, bound = scripted_model_app(), listening()
    model.state.served.bearer = "Bearer from az"
    account = {
        "url": f"http://127.0.0.1:{port_of(bound)}/",
        "priority": 1,
        "deployments": {"scripted": "gpt-5.4-mini", "embed": "text-embedding-3-small"},
    }
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(served(model, bound))
        world = await stack.enter_async_context(
            running_world(
                tmp_path,
                identity_folder,
                model_source="azure",
                model_accounts=json.dumps({"main": account}),
                policy=_policy(tmp_path),
            )
        )
        yield world, model.state.served


def _policy(folder: Path) -> Path:
    from importlib.resources import files

    path = folder / "policy.toml"
    text = (files("secure_openai.policy") / "default.toml").read_text("utf-8")
    fields = '[people.user]\nfields = ["service_tier"]'
    aliases = '\n[aliases]\n"gpt-4o" = "scripted"\n'
    path.write_text(text.replace("[people.user]", fields) + aliases)
    return path


async def test_every_api_answers_at_both_styles_of_address(world: World) -> None:
    """Chat completions, responses, embeddings and models, as OpenAI and as Azure have them."""
    for sdk in clients(world):
        async with sdk:
            chat = await sdk.chat.completions.create(model="scripted", messages=HELLO)
            response = await sdk.responses.create(model="scripted", input="hello there")
            embedded = await sdk.embeddings.create(model="scripted", input=["a", "bcd"])
            listed = await sdk.models.list()
            one = await sdk.models.retrieve("scripted")

        assert chat.choices[0].message.content == "You said: hello there"
        assert response.output_text == "You said: hello there"
        assert [len(item.embedding) for item in embedded.data] == [8, 8]
        assert embedded.usage.total_tokens > 0
        assert [model.id for model in listed.data] == ["scripted"] == [one.id]


async def test_streams_of_both_kinds_come_as_the_model_sends_them(world: World) -> None:
    """Every event of a response, typed and in order; every word of a chat completion."""
    for sdk in clients(world):
        async with sdk:
            chat = await sdk.chat.completions.create(model="scripted", messages=HELLO, stream=True)
            words = [chunk.choices[0].delta.content async for chunk in chat if chunk.choices]
            stream = await sdk.responses.create(model="scripted", input="hello there", stream=True)
            events = [event async for event in stream]

        assert "".join(word or "" for word in words) == "You said: hello there"
        assert events[0].type == "response.created"
        assert events[-1].type == "response.completed"
        assert [event.sequence_number for event in events] == list(range(len(events)))


async def test_tools_structure_images_and_what_was_thought_survive(world: World) -> None:
    """Tool calls and their results, JSON schemas, images, reasoning, log probabilities, choices."""
    tools: list[Any] = [{"type": "function", "function": TOOL}]
    asked: list[Any] = [{"role": "user", "content": "call Berlin"}]
    format_: Any = {
        "type": "json_schema",
        "json_schema": {"name": "place", "schema": SCHEMA, "strict": True},
    }
    picture: Any = [
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": PIXEL}},
                {"type": "text", "text": "what is it"},
            ],
        }
    ]
    for sdk in clients(world):
        async with sdk:
            create = sdk.chat.completions.create
            called = await create(model="scripted", messages=asked, tools=tools)
            message = called.choices[0].message
            assert message.tool_calls is not None
            result: Any = {
                "role": "tool",
                "tool_call_id": message.tool_calls[0].id,
                "content": "sun",
            }
            said: list[Any] = [*asked, message, result]
            told = await create(model="scripted", messages=said, tools=tools)
            structured = await create(model="scripted", messages=HELLO, response_format=format_)
            thought = await create(
                model="scripted",
                messages=[{"role": "user", "content": "think hard"}],
                logprobs=True,
                top_logprobs=2,
                n=2,
            )
            seen = await create(model="scripted", messages=picture)

        assert called.choices[0].finish_reason == "tool_calls"
        assert json.loads(message.tool_calls[0].function.arguments) == {"text": "Berlin"}  # type: ignore[union-attr]
        assert told.choices[0].message.content == "The tool said: sun"
        assert json.loads(structured.choices[0].message.content or "") == {
            "city": "a text",
            "people": 7,
        }
        assert len(thought.choices) == 2
        assert thought.choices[0].logprobs is not None
        assert (thought.choices[0].message.model_extra or {})["reasoning_content"]
        assert thought.usage is not None
        assert thought.usage.completion_tokens_details is not None
        assert seen.choices[0].message.content == "You said: what is it"


async def test_a_response_calls_tools_and_its_items_come_back(world: World) -> None:
    """The conversation is sent whole each time: nothing of it is kept anywhere."""
    tools: list[Any] = [{"type": "function", "strict": False, **TOOL}]
    for sdk in clients(world):
        async with sdk:
            history: list[Any] = [{"role": "user", "content": "call Berlin"}]
            called = await sdk.responses.create(model="scripted", input=history, tools=tools)
            (call,) = called.output
            assert call.type == "function_call"
            history += called.output
            history.append(
                {"type": "function_call_output", "call_id": call.call_id, "output": "sun"}
            )
            told = await sdk.responses.create(model="scripted", input=history, tools=tools)
            parsed = await sdk.responses.create(
                model="scripted",
                input="x",
                text={"format": {"type": "json_schema", "name": "place", "schema": SCHEMA}},
            )
            history = [*told.output, {"role": "user", "content": "and you"}]
            again = await sdk.responses.create(model="scripted", input=history)

        assert told.output_text == "The tool said: sun"
        assert json.loads(parsed.output_text) == {"city": "a text", "people": 7}
        assert again.output_text == "You said: and you"
        assert (again.model_extra or {})["store"] is False


async def test_what_goes_to_the_model_is_the_checked_value_and_none_of_the_headers(
    seen: tuple[World, Served],
) -> None:
    """The body is rebuilt; of the request's headers, nothing reaches the model."""
    world, model = seen
    sent = {
        "model": "gpt-4o",
        "input": [{"role": "user", "content": "héllo"}],
        "reasoning": {"effort": "low"},
        "store": False,
        "service_tier": "flex",
        "max_output_tokens": 20,
    }
    headers = {
        "X-Forwarded-For": "10.0.0.1",
        "Traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "OpenAI-Organization": "org-x",
        "OpenAI-Beta": "x",
        "User-Agent": "marker-agent",
        "Accept-Language": "de",
        "api-key": world.token("Uma"),
    }
    async with world.client(**world.bearer("Uma"), **headers) as http:
        http.headers["Authorization"] = f"Bearer {headers['api-key']}"
        answer = await http.post("/openai/v1/responses", json=sent)

    assert answer.status_code == 200, answer.text
    (request,) = model.requests
    assert request.body == sent | {"model": "scripted", "stream": False, "store": False}
    assert request.headers.keys() == {
        "accept",
        "accept-encoding",
        "authorization",
        "content-length",
        "content-type",
        "host",
        "user-agent",
        "x-ms-client-request-id",
    }
    assert request.headers["authorization"] == "Bearer from az"
    assert request.headers["user-agent"] == "azure-secure-openai"
    assert answer.headers.keys() <= {
        "cache-control",
        "content-length",
        "content-security-policy",
        "content-type",
        "cross-origin-opener-policy",
        "cross-origin-resource-policy",
        "permissions-policy",
        "referrer-policy",
        "x-content-type-options",
        "x-frame-options",
        "x-ratelimit-limit-requests",
        "x-ratelimit-limit-tokens",
        "x-ratelimit-remaining-requests",
        "x-ratelimit-remaining-tokens",
        "x-ratelimit-reset-requests",
        "x-ratelimit-reset-tokens",
        "x-request-id",
    }


async def test_aliases_are_names_of_deployments(seen: tuple[World, Served]) -> None:
    """An alias is listed, asked for in both styles, and audited as what it means."""
    world, model = seen
    for sdk in clients(world):
        async with sdk:
            listed = await sdk.models.list()
            await sdk.chat.completions.create(model="gpt-4o", messages=HELLO)
        assert [one.id for one in listed.data] == ["scripted", "embed", "gpt-4o"]

    assert {(body["model"], body["store"]) for body in model.bodies} == {("scripted", False)}
    assert {event.deployment for event in await world.settled()} == {"scripted"}


async def test_the_address_names_the_deployment(world: World) -> None:
    """In Azure's style what the body calls the model says nothing, as at Azure."""
    async with world.client(**world.bearer("Uma")) as http:
        path = f"/openai/deployments/scripted/chat/completions?api-version={VERSION}"
        for model in ("gpt-9", None, 7):
            body = {"model": model, "messages": HELLO}
            assert (await http.post(path, json=body)).status_code == 200
        for name in ("gpt-9", "..%2fx", "%2e%2e/x", "x%0d%0aHost:%20evil", "x%00", "x" * 300):
            address = path.replace("scripted", name)
            answer = await http.post(address, json={"messages": HELLO})
            assert answer.status_code in {400, 404}, name
            assert "evil" not in answer.text
            openai_error(answer, answer.status_code)


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/openai/deployments/scripted/chat/completions", 400, "api-version"),
        ("/openai/deployments/scripted/chat/completions?api-version=now", 400, "date"),
        ("/openai/deployments/scripted/chat/completions?api-version=2024-10-21&x=1", 400, "else"),
        ("/openai/responses?api-version=2024-10-21&api-version=2024-10-22", 400, "once"),
        ("/openai/deployments/scripted/extensions/chat/completions?api-version=v1", 404, "fetch"),
        ("/openai/v1/responses/resp_1/cancel", 404, "not kept"),
        ("/openai/v1/files", 404, "kept with the model's provider"),
        ("/openai/v1/nonsense", 404, "chat/completions, responses, embeddings, models"),
        ("/openai", 404, "chat/completions"),
        ("/openai/chat/completions", 404, "write /openai/v1/chat/completions."),
        ("/openai/v1/v1/responses", 404, "write /openai/v1/responses."),
        ("/openai/v1/completions", 404, "write chat/completions instead"),
    ],
)
async def test_addresses_follow_a_list(world: World, path: str, status: int, said: str) -> None:
    """What is not served says so, why, and what is."""
    async with world.client(**world.bearer("Uma")) as http:
        body = {"model": "scripted", "messages": HELLO, "input": "x"}
        error = openai_error(await http.post(path, json=body), status)

    assert said in error["message"]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/chat/completions", "/v1/embeddings"])
async def test_a_base_address_that_is_not_quite_ours_is_told(world: World, path: str) -> None:
    """Clients of OpenAI that were given the origin alone are told what is missing."""
    async with world.client(**world.bearer("Uma")) as http:
        said = problem(await http.post(path, json={}), 404)

    assert said == f"Write /openai/v1/{path.removeprefix('/v1').lstrip('/')}."


async def test_whoever_sends_a_key_is_told_what_to_send(world: World) -> None:
    """Nothing, and a key of OpenAI's: both say that it takes a token, and where."""
    async with world.client() as http:
        nothing = openai_error(await http.get("/openai/v1/models"), 401)
        key = openai_error(
            await http.get("/openai/v1/models", headers={"Authorization": "Bearer sk-1"}), 401
        )

    assert "Authorization: Bearer" in nothing["message"]
    assert "Entra" in nothing["message"]
    assert "Keys are not taken" in key["message"]
    assert "sk-1" not in key["message"]


async def test_methods_follow_a_list(world: World) -> None:
    """Another method is a 405 that names the right one."""
    async with world.client(**world.bearer("Uma")) as http:
        answer = await http.get("/openai/v1/responses")

    assert openai_error(answer, 405)["code"] == "method_not_allowed"
    assert answer.headers["allow"] == "POST"


RESPONSE_ATTACKS: dict[str, tuple[dict[str, Any], str]] = {
    "stored": ({"store": True}, "false"),
    "another's response": ({"previous_response_id": "resp_1"}, "send the conversation itself"),
    "a conversation": ({"conversation": "conv_1"}, "send the conversation itself"),
    "background": ({"background": True}, "false"),
    "a stored template": ({"prompt": {"id": "pmpt_1"}}, "send the text itself"),
    "data sources": ({"data_sources": []}, "does not fetch"),
    "metadata": ({"metadata": {"a": "b"}}, "metadata"),
    "unknown": ({"telepathy": 1}, "/telepathy"),
    "web search": ({"tools": [{"type": "web_search"}]}, "does not search"),
    "file search": ({"tools": [{"type": "file_search", "vector_store_ids": []}]}, "not read"),
    "code": ({"tools": [{"type": "code_interpreter", "container": {}}]}, "nothing is run"),
    "mcp": ({"tools": [{"type": "mcp", "server_url": "https://x"}]}, "nothing is called"),
    "image generation": ({"tools": [{"type": "image_generation"}]}, "images"),
    "a tool of theirs": ({"tool_choice": {"type": "web_search"}}, "function, custom"),
    "search results": ({"include": ["file_search_call.results"]}, "encrypted_content"),
    "a kept item": ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "not read"),
    "kept reasoning": (
        {"input": [{"type": "reasoning", "id": "rs_1", "summary": []}]},
        "missing",
    ),
    "remote image": (
        {
            "input": [
                {
                    "role": "user",
                    "content": [{"type": "input_image", "image_url": "https://x/y.png"}],
                }
            ]
        },
        "nothing is fetched",
    ),
    "kept image": (
        {
            "input": [
                {
                    "role": "user",
                    "content": [{"type": "input_image", "image_url": PIXEL, "file_id": "f"}],
                }
            ]
        },
        "not read",
    ),
    "a remote image from a tool": (
        {
            "input": [
                {
                    "type": "function_call_output",
                    "call_id": "c",
                    "output": [{"type": "input_image", "image_url": "https://x/y.png"}],
                }
            ]
        },
        "nothing is fetched",
    ),
    "file": (
        {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]},
        "send their text",
    ),
    "too long an answer": ({"max_output_tokens": 100_000}, "4096"),
    "no input": ({"input": []}, "1 to 2000"),
    "effort": ({"reasoning": {"effort": "low"}}, "leave it out"),
}


@pytest.mark.parametrize("attack", RESPONSE_ATTACKS)
async def test_a_response_fetches_keeps_and_runs_nothing(world: World, attack: str) -> None:
    """Each is refused by name in OpenAI's shape, and the model is not asked."""
    change, said = RESPONSE_ATTACKS[attack]
    async with world.client(**world.bearer("Uma")) as http:
        body = {"model": "scripted", "input": "hello"} | change
        error = openai_error(await http.post("/openai/v1/responses", json=body), 400)

    assert said in error["message"] + str(error["param"])
    assert "completion.admitted" not in {event.action for event in await world.events()}


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"input": ""}, 400, "characters"),
        ({"input": []}, 400, "1 to 8192"),
        ({"input": [[]]}, 400, "1 to 8192"),
        ({"input": [1.5]}, 400, "text or list or integer"),
        ({"input": {"a": 1}}, 400, "text or list"),
        ({"user": "x"}, 400, "sign-in"),
        ({"stream": True}, 400, "/stream"),
        ({"encoding_format": "hex"}, 400, "float, base64"),
        ({"input": ["word " * 30_000]}, 413, "24000"),
    ],
)
async def test_embeddings_are_bounded(
    world: World, change: dict[str, Any], status: int, said: str
) -> None:
    """Each is refused in OpenAI's shape; what is embedded counts as a prompt."""
    async with world.client(**world.bearer("Uma")) as http:
        body = {"model": "scripted", "input": "hello"} | change
        error = openai_error(await http.post("/openai/v1/embeddings", json=body), status)

    assert said in error["message"] + str(error["param"])


async def test_embeddings_take_tokens_and_are_charged_what_they_took(world: World) -> None:
    """Texts and token numbers; no answer is reserved, and the reported prompt is charged."""
    async with clients(world)[0] as sdk:
        await sdk.embeddings.create(model="scripted", input=[1, 2, 3])
        await sdk.embeddings.create(model="scripted", input=[[1, 2], [3]], dimensions=8)
        packed: Any = await sdk.embeddings.create(
            model="scripted", input="a", encoding_format="base64"
        )
    admitted = [e for e in await world.events() if e.action == "completion.admitted"]
    settled = await world.settled()

    assert isinstance(packed.data[0].embedding, str)
    assert [(event.facts or {})["tokens_reserved"] for event in admitted][:1] == [3]
    assert {(event.facts or {})["completion_tokens"] for event in settled} == {0}


@pytest.mark.parametrize("operation", list(Operation))
async def test_what_policy_admits_passes_and_what_it_cannot_does_not(
    seen: tuple[World, Served], operation: Operation
) -> None:
    """A field that the role's policy names passes for that role and for no other."""
    world, model = seen
    embeds = operation is Operation.EMBEDDINGS
    body: dict[str, Any] = {"model": "embed" if embeds else "scripted", "service_tier": "flex"}
    body |= {"messages": HELLO} if operation is Operation.CHAT_COMPLETIONS else {"input": "hi"}
    daemon = world.provider.issuance.application_token()
    async with world.client() as http:
        path = f"/openai/v1/{operation}"
        passed = await http.post(path, json=body, headers=world.bearer("Uma"))
        refused = await http.post(path, json=body, headers={"Authorization": f"Bearer {daemon}"})

    assert passed.status_code == 200, passed.text
    assert [body["service_tier"] for body in model.bodies] == ["flex"]
    assert openai_error(refused, 400)["code"] == "field_not_allowed"
