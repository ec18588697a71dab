"""Answers under way, apart from the connections on which they are listened to.

An answer runs in a task of its own and notes what is told of it. As many as like listen, each from
where they were: a connection that breaks loses nothing within the grace. When nobody has listened
for as long, or somebody says stop, the model's work ends there and then.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Iterator
from typing import Any, TypeVar

from secure_openai.conversations.events import AnswerEvent, Begun, Delta, Finished
from secure_openai.errors import Conflict, NotFound, RequestError
from secure_openai.types import ConversationId, Message, MessageId, PrincipalId

T = TypeVar("T")

MOST_OF_A_PRINCIPAL = 16
"""Answers under way at once for one principal, whatever policy allows of each deployment."""

MOST_LISTENERS = 32
"""To one answer: tabs, and connections of which nobody knows yet that they broke."""

CROWDED = f"{MOST_LISTENERS} connections listen to this answer: close one."
TOO_MANY = f"{MOST_OF_A_PRINCIPAL} of your answers are under way: wait for one to end, or stop it."
NOT_UNDER_WAY = "This answer is not under way here: read it where it is kept."
NOT_TOLD = "There was no such event: send the id of the last one that came."


class Running:
    """An answer under way, and what was told of it.

    Args:
        grace_seconds: How long it goes on while nobody listens.

    Attributes:
        ended: Whether nothing more will be told.
    """

    def __init__(self, *, grace_seconds: float) -> None:
        self.ended = False
        self._grace_seconds = grace_seconds
        self._loop = asyncio.get_running_loop()
        self._begun: asyncio.Future[Begun] = self._loop.create_future()
        self._events: list[AnswerEvent] = []
        self._changed = asyncio.Event()
        self._listeners = 0
        self._leaving: asyncio.TimerHandle | None = None
        self._work: asyncio.Task[Any] | None = None
        self._stopped = False

    async def begun(self) -> Begun:
        """Return the beginning as soon as there is one.

        Raises:
            SecureOpenAIError: What refused it; then nothing was stored.
        """
        return await asyncio.shield(self._begun)

    @property
    def has_begun(self) -> bool:
        """Return whether anything was told."""
        return bool(self._events)

    def tell(self, event: AnswerEvent) -> None:
        """Note the next event."""
        self._events.append(event)
        if isinstance(event, Begun):
            if not self._begun.done():
                self._begun.set_result(event)
            self._watch()
        self._wake()

    def end(self, refusal: BaseException | None = None) -> None:
        """Note that nothing more comes, and what refused it where nothing came at all."""
        self.ended = True
        if not self._begun.done():
            self._begun.set_exception(refusal or asyncio.CancelledError())
            # Whoever asked may have gone.
            self._begun.exception()
        if self._leaving is not None:
            self._leaving.cancel()
        self._wake()

    def stop(self) -> None:
        """End the model's work; what came is kept."""
        self._stopped = True
        if self._work is not None:
            self._work.cancel()

    async def until_stopped(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Do the model's work; return `None` if it was stopped."""
        if self._stopped:
            work.close()
            return None
        self._work = asyncio.ensure_future(work)
        try:
            await asyncio.wait({self._work})
            return None if self._work.cancelled() else self._work.result()
        finally:
            # Where the task around it was cancelled, the work is not: it ends here too.
            self._work.cancel()
            self._work = None

    def listen(self, after: int = 0) -> Listener:
        """Begin to listen behind an event, the first of which is 1.

        Raises:
            Conflict: As many listen as may.
            RequestError: There was no such event.
        """
        if self._listeners >= MOST_LISTENERS:
            raise Conflict(CROWDED)
        if after > len(self._events):
            raise RequestError(NOT_TOLD)
        return Listener(self, after)

    def after(self, number: int) -> Iterator[tuple[int, AnswerEvent]]:
        """Yield what was told behind an event, each with its number; deltas in a row as one."""
        held, told = "", self._events[number:]
        for at, event in enumerate(told, start=number + 1):
            if isinstance(event, Delta):
                held += event.text
                continue
            if held:
                yield at - 1, Delta(held)
                held = ""
            yield at, event
        if held:
            yield number + len(told), Delta(held)

    def text_at(self, number: int) -> str:
        """Return the answer as it stood with an event; empty before it began."""
        pieces: list[str] = []
        for event in self._events[:number]:
            if isinstance(event, Begun):
                pieces.append(event.answer.text)
            elif isinstance(event, Delta):
                pieces.append(event.text)
        return "".join(pieces)

    async def more(self, number: int) -> bool:
        """Return as soon as more was told than `number` events, false if no more comes."""
        while len(self._events) <= number and not self.ended:
            await self._changed.wait()
        return len(self._events) > number

    async def until_finished(self) -> None:
        """Return as soon as the answer is kept as it ends."""
        seen = 0
        while await self.more(seen):
            if any(isinstance(event, Finished) for event in self._events[seen:]):
                return
            seen = len(self._events)

    def joined(self) -> None:
        """Count one more who listens."""
        self._listeners += 1
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None

    def left(self) -> None:
        """Count one less who listens; without any, the grace begins."""
        self._listeners -= 1
        self._watch()

    def _watch(self) -> None:
        if not self._listeners and not self.ended and self._leaving is None:
            self._leaving = self._loop.call_later(self._grace_seconds, self.stop)

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class Listener:
    """One who listens, from where they were.

    Args:
        running: To what.
        after: Behind which event.
    """

    def __init__(self, running: Running, after: int) -> None:
        self._running = running
        self._after = after
        self._listening = True
        running.joined()

    @property
    def text(self) -> str:
        """Return the answer as far as it was heard."""
        return self._running.text_at(self._after)

    async def events(self) -> AsyncGenerator[tuple[int, AnswerEvent], None]:
        """Yield events with their numbers until nothing more comes."""
        while await self._running.more(self._after):
            for number, event in self._running.after(self._after):
                self._after = number
                yield number, event

    async def aclose(self) -> None:
        """Listen no more; closing twice is no error."""
        if self._listening:
            self._listening = False
            self._running.left()


class RunningAnswers:
    """The answers under way in this process, each found by its owner only.

    One that has ended is found for as long again as the grace: a connection may have broken just
    before the end came. Of each principal the last `MOST_OF_A_PRINCIPAL` are.

    Args:
        grace_seconds: How long each goes on while nobody listens.
    """

    def __init__(self, *, grace_seconds: float) -> None:
        self._grace_seconds = grace_seconds
        self._under_way: dict[PrincipalId, set[Running]] = {}
        self._found: dict[PrincipalId, dict[tuple[ConversationId, MessageId], Running]] = {}

    def open(self, owner: PrincipalId) -> Running:
        """Return an answer of the owner's that is about to begin.

        Raises:
            Conflict: As many of the owner's are under way as may be.
        """
        mine = self._under_way.setdefault(owner, set())
        if len(mine) >= MOST_OF_A_PRINCIPAL:
            raise Conflict(TOO_MANY)
        running = Running(grace_seconds=self._grace_seconds)
        mine.add(running)
        return running

    def close(self, owner: PrincipalId, running: Running) -> None:
        """Count an answer no more; it is found for a while yet."""
        mine = self._under_way[owner]
        mine.discard(running)
        if not mine:
            del self._under_way[owner]
        asyncio.get_running_loop().call_later(self._grace_seconds, self._forget, owner, running)
        ended = [one for one in self._found.get(owner, {}).values() if one.ended]
        for one in ended[:-MOST_OF_A_PRINCIPAL]:
            self._forget(owner, one)

    def note(self, owner: PrincipalId, answer: Message, running: Running) -> None:
        """Let an answer be found."""
        found = self._found.setdefault(owner, {})
        found[answer.conversation_id, answer.id] = running

    def _forget(self, owner: PrincipalId, running: Running) -> None:
        # One that was continued meanwhile is found as that.
        found = self._found.pop(owner, {})
        if left := {key: one for key, one in found.items() if one is not running}:
            self._found[owner] = left

    def find(
        self, owner: PrincipalId, conversation_id: ConversationId, answer_id: MessageId
    ) -> Running:
        """Return an answer that is under way here, or was a moment ago.

        Raises:
            NotFound: It is not, or not the owner's.
        """
        found = self._found.get(owner, {}).get((conversation_id, answer_id))
        if found is None:
            raise NotFound(NOT_UNDER_WAY)
        return found

    def stop(self) -> None:
        """Stop every answer."""
        for mine in tuple(self._under_way.values()):
            for running in tuple(mine):
                running.stop()
