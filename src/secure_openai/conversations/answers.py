"""Ask and be answered: the question is stored first, the answer as it grows."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from secure_openai.completion import Completion
from secure_openai.conversations.draft import CHECKPOINT_SECONDS, Draft, lease_from
from secure_openai.conversations.window import Window, newest_that_fit, prompt_budget
from secure_openai.errors import ModelError, SecureOpenAIError
from secure_openai.model.interface import ServerSentEvent
from secure_openai.pipeline import Pipeline
from secure_openai.policy.fields import check_chat_completions
from secure_openai.store.conversations import ConversationStore
from secure_openai.streams import Background, with_pauses
from secure_openai.types import (
    Author,
    Clock,
    ConversationId,
    Message,
    MessageId,
    MessageStatus,
    Principal,
    PrincipalId,
    utc_now,
)

HISTORY_TURNS = 200
"""How many earlier turns are looked at to fill the window."""


@dataclass(frozen=True, slots=True)
class Begun:
    """Both messages are stored; the model is about to be asked."""

    question: Message
    answer: Message


@dataclass(frozen=True, slots=True)
class Delta:
    """A piece of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The answer as it is kept; `problem` says what cut it off, where something did."""

    answer: Message
    problem: SecureOpenAIError | None = None


AnswerEvent = Begun | Delta | Finished


class Answers:
    """Sends a conversation to a deployment and keeps what comes back."""

    def __init__(
        self,
        *,
        conversations: ConversationStore,
        pipeline: Pipeline,
        background: Background,
        clock: Clock = utc_now,
    ) -> None:
        self._conversations = conversations
        self._pipeline = pipeline
        self._background = background
        self._clock = clock

    async def ask(
        self,
        principal: Principal,
        conversation_id: ConversationId,
        *,
        text: str,
        deployment: str,
        request_id: str,
    ) -> AsyncGenerator[AnswerEvent, None]:
        """Store the question, then yield the answer as it comes, then as it is kept.

        A refusal is raised before anything is stored or yielded. Afterwards nothing is raised: an
        answer that broke off is kept, marked interrupted, and explained in `Finished.problem`. A
        caller who goes away (closes or cancels) leaves the partial answer, marked interrupted.

        Raises:
            NotFound: The principal has no such conversation.
            RequestError: The text has characters that are not accepted.
            Refused: Policy or quota.
            AuditUnavailable: The audit cannot be written.
            StoreError: The question could not be stored.
        """
        owner = principal.id
        await self._conversations.get(owner, conversation_id)
        window = await self._window(
            principal, conversation_id, text, deployment, request_id=request_id
        )
        request = check_chat_completions(
            {"model": deployment, "messages": window.messages, "stream": True}
        )
        async with self._pipeline.run(principal, request, request_id=request_id) as completion:
            begun = await self._begin(owner, conversation_id, text, completion, window)
            draft = Draft(self._conversations, owner, begun.answer, clock=self._clock)
            try:
                yield begun
                problem: SecureOpenAIError | None = None
                try:
                    async for piece in self._pieces(completion, draft):
                        yield Delta(piece)
                except SecureOpenAIError as error:
                    problem = error
                yield await self._background.finish(_close(completion, draft, problem))
            finally:
                if not draft.closed:
                    self._background.spawn(_close(completion, draft, None))

    async def _window(
        self,
        principal: Principal,
        conversation_id: ConversationId,
        text: str,
        deployment: str,
        *,
        request_id: str,
    ) -> Window:
        allowed = self._pipeline.allowance(principal, deployment, request_id=request_id)
        page = await self._conversations.messages(
            principal.id, conversation_id, limit=HISTORY_TURNS, newest_first=True
        )
        return newest_that_fit(
            text,
            page.items,
            budget_tokens=prompt_budget(
                allowed.deployment.parameters,
                prompt_limit=allowed.limits.prompt_tokens,
                answer_tokens=allowed.answer_tokens,
            ),
            total=len(page.items) + (page.continuation is not None),
        )

    async def _begin(
        self,
        owner: PrincipalId,
        conversation_id: ConversationId,
        text: str,
        completion: Completion,
        window: Window,
    ) -> Begun:
        now = self._clock()
        question, answer = await self._conversations.append(
            owner,
            Message(
                id=MessageId(secrets.token_urlsafe(16)),
                conversation_id=conversation_id,
                author=Author.USER,
                text=text,
                created=now,
            ),
            Message(
                id=MessageId(secrets.token_urlsafe(16)),
                conversation_id=conversation_id,
                author=Author.ASSISTANT,
                text="",
                created=now,
                status=MessageStatus.STREAMING,
                lease_expires=lease_from(now),
                deployment=completion.admission.deployment.name,
                note=window.note,
            ),
        )
        return Begun(question, answer)

    async def _pieces(self, completion: Completion, draft: Draft) -> AsyncGenerator[str, None]:
        async with (
            aclosing(completion.events()) as events,
            aclosing(with_pauses(events, CHECKPOINT_SECONDS)) as watched,
        ):
            async for event in watched:
                piece = text_of(event) if event is not None else ""
                if piece:
                    draft.add(piece)
                    yield piece
                if draft.due:
                    await self._background.finish(draft.checkpoint())


def text_of(event: ServerSentEvent) -> str:
    """Return the text that an event adds to the first choice.

    Raises:
        ModelError: The event is not JSON.
    """
    try:
        choices = event.parsed.get("choices")
    except ValueError:
        raise ModelError("The model sent an answer that cannot be read.") from None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return ""
    delta = choices[0].get("delta")
    content = delta.get("content") if isinstance(delta, dict) else None
    if not isinstance(content, str):
        return ""
    # Half of a surrogate pair is no character: it could neither be kept nor sent on.
    return content.encode("utf-8", "replace").decode("utf-8")


async def _close(
    completion: Completion, draft: Draft, problem: SecureOpenAIError | None
) -> Finished:
    reason = completion.finish_reason
    complete = completion.ended and problem is None
    note = completion.note if complete else None
    if problem is not None:
        note = problem.detail or problem.title
    try:
        answer = await draft.close(
            complete=complete, usage=completion.usage, finish_reason=reason, note=note
        )
    except SecureOpenAIError as error:
        return Finished(draft.as_it_stands(), problem or error)
    return Finished(answer, problem)
