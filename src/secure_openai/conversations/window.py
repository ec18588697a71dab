"""Which turns of a conversation go to the model: the newest that fit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from secure_openai.conversations.prompt import PromptMessage
from secure_openai.types import Attachment, JsonObject, Message, Parameters


@dataclass(frozen=True, slots=True)
class Window:
    """The turns to send, oldest first.

    Attributes:
        turns: The turns; an instruction stands before them.
        left_out: How many earlier turns did not fit.
    """

    turns: list[PromptMessage]
    left_out: int

    @property
    def messages(self) -> list[JsonObject]:
        """Return the turns in the shape of the chat-completions API, without their files."""
        return [turn.message() for turn in self.turns]

    @property
    def note(self) -> str | None:
        """Return the sentence that tells the reader what the model did not see."""
        if not self.left_out:
            return None
        turns = "message was" if self.left_out == 1 else "messages were"
        return (
            f"The conversation is longer than the model's window: {self.left_out} earlier "
            f"{turns} left out."
        )


def newest_that_fit(
    text: str,
    earlier_newest_first: Iterable[Message],
    *,
    budget_tokens: int,
    total: int,
    attachments: tuple[Attachment, ...] = (),
    instruction: str | None = None,
) -> Window:
    """Choose the turns to send.

    Args:
        text: What the user asks now; always sent, however long (policy bounds it).
        earlier_newest_first: Stored turns, newest first; empty ones are skipped.
        budget_tokens: How many prompt tokens there are.
        total: How many earlier turns exist.
        attachments: The files that are sent now; like the text, always.
        instruction: What stands before everything; the same.
    """
    turns = [PromptMessage("user", text, attachments)]
    before = [] if instruction is None else [PromptMessage("system", instruction)]
    # The same estimate as policy's: what fits here is not refused there.
    spent = sum(turn.tokens for turn in (*before, *turns))
    seen = 0
    for message in earlier_newest_first:
        turn = PromptMessage.of(message)
        cost = turn.tokens if message.text else 0
        if spent + cost > budget_tokens:
            break
        seen += 1
        spent += cost
        if message.text:
            turns.append(turn)
    turns.reverse()
    # A window that begins with an answer to a question left out confuses models.
    if len(turns) > 1 and turns[0].role == "assistant" and seen < total:
        turns.pop(0)
        seen -= 1
    return Window([*before, *turns], total - seen)


def prompt_budget(parameters: Parameters, *, prompt_limit: int, answer_tokens: int) -> int:
    """Return how many prompt tokens policy and the model's window leave."""
    taken = parameters.prompt_tokens or parameters.window_tokens
    return max(0, min(prompt_limit, taken, parameters.window_tokens - answer_tokens))
