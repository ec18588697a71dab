"""Answers in the JSON API: asked for, asked for again, continued, listened to, stopped.

Every answer is a stream of events: `begin`, then `delta` …, then `end`, and `title` where the
conversation has titled itself. A refusal is an ordinary
problem response; what breaks an answer off is told in `end`. The answer does not depend on the
connection: who comes back within the grace gets what came meanwhile (WHATWG HTML, 9.2.4 "The
Last-Event-ID header").
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from secure_openai.characters import visible
from secure_openai.conversations.attachments import MOST_IN_MESSAGE
from secure_openai.conversations.events import AnswerEvent, Begun, Delta, Finished, Titled
from secure_openai.conversations.running import Listener, Running
from secure_openai.edge.access import PEOPLE, SecuredRoute, principal_of, requires
from secure_openai.edge.authentication import assembly_of
from secure_openai.edge.bodies import Body, body_of
from secure_openai.edge.event_stream import EventStreamResponse, event
from secure_openai.edge.markdown import Growing
from secure_openai.edge.messages import message_json
from secure_openai.edge.problems import problem_of, request_id_of
from secure_openai.errors import RequestError
from secure_openai.policy.text import check_text
from secure_openai.store.conversations import End, Parent
from secure_openai.types import ConversationId, JsonObject, MessageId

MESSAGES = "/conversations/{conversation_id}/messages"
LARGEST_NUMBER = 9
"""Digits of an event's id."""

router = APIRouter(route_class=SecuredRoute, prefix="/api", tags=["chat"])

Deployment = Annotated[str, Field(min_length=1, max_length=64)]


class Question(Body):
    """What is asked, of which deployment, and after which answer: the newest unless said.

    With it go files and a saved instruction of whoever asks, by their ids.
    """

    text: Annotated[str, Field(min_length=1)]
    deployment: Deployment
    parent: str | None = None
    attachments: Annotated[
        list[Annotated[str, Field(max_length=128)]], Field(max_length=MOST_IN_MESSAGE)
    ] = Field(default_factory=list)
    instruction: Annotated[str, Field(max_length=128)] | None = None

    @property
    def follows(self) -> Parent:
        """Return what the question follows."""
        if "parent" not in self.model_fields_set:
            return End.NEWEST
        return None if self.parent is None else MessageId(self.parent)


class Again(Body):
    """Who is to answer once more."""

    deployment: Deployment


class GoOn(Body):
    """Nothing: an answer is continued by whom it was begun."""


@router.post(MESSAGES)
@requires(*PEOPLE)
async def ask(request: Request, conversation_id: str) -> Response:
    """Ask, and stream the answer."""
    body = await body_of(request, Question)
    running = await assembly_of(request).answers.ask(
        principal_of(request),
        ConversationId(conversation_id),
        text=check_text(body.text, pointer="/text"),
        deployment=body.deployment,
        parent=body.follows,
        attachment_ids=body.attachments,
        instruction=body.instruction,
        request_id=request_id_of(request),
    )
    return _streamed(request, running)


@router.post(MESSAGES + "/{question_id}/answers")
@requires(*PEOPLE)
async def ask_again(request: Request, conversation_id: str, question_id: str) -> Response:
    """Have a question answered once more, beside the answers that it has, and stream that."""
    body = await body_of(request, Again)
    running = await assembly_of(request).answers.ask_again(
        principal_of(request),
        ConversationId(conversation_id),
        MessageId(question_id),
        deployment=body.deployment,
        request_id=request_id_of(request),
    )
    return _streamed(request, running)


@router.post(MESSAGES + "/{answer_id}/continue")
@requires(*PEOPLE)
async def go_on(request: Request, conversation_id: str, answer_id: str) -> Response:
    """Have an answer that broke off continued, and stream what is added to it."""
    await body_of(request, GoOn)
    running = await assembly_of(request).answers.go_on(
        principal_of(request),
        ConversationId(conversation_id),
        MessageId(answer_id),
        request_id=request_id_of(request),
    )
    return _streamed(request, running)


@router.get(MESSAGES + "/{answer_id}/events")
@requires(*PEOPLE)
async def listen(request: Request, conversation_id: str, answer_id: str) -> Response:
    """Stream what is told of an answer under way, from behind `Last-Event-ID` or from its begin."""
    running = await assembly_of(request).answers.under_way(
        principal_of(request).id, ConversationId(conversation_id), MessageId(answer_id)
    )
    return _streamed(request, running, after=_last_event(request))


@router.post(MESSAGES + "/{answer_id}/stop")
@requires(*PEOPLE)
async def stop(request: Request, conversation_id: str, answer_id: str) -> Response:
    """End an answer at once; what came of it is kept, marked interrupted."""
    await assembly_of(request).answers.stop(
        principal_of(request).id, ConversationId(conversation_id), MessageId(answer_id)
    )
    return Response(status_code=204)


def _last_event(request: Request) -> int:
    text = request.headers.get("last-event-id", "")
    if not text:
        return 0
    if not text.isascii() or not text.isdigit() or len(text) > LARGEST_NUMBER:
        raise RequestError("Send Last-Event-ID with the id of the last event that came.")
    return int(text)


def _streamed(request: Request, running: Running, *, after: int = 0) -> Response:
    listener = running.listen(after)
    pieces = _pieces(listener, request_id_of(request))
    return EventStreamResponse(pieces, on_end=listener.aclose)


async def _pieces(listener: Listener, request_id: str) -> AsyncGenerator[bytes, None]:
    growing = Growing()
    growing.skip(listener.text)
    async for number, told in listener.events():
        yield _event(told, number, request_id, growing)


def _event(told: AnswerEvent, number: int, request_id: str, growing: Growing) -> bytes:
    data: JsonObject
    match told:
        case Begun(question, answer):
            data = {"question": message_json(question), "answer": message_json(answer)}
            # One that goes on begins with what it had.
            return event("begin", {**data, **_grown(growing, answer.text)}, number=number)
        case Delta(text):
            return event("delta", {"text": text, **_grown(growing, text)}, number=number)
        case Titled(conversation):
            data = {"title": visible(conversation.title), "etag": conversation.etag}
            return event("title", data, number=number)
        case Finished(answer, problem):
            said = problem_of(problem, request_id=request_id) if problem else None
            data = {"answer": message_json(answer), "problem": said}
            return event("end", data, number=number)


def _grown(growing: Growing, text: str) -> JsonObject:
    """Return what a page changes of what it shows, for what came of an answer."""
    growth = growing.add(text)
    if growth is not None:
        return {"html": growth.html, "draft": growth.draft, "tail": growth.tail}
    seen = visible(text)
    return {} if seen == text else {"seen": seen}
