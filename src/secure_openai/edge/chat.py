"""The chat's JSON API: conversations, their messages, and answers as they come."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from secure_openai.conversations.answers import AnswerEvent, Begun, Delta
from secure_openai.edge.access import PEOPLE, SecuredRoute, principal_of, requires, signed_in
from secure_openai.edge.authentication import assembly_of
from secure_openai.edge.bodies import Body, body_of, etag_of, limit_of
from secure_openai.edge.event_stream import EventStreamResponse, event
from secure_openai.edge.markdown import rendered
from secure_openai.edge.problems import problem_of, request_id_of
from secure_openai.policy.text import check_text
from secure_openai.types import (
    Author,
    Conversation,
    ConversationId,
    JsonObject,
    Message,
    MessageStatus,
    Page,
)

TITLE_CHARACTERS = 200
DEFAULT_TITLE = "New conversation"

router = APIRouter(route_class=SecuredRoute, prefix="/api", tags=["chat"])


class NewConversation(Body):
    """What begins a conversation."""

    title: Annotated[str, Field(min_length=1, max_length=TITLE_CHARACTERS)] = DEFAULT_TITLE


class Title(Body):
    """A conversation's title."""

    title: Annotated[str, Field(min_length=1, max_length=TITLE_CHARACTERS)]


class Question(Body):
    """What is asked, and of which deployment."""

    text: Annotated[str, Field(min_length=1)]
    deployment: Annotated[str, Field(min_length=1, max_length=64)]


@router.get("/me")
@signed_in
async def me(request: Request) -> Response:
    """Return who is signed in and what they may use."""
    principal = principal_of(request)
    deployments = assembly_of(request).pipeline.deployments_for(principal)
    return JSONResponse(
        {
            "tid": principal.id.tid,
            "oid": principal.id.oid,
            "kind": principal.kind.value,
            "name": principal.name,
            "username": principal.username,
            "roles": sorted(principal.roles),
            "deployments": [
                {
                    "name": deployment.name,
                    "model": deployment.model,
                    "operations": sorted(deployment.parameters.operations),
                }
                for deployment in deployments
            ],
        }
    )


@router.get("/conversations")
@requires(*PEOPLE)
async def list_conversations(request: Request) -> Response:
    """Return one's own conversations, the most recent first."""
    page = await assembly_of(request).conversations.list(
        principal_of(request).id,
        limit=limit_of(request, default=50, largest=100),
        continuation=request.query_params.get("continuation"),
    )
    return _page(page, [conversation_json(item) for item in page.items])


@router.post("/conversations")
@requires(*PEOPLE)
async def create_conversation(request: Request) -> Response:
    """Begin a conversation."""
    body = await body_of(request, NewConversation)
    conversation = await assembly_of(request).conversations.create(
        principal_of(request).id, title=check_text(body.title, pointer="/title")
    )
    return _conversation(conversation, status_code=201)


@router.get("/conversations/{conversation_id}")
@requires(*PEOPLE)
async def get_conversation(request: Request, conversation_id: str) -> Response:
    """Return one conversation's title, times and etag."""
    return _conversation(
        await assembly_of(request).conversations.get(
            principal_of(request).id, ConversationId(conversation_id)
        )
    )


@router.patch("/conversations/{conversation_id}")
@requires(*PEOPLE)
async def rename_conversation(request: Request, conversation_id: str) -> Response:
    """Change the title, if `If-Match` still holds."""
    body = await body_of(request, Title)
    return _conversation(
        await assembly_of(request).conversations.rename(
            principal_of(request).id,
            ConversationId(conversation_id),
            title=check_text(body.title, pointer="/title"),
            etag=etag_of(request),
        )
    )


@router.delete("/conversations/{conversation_id}")
@requires(*PEOPLE)
async def delete_conversation(request: Request, conversation_id: str) -> Response:
    """Remove a conversation with all its messages, if `If-Match` still holds."""
    await assembly_of(request).conversations.delete(
        principal_of(request).id, ConversationId(conversation_id), etag=etag_of(request)
    )
    return Response(status_code=204)


@router.get("/conversations/{conversation_id}/messages")
@requires(*PEOPLE)
async def list_messages(request: Request, conversation_id: str) -> Response:
    """Return a conversation's messages in their order."""
    page = await assembly_of(request).conversations.messages(
        principal_of(request).id,
        ConversationId(conversation_id),
        limit=limit_of(request, default=100, largest=200),
        continuation=request.query_params.get("continuation"),
    )
    return _page(page, [message_json(item) for item in page.items])


@router.post("/conversations/{conversation_id}/messages")
@requires(*PEOPLE)
async def ask(request: Request, conversation_id: str) -> Response:
    """Ask, and stream the answer: `begin`, then `delta` …, then `end`.

    A refusal is an ordinary problem response. What breaks an answer off is told in `end`.
    """
    body = await body_of(request, Question)
    answers = assembly_of(request).answers.ask(
        principal_of(request),
        ConversationId(conversation_id),
        text=check_text(body.text, pointer="/text"),
        deployment=body.deployment,
        request_id=request_id_of(request),
    )
    # The first event comes after admission: a refusal is raised here, before the stream begins.
    first = await anext(answers)
    pieces = _events(first, answers, request_id_of(request))
    return EventStreamResponse(pieces, on_end=answers.aclose)


async def _events(
    first: AnswerEvent, rest: AsyncIterator[AnswerEvent], request_id: str
) -> AsyncGenerator[bytes, None]:
    yield _event(first, request_id)
    async for item in rest:
        yield _event(item, request_id)


def _event(item: AnswerEvent, request_id: str) -> bytes:
    if isinstance(item, Begun):
        return event(
            "begin", {"question": message_json(item.question), "answer": message_json(item.answer)}
        )
    if isinstance(item, Delta):
        return event("delta", {"text": item.text})
    problem = problem_of(item.problem, request_id=request_id) if item.problem else None
    return event("end", {"answer": message_json(item.answer), "problem": problem})


def conversation_json(conversation: Conversation) -> JsonObject:
    """Return a conversation as the API shows it; the owner is whoever asks."""
    return {
        "id": conversation.id,
        "title": conversation.title,
        "created": conversation.created.isoformat(),
        "updated": conversation.updated.isoformat(),
        "etag": conversation.etag,
    }


def message_json(message: Message) -> JsonObject:
    """Return a message as the API shows it, the status as of now, the text also as safe HTML."""
    status = message.status_at(datetime.now(UTC))
    usage = message.usage
    # A person's own text is shown as it was typed.
    shown_as_html = message.author is Author.ASSISTANT and status is not MessageStatus.STREAMING
    return {
        "id": message.id,
        "author": message.author.value,
        "text": message.text,
        "html": rendered(message.text) if shown_as_html else None,
        "created": message.created.isoformat(),
        "status": status.value,
        "deployment": message.deployment,
        "usage": None
        if usage is None
        else {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
        },
        "finish_reason": message.finish_reason,
        "note": message.note,
        "etag": message.etag,
    }


def _conversation(conversation: Conversation, *, status_code: int = 200) -> Response:
    return JSONResponse(
        conversation_json(conversation),
        status_code=status_code,
        headers={"ETag": f'"{conversation.etag}"'},
    )


def _page(page: Page[Conversation] | Page[Message], items: list[JsonObject]) -> Response:
    return JSONResponse({"items": items, "continuation": page.continuation})
