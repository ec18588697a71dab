"""Conversations in the JSON API: listed, begun, renamed, removed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from secure_openai.edge.access import PEOPLE, SecuredRoute, principal_of, requires
from secure_openai.edge.authentication import assembly_of
from secure_openai.edge.bodies import Body, body_of, etag_of, limit_of
from secure_openai.policy.text import check_text
from secure_openai.types import Conversation, ConversationId, JsonObject

TITLE_CHARACTERS = 200
DEFAULT_TITLE = "New conversation"

router = APIRouter(route_class=SecuredRoute, prefix="/api", tags=["chat"])


class NewConversation(Body):
    """What begins a conversation."""

    title: Annotated[str, Field(min_length=1, max_length=TITLE_CHARACTERS)] = DEFAULT_TITLE


class Title(Body):
    """A conversation's title."""

    title: Annotated[str, Field(min_length=1, max_length=TITLE_CHARACTERS)]


@router.get("/conversations")
@requires(*PEOPLE)
async def list_conversations(request: Request) -> Response:
    """Return one's own conversations, the most recent first."""
    page = await assembly_of(request).conversations.list(
        principal_of(request).id,
        limit=limit_of(request, default=50, largest=100),
        continuation=request.query_params.get("continuation"),
    )
    return JSONResponse(
        {
            "items": [conversation_json(item) for item in page.items],
            "continuation": page.continuation,
        }
    )


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


def conversation_json(conversation: Conversation) -> JsonObject:
    """Return a conversation as the API shows it; the owner is whoever asks."""
    return {
        "id": conversation.id,
        "title": conversation.title,
        "created": conversation.created.isoformat(),
        "updated": conversation.updated.isoformat(),
        "etag": conversation.etag,
    }


def _conversation(conversation: Conversation, *, status_code: int = 200) -> Response:
    return JSONResponse(
        conversation_json(conversation),
        status_code=status_code,
        headers={"ETag": f'"{conversation.etag}"'},
    )
