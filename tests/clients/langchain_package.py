"""LangChain as its users write it. Reads GATEWAY and TOKEN; prints what it was told, as JSON."""

import json
import os

from langchain_core.tools import tool
from langchain_openai import AzureChatOpenAI, AzureOpenAIEmbeddings, ChatOpenAI
from pydantic import BaseModel

GATEWAY, TOKEN = os.environ["GATEWAY"], os.environ["TOKEN"]
VERSION = "2024-10-21"


class Place(BaseModel):
    """A place."""

    city: str
    people: int


@tool
def weather(text: str) -> str:
    """Say the weather."""
    return f"sun in {text}"


azure = AzureChatOpenAI(
    azure_endpoint=GATEWAY,
    azure_deployment="scripted",
    api_version=VERSION,
    azure_ad_token_provider=lambda: TOKEN,
)
plain = ChatOpenAI(base_url=f"{GATEWAY}/openai/v1", api_key=TOKEN, model="scripted")
responses = ChatOpenAI(
    base_url=f"{GATEWAY}/openai/v1", api_key=TOKEN, model="scripted", use_responses_api=True
)
embeddings = AzureOpenAIEmbeddings(
    azure_endpoint=GATEWAY,
    azure_deployment="scripted",
    api_version=VERSION,
    azure_ad_token=TOKEN,
    check_embedding_ctx_length=False,
)
found = {}
for name, model in {"azure": azure, "plain": plain, "responses": responses}.items():
    history = [("user", "call Berlin")]
    called = model.bind_tools([weather]).invoke(history)
    results = [weather.invoke(call) for call in called.tool_calls]
    found[name] = {
        "invoke": model.invoke("hello there").text,
        "stream": "".join(chunk.text for chunk in model.stream("hello there")),
        "tool": [call["args"] for call in called.tool_calls],
        "told": model.bind_tools([weather]).invoke([*history, called, *results]).text,
        "structured": model.with_structured_output(Place, method="json_schema")
        .invoke("x")
        .model_dump(),
    }
print(json.dumps(found | {"embedded": len(embeddings.embed_query("a"))}))
