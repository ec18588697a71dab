"""An answer on its way from the model: kept as it grows, told to who listens, closed as it ends."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

from secure_openai.completion import Completion
from secure_openai.conversations.composing import Composed
from secure_openai.conversations.draft import CHECKPOINT_SECONDS, Draft
from secure_openai.conversations.events import Begun, Delta, Finished, Titled
from secure_openai.conversations.running import Running, RunningAnswers
from secure_openai.conversations.text import text_of
from secure_openai.conversations.titles import Titles, first_words
from secure_openai.errors import ModelError, PreconditionFailed, SecureOpenAIError
from secure_openai.pipeline import Pipeline
from secure_openai.policy.fields import check_chat_completions
from secure_openai.store.conversations import ConversationStore
from secure_openai.streams import Background, Drain, with_pauses
from secure_openai.types import (
    Clock,
    ConversationId,
    Message,
    MessageStatus,
    Principal,
    PrincipalId,
)

logger = logging.getLogger(__name__)

LARGEST_ANSWER = 800_000
"""Bytes of an answer as UTF-8: every store keeps as many, and what is held for who comes back is
bounded."""

TOO_LONG = "The answer is longer than is kept here, and ends where it is."


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be answered.

    Attributes:
        conversation_id: In which conversation.
        deployment: By whom.
        prompt: What they are sent.
        begin: Stores what must be before they are asked; told which deployment answers.
        request_id: Of whoever asks.
        untitled: Whether the conversation has no title yet that somebody gave it.
    """

    conversation_id: ConversationId
    deployment: str
    prompt: Composed
    begin: Callable[[str], Awaitable[Begun]]
    request_id: str
    untitled: bool = False


class Answering:
    """Lets answers run, each in a task of its own.

    Args:
        conversations: Where they are kept.
        pipeline: The way to the model.
        background: Where they run.
        drain: Told of what is under way.
        running: Where they are found.
        clock: Tells the time.
    """

    def __init__(
        self,
        *,
        conversations: ConversationStore,
        pipeline: Pipeline,
        background: Background,
        drain: Drain,
        running: RunningAnswers,
        clock: Clock,
    ) -> None:
        self._conversations = conversations
        self._pipeline = pipeline
        self._background = background
        self._drain = drain
        self._running = running
        self._clock = clock
        self._titles = Titles(pipeline)

    async def start(self, principal: Principal, asked: Asked) -> Running:
        """Let an answer run, and return it as soon as it has begun.

        Raises:
            SecureOpenAIError: It was refused, or what must be stored first could not be.
        """
        running = self._running.open(principal.id)
        self._background.spawn(self._run(principal, asked, running))
        await running.begun()
        return running

    async def _run(self, principal: Principal, asked: Asked, running: Running) -> None:
        refusal: BaseException | None = None
        try:
            with self._drain.work:
                await self._answer(principal, asked, running)
        except BaseException as error:
            refusal = error
            if running.has_begun:
                logger.exception("an answer did not end in order (%s)", asked.request_id)
            if not isinstance(error, Exception):
                raise
        finally:
            running.end(refusal)
            self._running.close(principal.id, running)

    async def _answer(self, principal: Principal, asked: Asked, running: Running) -> None:
        request = check_chat_completions(
            {"model": asked.deployment, "messages": asked.prompt.messages, "stream": True}
        )
        async with self._pipeline.run(
            principal, request, request_id=asked.request_id, facts=asked.prompt.facts
        ) as completion:
            begun = await asked.begin(completion.admission.deployment.name)
            self._running.note(principal.id, begun.answer, running)
            running.tell(begun)
            draft = Draft(self._conversations, principal.id, begun.answer, clock=self._clock)
            problem: SecureOpenAIError | None = None
            try:
                await running.until_stopped(self._read(completion, draft, running))
            except SecureOpenAIError as error:
                problem = error
            except Exception:
                logger.exception("an answer could not be read (%s)", asked.request_id)
                problem = SecureOpenAIError()
            finished = await self._closed(principal.id, completion, draft, problem)
            running.tell(finished)
        if asked.untitled:
            await self._title(principal, asked, begun.question, finished, running)

    async def _title(
        self,
        principal: Principal,
        asked: Asked,
        question: Message,
        finished: Finished,
        running: Running,
    ) -> None:
        """Give the conversation a title, if nobody has meanwhile."""
        try:
            conversation = await self._conversations.get(principal.id, asked.conversation_id)
            if conversation.titled:
                return
            title = None
            if finished.answer.status is MessageStatus.COMPLETE and not self._drain.begun:
                title = await running.until_stopped(
                    self._titles.title_of(principal, question.text, asked.deployment)
                )
            titled = await self._conversations.entitle(
                principal.id,
                conversation.id,
                title=title or first_words(question.text) or conversation.title,
            )
        except SecureOpenAIError as error:
            # It is gone; or it stays without until the next answer.
            logger.info("a conversation has not titled itself: %s", error.slug)
        else:
            if titled is not None:
                running.tell(Titled(titled))

    async def _read(self, completion: Completion, draft: Draft, running: Running) -> None:
        size = draft.size
        async with (
            aclosing(completion.events()) as events,
            aclosing(with_pauses(events, CHECKPOINT_SECONDS)) as watched,
        ):
            async for event in watched:
                piece = text_of(event) if event is not None else ""
                size += len(piece.encode())
                if size > LARGEST_ANSWER:
                    raise ModelError(TOO_LONG)
                if piece:
                    draft.add(piece)
                    running.tell(Delta(piece))
                if draft.due:
                    await self._background.finish(draft.checkpoint())

    async def _closed(
        self,
        owner: PrincipalId,
        completion: Completion,
        draft: Draft,
        problem: SecureOpenAIError | None,
    ) -> Finished:
        complete = completion.ended and problem is None
        note = completion.note if complete else None
        if problem is not None:
            note = problem.detail or problem.title
        try:
            answer = await draft.close(
                complete=complete,
                usage=completion.usage,
                finish_reason=completion.finish_reason,
                note=note,
            )
        except PreconditionFailed as error:
            return await self._ended_elsewhere(owner, draft.as_it_stands(), error)
        except SecureOpenAIError as error:
            return Finished(draft.as_it_stands(), problem or error)
        return Finished(answer, problem)

    async def _ended_elsewhere(
        self, owner: PrincipalId, answer: Message, problem: SecureOpenAIError
    ) -> Finished:
        """Return an answer as another process has ended it: somebody said stop there."""
        try:
            stored = await self._conversations.message(owner, answer.conversation_id, answer.id)
        except SecureOpenAIError as error:
            return Finished(answer, error)
        stopped = stored.status is MessageStatus.INTERRUPTED
        return Finished(stored, None if stopped else problem)
