"""LiteLLM as a client. Reads GATEWAY and TOKEN; prints what it was told, as JSON."""

import json
import os

import litellm

GATEWAY, TOKEN = os.environ["GATEWAY"], os.environ["TOKEN"]
HELLO = [{"role": "user", "content": "hello there"}]
# Not azure_ad_token: LiteLLM 1.110 puts that into the body of embeddings too, where it is refused.
azure = {"api_base": GATEWAY, "api_version": "2024-10-21", "api_key": TOKEN}
plain = {"api_base": f"{GATEWAY}/openai/v1", "api_key": TOKEN}
found = {}
for name, options in {"azure": azure, "openai": plain}.items():
    model = f"{name}/scripted"
    stream = litellm.completion(model=model, messages=HELLO, stream=True, **options)
    found[name] = {
        "completion": litellm.completion(model=model, messages=HELLO, **options)
        .choices[0]
        .message.content,
        "stream": "".join(chunk.choices[0].delta.content or "" for chunk in stream),
        "embedded": len(
            litellm.embedding(model=model, input=["a"], **options).data[0]["embedding"]
        ),
    }
found["responses"] = (
    litellm.responses(model="openai/scripted", input="hello there", **plain)
    .output[0]
    .content[0]
    .text
)
try:
    busy = [{"role": "user", "content": "throttle 90"}]
    litellm.completion(model="openai/scripted", messages=busy, num_retries=0, **plain)
except litellm.RateLimitError as error:
    found["busy"] = type(error).__name__
print(json.dumps(found))
