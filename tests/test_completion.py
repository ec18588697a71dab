"""A completion knows what was used and how it ended, whatever was asked and however it came."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any
from unittest import mock

import pytest

from secure_openai.completion import Admission, Completion, finish_reason_of
from secure_openai.errors import ModelError
from secure_openai.model.interface import Model, ModelRequest, WholeAnswer
from secure_openai.model.scripted import DEPLOYMENT, ScriptedModel
from secure_openai.policy.estimate import estimate_text_tokens
from secure_openai.store.usage import Reservation
from secure_openai.testing.model_contract import embeddings_request, request, response_request
from secure_openai.types import (
    JsonObject,
    Limits,
    Principal,
    PrincipalId,
    PrincipalKind,
    ReservationId,
    Usage,
    Verdict,
    utc_now,
)

UMA = Principal(PrincipalId("t", "uma"), PrincipalKind.PERSON, frozenset({"user"}))
LIMITS = Limits(1, 1, 1, 1, 1, 1, 1)


def completion_of(asked: ModelRequest, model: Model | None = None) -> Completion:
    """Return a completion that was admitted with five tokens of prompt and a hundred in all."""
    reservation = Reservation(
        id=ReservationId("r"),
        principal=UMA.id,
        deployment="scripted",
        tokens=100,
        made=utc_now(),
        expires=utc_now(),
    )
    return Completion(
        Admission(UMA, DEPLOYMENT, LIMITS, reservation, 5, asked),
        model or ScriptedModel([DEPLOYMENT]),
    )


async def ended(asked: ModelRequest) -> Completion:
    """Return a completion that was read to its end, whatever that was."""
    completion = completion_of(asked)
    with suppress(ModelError):
        if asked.stream:
            async for _ in completion.events():
                pass
        else:
            await completion.read()
    await completion.aclose()
    return completion


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("asking", [request, response_request])
async def test_usage_and_reason_are_the_models_own(asking: Any, stream: bool) -> None:
    """Chat completions and responses, streamed and not, end alike and are charged as reported."""
    completion = await ended(asking("hello there", stream=stream))

    assert completion.usage is not None
    assert completion.charge == completion.usage
    assert completion.usage.completion_tokens == 3
    assert (completion.finish_reason, completion.outcome) == ("stop", "completed")
    assert (completion.note, completion.verdicts, completion.member) == (None, (), "")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("asking", [request, response_request])
async def test_a_stopped_answer_says_by_what(asking: Any, stream: bool) -> None:
    """The category and its severity are facts; the sentence names what they mean."""
    completion = await ended(asking("censor 2", stream=stream))

    assert completion.finish_reason == "content_filter"
    assert completion.verdicts == (Verdict("answer", "violence", "medium", filtered=True),)
    assert completion.note is not None
    assert "stopped this answer (violence)" in completion.note


@pytest.mark.parametrize("asking", [request, response_request])
async def test_a_blocked_prompt_is_charged_its_prompt(asking: Any) -> None:
    """Azure bills what its filter looked at; the verdict is a fact."""
    completion = await ended(asking("filter"))

    assert completion.verdicts == (Verdict("prompt", "jailbreak", None, filtered=True),)
    assert completion.charge == Usage(5, 0, estimated=True)
    assert completion.outcome == "content-filtered"


@pytest.mark.parametrize("asking", [request, response_request])
@pytest.mark.parametrize("text", ["cut 3", "broken 3"])
async def test_an_answer_cut_off_is_charged_what_was_seen(asking: Any, text: str) -> None:
    """Prompt and one token an event, estimated; nothing is reported that never came."""
    completion = await ended(asking(text))

    assert completion.usage is None
    assert completion.charge is not None
    assert completion.charge.estimated
    assert completion.charge.completion_tokens >= 3
    assert completion.outcome == "model-failed"


@pytest.mark.parametrize("counts", [None, (5, 0), (10**9, 1), (5, 10**9)])
async def test_an_answer_whose_usage_cannot_be_is_charged_what_was_seen(
    counts: tuple[int, int] | None,
) -> None:
    """Not its whole reservation: the answer is there to be counted."""
    usage = counts and {"prompt_tokens": counts[0], "completion_tokens": counts[1]}
    answer = {"choices": [{"message": {"content": "hello there"}}], "usage": usage}
    body = json.dumps(answer).encode()
    model = mock.AsyncMock(deployments=[DEPLOYMENT])
    model.open.return_value.read.return_value = WholeAnswer(body, answer)
    completion = completion_of(request("hello", stream=False), model)
    await completion.read()

    seen = estimate_text_tokens(body.decode()) // 2
    assert completion.charge == Usage(5, seen, estimated=True)


async def test_embeddings_are_charged_their_prompt() -> None:
    """There is no answer to count, and no finish reason."""
    completion = await ended(embeddings_request("one", "three"))

    assert completion.charge == Usage(2, 0)
    assert completion.finish_reason is None


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        ({"status": "completed", "output": []}, "stop"),
        ({"status": "completed", "output": None}, "stop"),
        ({"status": "completed", "output": [{"type": "function_call"}]}, "tool_calls"),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "length"),
        (
            {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
            "content_filter",
        ),
        ({"status": "incomplete", "incomplete_details": {"reason": "LEAKED"}}, "other"),
        ({"status": "incomplete", "incomplete_details": None}, "other"),
        ({"status": "failed"}, "other"),
        ({"status": "LEAKED: a prompt"}, "other"),
        ({"status": "in_progress"}, None),
    ],
)
def test_how_a_response_ended_is_put_in_known_words(
    response: JsonObject, reason: str | None
) -> None:
    """A status is no place to write either; in an event and as an answer it reads the same."""
    assert finish_reason_of(response) == reason
    assert finish_reason_of({"type": "response.completed", "response": response}) == reason
