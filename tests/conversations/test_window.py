"""Which turns go to the model."""

from dataclasses import replace
from datetime import UTC, datetime

from secure_openai.conversations.window import newest_that_fit, prompt_budget
from secure_openai.policy.estimate import estimate_text_tokens
from secure_openai.types import Author, ConversationId, Message, MessageId, Parameters

WORDS = "one two three four five six seven eight nine ten " * 4


def turns(count: int, text: str = WORDS) -> list[Message]:
    """Return `count` stored turns, newest first, the newest an answer."""
    authors = [Author.ASSISTANT, Author.USER]
    return [
        Message(
            id=MessageId(str(index)),
            conversation_id=ConversationId("c"),
            author=authors[index % 2],
            text=f"{index} {text}",
            created=datetime(2026, 1, 1, tzinfo=UTC),
        )
        for index in range(count)
    ]


def test_everything_that_fits_is_sent_oldest_first() -> None:
    """A short conversation goes whole, in its order, and nothing is said."""
    window = newest_that_fit("now", turns(2), budget_tokens=10_000, total=2)

    assert [turn["role"] for turn in window.messages] == ["user", "assistant", "user"]
    assert window.messages[-1]["content"] == "now"
    assert window.note is None


def test_the_newest_that_fit_are_sent_and_the_reader_is_told() -> None:
    """A long conversation loses its oldest turns, and the note says how many."""
    each = estimate_text_tokens(WORDS) + 10
    window = newest_that_fit("now", turns(10), budget_tokens=5 * each, total=10)

    assert 0 < window.left_out < 10
    assert window.messages[0]["role"] == "user"
    assert len(window.messages) == 10 - window.left_out + 1
    assert f"{window.left_out} earlier messages were left out" in (window.note or "")


def test_the_question_is_sent_even_alone() -> None:
    """With no room for history the question goes alone."""
    window = newest_that_fit("now", turns(1), budget_tokens=0, total=1)

    assert window.messages == [{"role": "user", "content": "now"}]
    assert "1 earlier message was left out" in (window.note or "")


def test_empty_turns_cost_nothing_and_are_not_sent() -> None:
    """An answer that never began is passed over."""
    empty = [replace(turns(1)[0], text="")]
    window = newest_that_fit("now", empty, budget_tokens=1000, total=1)

    assert window.messages == [{"role": "user", "content": "now"}]
    assert window.note is None


def test_the_budget_is_the_smaller_of_policy_and_window() -> None:
    """Policy and the model's window both bound the prompt; never below zero."""
    parameters = Parameters(window_tokens=1000)

    assert prompt_budget(parameters, prompt_limit=500, answer_tokens=100) == 500
    assert prompt_budget(parameters, prompt_limit=5000, answer_tokens=100) == 900
    assert prompt_budget(parameters, prompt_limit=5000, answer_tokens=2000) == 0
