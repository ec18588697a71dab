"""What error answers and the content filter's results mean, in every shape that Azure has."""

from __future__ import annotations

import pytest

from secure_openai.errors import (
    ContentFiltered,
    DeploymentMissing,
    DeploymentRetired,
    DeploymentTooSmall,
    ModelError,
    ModelRejected,
    ModelThrottled,
    ModelTimeout,
)
from secure_openai.model.content_filter import (
    CATEGORIES,
    OTHER,
    categories_of,
    named,
    told_in,
    verdicts_of,
    worst,
)
from secure_openai.model.refusals import ErrorAnswer, error_event, error_of
from secure_openai.model.shapes import ATTACKED, SAFE, UNSAFE, error_body
from secure_openai.testing.model_contract import request
from secure_openai.types import JsonObject, Verdict

ASKED = request("hello")


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (400, error_body("model_deprecated", "x"), DeploymentRetired, "retired the model"),
        (404, error_body("model_not_found", "x"), DeploymentMissing, "does not exist there"),
        (404, {}, DeploymentMissing, "Nothing answers at the address"),
        (410, {}, DeploymentRetired, "deploy its successor"),
        (400, error_body("OperationNotSupported", "x"), ModelRejected, "answer chat/completions"),
        (400, error_body("a b; drop", "x", param="messages"), ModelRejected, r"request \(messages"),
        (408, {}, ModelTimeout, "in time"),
        (504, {}, ModelTimeout, "in time"),
    ],
)
def test_what_an_error_answer_means(
    status: int, body: JsonObject, kind: type[ModelError], said: str
) -> None:
    """Status and code decide; only plain names of it are repeated; what may be billed says so."""
    error = error_of(ErrorAnswer(status, {}, body), ASKED)

    assert type(error) is kind
    with pytest.raises(ModelError, match=said):
        raise error
    assert error.billable == (status in {408, 504})


@pytest.mark.parametrize(("capacity", "small"), [("99", True), ("100", False), ("soon", False)])
def test_a_request_over_the_capacity_is_not_told_to_wait(capacity: str, small: bool) -> None:
    """A hundred tokens do not fit into ninety-nine a minute, ever; into a hundred they do."""
    headers = {"x-ratelimit-limit-tokens": capacity, "Retry-After": "5"}
    error = error_of(ErrorAnswer(429, headers, {}), ASKED)

    assert type(error) is (DeploymentTooSmall if small else ModelThrottled)
    assert error.retry_after == (None if small else 5)


WAITS = {
    "5": 5,
    "Fri, 01 Jan 2021 00:00:00 GMT": 0,
    "": None,
    "-5": None,
    "nan": None,
    "1e999": None,
    "9" * 400: None,
    "\u0663": None,
    "Wed, 99 Oct 2030 00:00:00 GMT": None,
    "Mon, 01 Jan 2024 00:00:00 +9999999999999": None,
    "Mon, 01 Jan 99999999999999999999 00:00:00 GMT": None,
}
"""What a service may write as Retry-After, and how long it means."""


@pytest.mark.parametrize("written", WAITS)
def test_how_long_to_wait(written: str) -> None:
    """Seconds and dates are read; what is neither says nothing, and is no fault of ours."""
    error = error_of(ErrorAnswer(429, {"Retry-After": written}, {}), ASKED)

    assert error.retry_after == WAITS[written]


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        ({"error": {"message": "secret"}}, ModelError),
        ({"type": "error", "code": "server_error", "message": "secret"}, ModelError),
        ({"type": "error", "error": {"code": "rate_limit_exceeded"}}, ModelThrottled),
        ({"type": "error", "code": "rate_limit_exceeded"}, ModelThrottled),
        ({"type": "response.failed", "response": {"error": {"code": "x"}}}, ModelError),
        ({"type": "response.failed", "response": {"error": None}}, ModelError),
        ({"type": "response.failed"}, ModelError),
        ({"error": {"code": "content_filter"}}, ContentFiltered),
        (
            {
                "type": "response.failed",
                "response": {
                    "error": {"code": "content_filter"},
                    "content_filters": [{"source_type": "prompt"}],
                },
            },
            ContentFiltered,
        ),
        ({"choices": [], "error": None}, None),
        ({"type": "response.created", "response": {"error": None}}, None),
    ],
)
def test_errors_in_a_stream_are_known(payload: JsonObject, kind: type[ModelError] | None) -> None:
    """Both APIs' shapes; the model's own text stays here; other events are no errors."""
    error = error_event(payload)

    assert error is None if kind is None else type(error) is kind
    assert error is None or "secret" not in error.detail


