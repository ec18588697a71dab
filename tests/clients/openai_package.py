"""The `openai` package as its users write it: `OpenAI` and `AzureOpenAI`, sync and async.

Reads GATEWAY and TOKEN; prints what it was told, as JSON.
"""

import asyncio
import json
import os
from typing import Any

import openai
from openai import AsyncAzureOpenAI, AsyncOpenAI, AzureOpenAI, OpenAI
from pydantic import BaseModel

GATEWAY, TOKEN = os.environ["GATEWAY"], os.environ["TOKEN"]
VERSION = "2024-10-21"
HELLO: list[Any] = [{"role": "user", "content": "hello there"}]
asked = 0


class Place(BaseModel):
    """What is asked for."""

    city: str
    people: int


class Weather(BaseModel):
    """Say the weather."""

    text: str


def token() -> str:
    """Return a token, as azure-identity's `get_bearer_token_provider` does."""
    global asked  # noqa: PLW0603 - how often it was asked is what is told
    asked += 1
    return TOKEN


async def async_token() -> str:
    """Return a token."""
    return token()


def sync(client: OpenAI) -> dict[str, Any]:
    """Use every API as it is used."""
    chat, tools = client.chat.completions, [openai.pydantic_function_tool(Weather)]
    stream = chat.create(model="scripted", messages=HELLO, stream=True)
    usage = chat.create(
        model="scripted", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    call: list[Any] = [{"role": "user", "content": "call Berlin"}]
    called = chat.parse(model="scripted", messages=call, tools=tools).choices[0].message
    message = chat.create(model="scripted", messages=call, tools=tools).choices[0].message
    result: Any = {"role": "tool", "tool_call_id": called.tool_calls[0].id, "content": "sun"}
    with chat.stream(model="scripted", messages=HELLO, response_format=Place) as events:
        streamed = events.get_final_completion().choices[0].message.parsed
    with client.responses.stream(model="scripted", input="hello there") as events:
        response = events.get_final_response()
    return {
        "chat": chat.create(model="scripted", messages=HELLO).choices[0].message.content,
        "stream": "".join(c.choices[0].delta.content or "" for c in stream if c.choices),
        "usage": [chunk.usage is not None for chunk in usage][-1],
        "called": called.tool_calls[0].function.parsed_arguments.text,
        "told": chat.create(model="scripted", messages=[*call, message, result], tools=tools)
        .choices[0]
        .message.content,
        "parsed": chat.parse(model="scripted", messages=HELLO, response_format=Place)
        .choices[0]
        .message.parsed.model_dump(),
        "streamed": streamed.model_dump(),
        "response": client.responses.create(model="scripted", input="hello there").output_text,
        "response stream": response.output_text,
        "response parsed": client.responses.parse(
            model="scripted", input="x", text_format=Place
        ).output_parsed.model_dump(),
        "embedded": len(client.embeddings.create(model="scripted", input="a").data[0].embedding),
        "models": [model.id for model in client.models.list()],
        "headers": sorted(
            name
            for name in chat.with_raw_response.create(model="scripted", messages=HELLO).headers
            if name.startswith("x-r")
        ),
    }


def sent_back(client: OpenAI) -> list[str]:
    """Send answers back as programs do: whole, dumped, with what the package made of them."""
    chat, tools = client.chat.completions, [openai.pydantic_function_tool(Weather)]
    call: list[Any] = [{"role": "user", "content": "call Berlin"}]
    named = [{"type": "function", "name": "weather", "parameters": {"type": "object"}}]
    with chat.stream(model="scripted", messages=call, tools=tools) as events:
        streamed = events.get_final_completion().choices[0].message
    called = chat.parse(model="scripted", messages=call, tools=tools).choices[0].message
    messages = [
        chat.create(model="scripted", messages=HELLO).choices[0].message,
        chat.parse(model="scripted", messages=HELLO, response_format=Place).choices[0].message,
        called,
        streamed,
    ]
    told = []
    for message in messages:
        for form in (message, message.model_dump(warnings=False), message.to_dict(warnings=False)):
            results: list[Any] = [
                {"role": "tool", "tool_call_id": one.id, "content": "sun"}
                for one in message.tool_calls or ()
            ]
            back = [*call, form, *results, *HELLO]
            answer = chat.create(model="scripted", messages=back, tools=tools)
            told.append(answer.choices[0].message.content)
    outputs = [
        client.responses.create(model="scripted", input="hello there").output,
        client.responses.parse(model="scripted", input="x", text_format=Place).output,
        client.responses.create(model="scripted", input="call Berlin", tools=named).output,
    ]
    for output in outputs:
        dumped = [item.model_dump(warnings=False) for item in output]
        for items in (output, dumped, [item.to_dict(warnings=False) for item in output]):
            results = [
                {"type": "function_call_output", "call_id": item.call_id, "output": "sun"}
                for item in output
                if item.type == "function_call"
            ]
            back = [*HELLO, *items, *results, *HELLO]
            told.append(client.responses.create(model="scripted", input=back).output_text)
    return told


async def asynchronous(client: AsyncOpenAI) -> dict[str, Any]:
    """Use the same without waiting."""
    chat = client.chat.completions
    stream = await chat.create(model="scripted", messages=HELLO, stream=True)
    events = await client.responses.create(model="scripted", input="hello there", stream=True)
    return {
        "stream": "".join([c.choices[0].delta.content or "" async for c in stream if c.choices]),
        "events": [event.type async for event in events][-1],
        "embedded": len(
            (await client.embeddings.create(model="scripted", input="a")).data[0].embedding
        ),
    }


def refused(**changed: Any) -> list[Any]:
    """Return what a mistake is raised as."""
    client = OpenAI(base_url=f"{GATEWAY}/openai/v1", api_key=TOKEN, max_retries=0)
    key = changed.pop("api_key", TOKEN)
    try:
        body = {"model": "scripted", "messages": HELLO} | changed
        client.with_options(api_key=key).chat.completions.create(**body)
    except openai.APIStatusError as error:
        return [type(error).__name__, error.code, error.param]
    return []


azure = {"azure_endpoint": GATEWAY, "api_version": VERSION}
print(
    json.dumps(
        {
            "OpenAI": sync(OpenAI(base_url=f"{GATEWAY}/openai/v1", api_key=token)),
            "AzureOpenAI": sync(AzureOpenAI(**azure, azure_ad_token_provider=token)),
            "AzureOpenAI by deployment": sync(
                AzureOpenAI(**azure, azure_deployment="scripted", api_key=TOKEN)
            )["chat"],
            "AsyncOpenAI": asyncio.run(
                asynchronous(AsyncOpenAI(base_url=f"{GATEWAY}/openai/v1", api_key=async_token))
            ),
            "AsyncAzureOpenAI": asyncio.run(
                asynchronous(AsyncAzureOpenAI(**azure, azure_ad_token_provider=async_token))
            ),
            "sent back": sent_back(OpenAI(base_url=f"{GATEWAY}/openai/v1", api_key=TOKEN)),
            "asked": asked > 20,
            "refused": {
                "key": refused(api_key="sk-static"),
                "model": refused(model="gpt-9"),
                "field": refused(user="x"),
                "filter": refused(messages=[{"role": "user", "content": "filter"}]),
                "busy": refused(messages=[{"role": "user", "content": "throttle 90"}]),
            },
        }
    )
)
