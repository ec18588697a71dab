"""What has been said so far: kept in memory while somebody sits there, and nowhere else."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from secure_openai.errors import SecureOpenAIError
from secure_openai.terminal.gateway import Answer, Gateway, Turn

NOTES = {
    "length": "The answer reached the largest length allowed and stops here.",
    "content_filter": "The content filter stopped this answer. Ask in another way.",
}
"""What an end says to the reader; the other ends need no word."""


class Conversation:
    """Several questions to one deployment, each with those before it.

    Args:
        gateway: Whom to ask.
        deployment: Who answers.
        system: What is said to the model beforehand; empty for nothing.
    """

    def __init__(self, gateway: Gateway, deployment: str, system: str = "") -> None:
        self.gateway = gateway
        self.deployment = deployment
        self.answer: Answer | None = None
        self._system = system
        self._turns: list[Turn] = []

    def begin(self) -> None:
        """Forget what was said."""
        self._turns.clear()

    async def ask(self, question: str) -> AsyncGenerator[str, None]:
        """Yield the answer as it comes.

        What was seen of an answer that is stopped stays part of the conversation, with its
        question; a question that failed does not, so that it can be asked again.

        Raises:
            GatewayError: The gateway or the model refuses, fails, or breaks off.
            IdentityError: The person is not signed in.
        """
        turns = [*self._turns, {"role": "user", "content": question}]
        said = [{"role": "system", "content": self._system}] if self._system else []
        self.answer = answer = self.gateway.ask(self.deployment, [*said, *turns])
        failed = False
        try:
            async with aclosing(answer.pieces()) as pieces:
                async for piece in pieces:
                    yield piece
        except SecureOpenAIError:
            failed = True
            raise
        finally:
            if answer.text and not failed:
                self._turns = [*turns, {"role": "assistant", "content": answer.text}]

    @property
    def note(self) -> str:
        """Return what the end of the last answer says to the reader; empty for nothing."""
        return "" if self.answer is None else NOTES.get(self.answer.finish_reason, "")
