"""Put together what a deployment is sent: an instruction, what was said, a question, files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from secure_openai.conversations.attachments import Attachments
from secure_openai.conversations.prompt import require_readable, written
from secure_openai.conversations.texts import SavedTexts
from secure_openai.conversations.window import newest_that_fit, prompt_budget
from secure_openai.errors import NotFound
from secure_openai.pipeline import Pipeline
from secure_openai.store.personal import PersonalKind
from secure_openai.types import (
    Attachment,
    ConversationId,
    JsonObject,
    Message,
    Page,
    Principal,
    PrincipalId,
)

NO_INSTRUCTION = "There is no such instruction: it is another's, or you removed it."


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked.

    Attributes:
        text: In words.
        attachments: The files that go with it.
        instruction: The saved instruction that goes before everything, by its id.
    """

    text: str
    attachments: tuple[Attachment, ...] = ()
    instruction: str | None = None

    @classmethod
    def of(cls, message: Message) -> Question:
        """Return a stored question, to be asked again as it was."""
        return cls(message.text, message.attachments, message.instruction)


@dataclass(frozen=True, slots=True)
class Composed:
    """What a deployment is sent.

    Attributes:
        messages: In the shape of the chat-completions API.
        earlier: How many earlier messages are among them.
        note: One sentence for the reader, where some were left out.
        facts: What the audit is told of it: never a text.
    """

    messages: list[JsonObject]
    earlier: int
    note: str | None = None
    facts: JsonObject = field(default_factory=dict)


class Composer:
    """Composes prompts within what policy and the deployment's window allow.

    Args:
        pipeline: Says what is allowed.
        attachments: Where files are.
        texts: Where instructions are.
    """

    def __init__(self, *, pipeline: Pipeline, attachments: Attachments, texts: SavedTexts) -> None:
        self._pipeline = pipeline
        self._attachments = attachments
        self._texts = texts

    async def question(
        self,
        owner: PrincipalId,
        conversation_id: ConversationId,
        text: str,
        *,
        attachment_ids: Sequence[str] = (),
        instruction: str | None = None,
    ) -> Question:
        """Return what somebody asks, with what they name looked up.

        Raises:
            NotFound: They have no such file or instruction.
            PreconditionFailed: A file was sent in another conversation.
            RequestError: There are too many files.
        """
        if instruction is not None and await self._instruction(owner, instruction) is None:
            raise NotFound(NO_INSTRUCTION)
        found = await self._attachments.described(owner, attachment_ids, conversation_id)
        return Question(text, found, instruction)

    async def compose(
        self,
        principal: Principal,
        deployment: str,
        question: Question,
        earlier: Page[Message],
        *,
        request_id: str,
    ) -> Composed:
        """Compose a prompt.

        Args:
            principal: Who asks.
            deployment: Whom.
            question: What.
            earlier: What was said before, the last first.
            request_id: Of the request.

        Raises:
            AuditUnavailable: A refusal cannot be recorded.
            Refused: The principal may not ask the deployment.
            RequestError: The deployment does not read what is attached.
            StoreError: Something cannot be read.
        """
        allowed = self._pipeline.allowance(principal, deployment, request_id=request_id)
        require_readable(question.attachments, allowed.deployment)
        instruction = None
        if question.instruction is not None:
            # A question of long ago may name one that was removed since: it goes without.
            instruction = await self._instruction(principal.id, question.instruction)
        window = newest_that_fit(
            question.text,
            earlier.items,
            budget_tokens=prompt_budget(
                allowed.deployment.parameters,
                prompt_limit=allowed.limits.prompt_tokens,
                answer_tokens=allowed.answer_tokens,
            ),
            total=len(earlier.items) + (earlier.continuation is not None),
            attachments=question.attachments,
            instruction=instruction,
        )
        messages = await written(
            window.turns,
            principal.id,
            self._attachments,
            images=allowed.deployment.parameters.images,
        )
        sent = sum(len(turn.attachments) for turn in window.turns)
        facts: JsonObject = {"attachments": sent} if sent else {}
        if instruction is not None:
            facts["instruction"] = True
        earlier_sent = len(messages) - 1 - (instruction is not None)
        return Composed(messages, earlier_sent, window.note, facts)

    async def _instruction(self, owner: PrincipalId, instruction: str) -> str | None:
        try:
            return (await self._texts.get(owner, PersonalKind.INSTRUCTION, instruction)).text
        except NotFound:
            return None