def filters(source: str, results: JsonObject) -> JsonObject:
    """Return one entry of the Responses API's list."""
    return {"source_type": source, "blocked": True, "content_filter_results": results}


JAILBREAK = Verdict("prompt", "jailbreak", None, filtered=True)
VIOLENCE = Verdict("answer", "violence", "medium", filtered=True)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"prompt_filter_results": [{"content_filter_results": ATTACKED}]}, [JAILBREAK]),
        ({"prompt_annotations": [{"content_filter_results": ATTACKED}]}, [JAILBREAK]),
        ({"choices": [{"content_filter_results": UNSAFE}]}, [VIOLENCE]),
        ({"error": {"innererror": {"content_filter_result": ATTACKED}}}, [JAILBREAK]),
        ({"error": {"content_filters": [filters("prompt", ATTACKED)]}}, [JAILBREAK]),
        ({"content_filters": [filters("completion", UNSAFE)]}, [VIOLENCE]),
        (
            {"response": {"content_filters": [filters("prompt", ATTACKED), filters("", UNSAFE)]}},
            [JAILBREAK, VIOLENCE],
        ),
        ({"choices": [{"content_filter_results": SAFE}], "response": None}, []),
        ({"choices": [None, {"content_filter_results": {"hate": "x"}}], "error": 1}, []),
        (
            {"choices": [{"content_filter_results": {"LEAKED: a prompt": {"filtered": True}}}]},
            [Verdict("answer", "other", None, filtered=True)],
        ),
        (
            {"choices": [{"content_filter_results": {"hate": {"severity": "LEAKED"}}}]},
            [],
        ),
        (
            {"choices": [{"content_filter_results": {"indirect_attack": {"detected": True}}}]},
            [Verdict("answer", "indirect_attack", None, filtered=False)],
        ),
    ],
)
def test_what_the_filter_found_is_read_from_every_shape(
    payload: JsonObject, expected: list[Verdict]
) -> None:
    """Categories and severities of a known list, and never a word that somebody else wrote."""
    assert verdicts_of(payload) == expected


def test_the_gravest_verdict_stays() -> None:
    """Of one category the stopped one counts most, then the severest; each source has its own."""
    low = Verdict("answer", "hate", "low", filtered=False)
    high = Verdict("answer", "hate", "high", filtered=False)
    stopped = Verdict("answer", "hate", None, filtered=True)
    asked = Verdict("prompt", "hate", "low", filtered=False)

    assert worst([low, high, asked, low]) == (high, asked)
    assert worst([high, stopped, low]) == (stopped,)
    assert categories_of([stopped, high, asked], "answer") == ("hate",)
    assert categories_of([high], "answer") == ()


def test_categories_are_put_in_words() -> None:
    """A person reads what a category means, and nothing where there is none."""
    assert "carries instructions of its own" in named(["indirect_attack"])
    assert named(["other"]) == " (another rule)"
    assert named([]) == ""


@pytest.mark.parametrize("said", ["blocked this prompt", "stopped this answer"])
def test_a_sentence_of_the_filter_is_read_again(said: str) -> None:
    """Every category that it names, whatever stands around it; other sentences are none."""
    names = (*CATEGORIES, OTHER)

    note = f"The window is short: 2 left out. The content filter {said}{named(names)}. Ask again."
    assert names == told_in(note)
    assert told_in(f"The content filter {said}.") == ()
    assert told_in("The answer reached the largest length allowed and stops here.") is None
