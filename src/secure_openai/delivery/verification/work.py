"""Whether the application does its work: it says that it is ready, and a chat comes back."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any, Final

from secure_openai.delivery.verification.calls import Caller, Reply
from secure_openai.delivery.verification.observation import Check, Observation, Outcome

ASKED: Final = "Answer with one word."
MOST_TOKENS: Final = 64
MOST_MODELS: Final = 5
"""Who is asked, one after the other: some of them embed and do not chat."""


async def ready(url: str, caller: Caller) -> Observation:
    """Return whether the application would serve: its audit can be written, its model answers."""
    reply = await caller.call(f"{url}/readyz")
    facts = {"status": reply.status}
    if reply.status == HTTPStatus.OK:
        return Observation(Check.READY, url, Outcome.HOLDS, "it says that it is ready", facts)
    says = reply.says or (
        f"it answers {reply.status}: its audit cannot be written, or no model is ready; "
        "secure-openai check --live says which, where its settings are"
    )
    return Observation(Check.READY, url, Outcome.FINDING, says, facts)


async def chat(url: str, caller: Caller, token: str) -> Observation:
    """Return whether a person gets an answer; neither question nor answer is kept.

    Args:
        url: The application's origin.
        caller: How.
        token: An access token for the application; `""` where there is none.
    """
    if not token:
        says = "there is no token of a person: give one with --token"
        return Observation(Check.CHAT, url, Outcome.UNSEEN, says)
    headers = {"Authorization": f"Bearer {token}"}
    listed = await caller.call(f"{url}/openai/v1/models", headers=headers)
    models = [str(one.get("id")) for one in _json(listed).get("data") or ()]
    if listed.status != HTTPStatus.OK or not models:
        return _refused(url, "the models that one may ask", listed, {})
    facts: dict[str, Any] = {}
    reply = listed
    for name in models[:MOST_MODELS]:
        reply = await _asked(url, caller, headers, name)
        facts = {"deployment": name, "status": reply.status}
        if reply.status == HTTPStatus.OK:
            break
    if reply.status != HTTPStatus.OK:
        return _refused(url, "a chat", reply, facts)
    answer = _json(reply)
    choices = answer.get("choices") or [{}]
    usage = answer.get("usage") or {}
    facts |= {
        "finish_reason": str(choices[0].get("finish_reason")),
        "total_tokens": int(usage.get("total_tokens") or 0),
    }
    says = f"{facts['deployment']} answered a person, {facts['total_tokens']} tokens in all"
    return Observation(Check.CHAT, url, Outcome.HOLDS, says, facts)


async def _asked(url: str, caller: Caller, headers: dict[str, str], model: str) -> Reply:
    body = {
        "model": model,
        "messages": [{"role": "user", "content": ASKED}],
        "max_completion_tokens": MOST_TOKENS,
    }
    return await caller.call(
        f"{url}/openai/v1/chat/completions",
        method="POST",
        headers={**headers, "Content-Type": "application/json"},
        body=json.dumps(body).encode(),
    )


def _refused(url: str, what: str, reply: Reply, facts: dict[str, Any]) -> Observation:
    error = _json(reply).get("error")
    code = str(error.get("code") or "") if isinstance(error, dict) else ""
    named = f" ({code})" if code else ""
    says = reply.says or f"a person was refused {what}: it answers {reply.status}{named}"
    return Observation(Check.CHAT, url, Outcome.FINDING, says, {**facts, "status": reply.status})


def _json(reply: Reply) -> dict[str, Any]:
    try:
        found = json.loads(reply.text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
