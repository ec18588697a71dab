"""Ask and be answered: what is said is stored first, the answer as it grows."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace

from secure_openai.conversations.answering import Answering, Asked
from secure_openai.conversations.attachments import Attachments
from secure_openai.conversations.composing import Composed, Composer, Question
from secure_openai.conversations.draft import lease_from
from secure_openai.conversations.events import Begun
from secure_openai.conversations.running import Running, RunningAnswers
from secure_openai.errors import Conflict, NotFound, PreconditionFailed, RequestError
from secure_openai.pipeline import Pipeline
from secure_openai.store.conversations import ConversationStore, End, Parent
from secure_openai.streams import Background, Drain
from secure_openai.types import (
    Author,
    Clock,
    ConversationId,
    Message,
    MessageId,
    MessageStatus,
    Page,
    Principal,
    PrincipalId,
    utc_now,
)

HISTORY_TURNS = 200
"""How many earlier turns are looked at to fill the window."""

GO_ON = (
    "Your last answer was cut off. Go on exactly where it stops, in the middle of a word if need "
    "be. Repeat nothing of it, and say nothing about this."
)
NO_QUESTION = "There is no such question."
NO_ANSWER = "There is no such answer."
UNDER_WAY = "This answer is under way: listen to it, or stop it first."
WHOLE = "This answer is whole, there is nothing to go on with: ask, or ask again."
FULL_WINDOW = "The answer alone fills the model's window: ask for the rest in a message."


class Answers:
    """Sends a conversation to a deployment and keeps what comes back.

    Whatever is asked returns as soon as it is stored and the model is about to be asked; a refusal
    is raised before anything is stored. From then on the answer is under way by itself. One that
    broke off or was stopped is kept, marked interrupted, and explained to who listens.

    Args:
        conversations: Where it is kept.
        pipeline: The way to the model.
        composer: Puts together what it is sent.
        attachments: The files that go with messages.
        background: Where answers run.
        drain: Told of what is under way.
        grace_seconds: How long an answer goes on while nobody listens.
        clock: Tells the time.
    """

    def __init__(
        self,
        *,
        conversations: ConversationStore,
        pipeline: Pipeline,
        composer: Composer,
        attachments: Attachments,
        background: Background,
        drain: Drain,
        grace_seconds: float,
        clock: Clock = utc_now,
    ) -> None:
        self._conversations = conversations
        self._composer = composer
        self._attachments = attachments
        self._clock = clock
        self._running = RunningAnswers(grace_seconds=grace_seconds)
        self._answering = Answering(
            conversations=conversations,
            pipeline=pipeline,
            background=background,
            drain=drain,
            running=self._running,
            clock=clock,
        )

    async def ask(
        self,
        principal: Principal,
        conversation_id: ConversationId,
        *,
        text: str,
        deployment: str,
        request_id: str,
        parent: Parent = End.NEWEST,
        attachment_ids: Sequence[str] = (),
        instruction: str | None = None,
    ) -> Running:
        """Store a question, and have it answered.

        Args:
            principal: Who asks.
            conversation_id: Where.
            text: What.
            deployment: Whom.
            request_id: Of the request.
            parent: The answer that it follows: the newest message unless said, `None` for none.
            attachment_ids: The files that go with it.
            instruction: The saved instruction that goes before everything, by its id.

        Raises:
            AuditUnavailable: The audit cannot be written.
            Conflict: Too much is under way, or follows `parent` already.
            NotFound: The principal has no such conversation, file or instruction, or it has no such
                message.
            PreconditionFailed: A file was sent in another conversation.
            Refused: Policy or quota.
            RequestError: The text has characters that are not accepted, or `parent` is a question.
            StoreError: The question could not be stored.
        """
        owner = principal.id
        conversation = await self._conversations.get(owner, conversation_id)
        earlier = await self._earlier(owner, conversation_id, parent)
        if earlier.items and parent is not End.NEWEST and _asked_by_a_person(earlier.items[0]):
            raise RequestError(
                "A question follows an answer: name one, or null.", pointer="/parent"
            )
        asked = await self._composer.question(
            owner,
            conversation_id,
            text,
            attachment_ids=attachment_ids,
            instruction=instruction,
        )
        prompt = await self._composer.compose(
            principal, deployment, asked, earlier, request_id=request_id
        )

        async def begin(answering: str) -> Begun:
            # Before the message: one that names a file must not see it cleared away.
            await self._attachments.bind(owner, attachment_ids, conversation_id)
            question = replace(
                self._message(conversation_id, Author.USER, text),
                attachments=asked.attachments,
                instruction=instruction,
            )
            answer = self._draft(conversation_id, answering, prompt)
            # Who names no parent stands in line: of two who ask at once neither is set aside.
            stored = await self._conversations.append(owner, question, answer, parent=parent)
            return Begun(*stored)

        return await self._answering.start(
            principal,
            Asked(
                conversation_id,
                deployment,
                prompt,
                begin,
                request_id,
                untitled=not conversation.titled,
            ),
        )

    async def ask_again(
        self,
        principal: Principal,
        conversation_id: ConversationId,
        question_id: MessageId,
        *,
        deployment: str,
        request_id: str,
    ) -> Running:
        """Have a question answered once more, beside the answers that it has.

        Raises:
            As `ask` does. NotFound: There is no such question.
        """
        owner = principal.id
        branch = await self._earlier(owner, conversation_id, question_id)
        question = branch.items[0]
        if not _asked_by_a_person(question):
            raise NotFound(NO_QUESTION)
        earlier = Page(branch.items[1:], branch.continuation)
        prompt = await self._composer.compose(
            principal, deployment, Question.of(question), earlier, request_id=request_id
        )

        async def begin(answering: str) -> Begun:
            draft = self._draft(conversation_id, answering, prompt)
            (answer,) = await self._conversations.append(owner, draft, parent=question.id)
            return Begun(question, answer)

        return await self._answering.start(
            principal, Asked(conversation_id, deployment, prompt, begin, request_id)
        )

    async def go_on(
        self,
        principal: Principal,
        conversation_id: ConversationId,
        answer_id: MessageId,
        *,
        request_id: str,
    ) -> Running:
        """Have an answer that broke off continued, by whom it was begun.

        Raises:
            As `ask` does. Conflict: The answer is under way, or whole. NotFound: There is none.
        """
        owner = principal.id
        branch = await self._earlier(owner, conversation_id, answer_id)
        answer, *earlier = branch.items
        if _asked_by_a_person(answer) or not earlier or answer.deployment is None:
            raise NotFound(NO_ANSWER)
        status = answer.status_at(self._clock())
        if status is MessageStatus.STREAMING:
            raise Conflict(UNDER_WAY)
        if status is MessageStatus.COMPLETE and answer.finish_reason != "length":
            raise Conflict(WHOLE)
        question = earlier[0]
        if answer.text:
            page = branch
            asked = Question(GO_ON, instruction=question.instruction)
        else:
            page = Page(earlier[1:], branch.continuation)
            asked = Question.of(question)
        prompt = await self._composer.compose(
            principal, answer.deployment, asked, page, request_id=request_id
        )
        if answer.text and not prompt.earlier:
            raise Conflict(FULL_WINDOW)

        async def begin(answering: str) -> Begun:
            draft = replace(
                answer,
                status=MessageStatus.STREAMING,
                lease_expires=lease_from(self._clock()),
                deployment=answering,
                finish_reason=None,
                note=prompt.note,
            )
            try:
                return Begun(question, await self._conversations.replace(owner, draft))
            except PreconditionFailed:
                # Another request has begun the same.
                raise Conflict(UNDER_WAY) from None

        return await self._answering.start(
            principal, Asked(conversation_id, answer.deployment, prompt, begin, request_id)
        )

    async def under_way(
        self, owner: PrincipalId, conversation_id: ConversationId, answer_id: MessageId
    ) -> Running:
        """Return an answer to listen to.

        Raises:
            NotFound: It is not under way here, or not the owner's.
        """
        await self._conversations.get(owner, conversation_id)
        return self._running.find(owner, conversation_id, answer_id)

    async def stop(
        self, owner: PrincipalId, conversation_id: ConversationId, answer_id: MessageId
    ) -> None:
        """End an answer; what came of it is kept. One that has ended stays as it is.

        An answer under way in another process is marked interrupted, and its process finds that out
        with its next checkpoint.

        Raises:
            NotFound: The owner has no such answer.
        """
        stored = await self._conversations.message(owner, conversation_id, answer_id)
        if _asked_by_a_person(stored):
            raise NotFound(NO_ANSWER)
        try:
            running = self._running.find(owner, conversation_id, answer_id)
        except NotFound:
            await self._mark_interrupted(owner, stored)
        else:
            running.stop()
            await running.until_finished()

    async def _mark_interrupted(self, owner: PrincipalId, stored: Message) -> None:
        while stored.status is MessageStatus.STREAMING:
            ended = replace(stored, status=MessageStatus.INTERRUPTED, lease_expires=None)
            try:
                await self._conversations.replace(owner, ended)
            except PreconditionFailed:
                stored = await self._conversations.message(owner, stored.conversation_id, stored.id)
            else:
                return

    def stop_all(self) -> None:
        """End every answer: this process ends."""
        self._running.stop()

    async def _earlier(
        self, owner: PrincipalId, conversation_id: ConversationId, leaf: Parent
    ) -> Page[Message]:
        """Return what was said on a branch, the last first."""
        if leaf is None:
            return Page([])
        page = await self._conversations.branch(
            owner,
            conversation_id,
            leaf=None if leaf is End.NEWEST else leaf,
            limit=HISTORY_TURNS,
        )
        return Page([turn.message for turn in page.items], page.continuation)

    def _message(self, conversation_id: ConversationId, author: Author, text: str) -> Message:
        return Message(
            id=MessageId(secrets.token_urlsafe(16)),
            conversation_id=conversation_id,
            author=author,
            text=text,
            created=self._clock(),
        )

    def _draft(self, conversation_id: ConversationId, answering: str, prompt: Composed) -> Message:
        blank = self._message(conversation_id, Author.ASSISTANT, "")
        return replace(
            blank,
            status=MessageStatus.STREAMING,
            lease_expires=lease_from(blank.created),
            deployment=answering,
            note=prompt.note,
        )


def _asked_by_a_person(message: Message) -> bool:
    return message.author is Author.USER
