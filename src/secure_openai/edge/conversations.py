"""Conversations in the JSON API: listed, begun, renamed, removed."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from secure_openai.characters import visible
from secure_openai.conversations.export import as_json, as_markdown, disposition
from secure_openai.edge.access import PEOPLE, SecuredRoute, principal_of, requires
from secure_openai.edge.authentication import assembly_of
from secure_openai.edge.bodies import Body, body_of, etag_of, limit_of
from secure_openai.edge.recording import record
from secure_openai.edge.shares import ones_turn
from secure_openai.errors import NotFound, RequestError
from secure_openai.policy.text import check_text
from secure_openai.types import Conversation, ConversationId, JsonObject, MessageId

TITLE_CHARACTERS = 200
SEARCH_CHARACTERS = 200
DEFAULT_TITLE = "New conversation"

router = APIRouter(route_class=SecuredRoute, prefix="/api", tags=["chat"])


Title = Annotated[str, Field(min_length=1, max_length=TITLE_CHARACTERS)]


class NewConversation(Body):
    """What begins a conversation; without a title it titles itself."""

    title: Title = DEFAULT_TITLE

    @property
    def titled(self) -> bool:
        """Return whether a title was given."""
        return "title" in self.model_fields_set


class Change(Body):
    """What is changed of a conversation; what is not said stays as it is."""

    title: Title = ""
    pinned: bool = False

    @property
    def changes(self) -> dict[str, Any]:
        """Return what was said."""
        return self.model_dump(exclude_unset=True)


@router.get("/conversations")
@requires(*PEOPLE)
async def list_conversations(request: Request) -> Response:
    """Return one's own conversations, pinned ones first, then the most recent; or those found.

    With `search`, those that hold the text, each with the message that does and what stands around
    it there. A page of these may be short and yet have a continuation.
    """
    if "search" in request.query_params:
        return await _search(request, request.query_params["search"])
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


async def _search(request: Request, text: str) -> Response:
    wanted = check_text(text, pointer="/search").strip()
    if not 0 < len(wanted) <= SEARCH_CHARACTERS:
        raise RequestError(f"Write search as a text of 1 to {SEARCH_CHARACTERS} characters.")
    limit = limit_of(request, default=20, largest=100)
    async with ones_turn(request):
        page = await assembly_of(request).conversations.search(
            principal_of(request).id,
            wanted,
            limit=limit,
            continuation=request.query_params.get("continuation"),
        )
    items = [
        {
            **conversation_json(found.conversation),
            "message": found.message,
            "excerpt": None if found.excerpt is None else visible(found.excerpt),
        }
        for found in page.items
    ]
    return JSONResponse({"items": items, "continuation": page.continuation})


@router.post("/conversations")
@requires(*PEOPLE)
async def create_conversation(request: Request) -> Response:
    """Begin a conversation."""
    body = await body_of(request, NewConversation)
    conversation = await assembly_of(request).conversations.create(
        principal_of(request).id,
        title=check_text(body.title, pointer="/title"),
        titled=body.titled,
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
async def change_conversation(request: Request, conversation_id: str) -> Response:
    """Change the title, or pin it or not, if `If-Match` still holds."""
    body = await body_of(request, Change)
    if not body.changes:
        raise RequestError("Write title, pinned or both.")
    check_text(body.title, pointer="/title")
    return _conversation(
        await assembly_of(request).conversations.change(
            principal_of(request).id,
            ConversationId(conversation_id),
            etag=etag_of(request),
            **body.changes,
        )
    )


@router.delete("/conversations/{conversation_id}")
@requires(*PEOPLE)
async def delete_conversation(request: Request, conversation_id: str) -> Response:
    """Delete a conversation with all its messages, if `If-Match` still holds.

    It is missing at once, and can be had back for ten minutes.
    """
    assembly = assembly_of(request)
    assembly.audit.ensure_writable()
    await assembly.conversations.discard(
        principal_of(request).id, ConversationId(conversation_id), etag=etag_of(request)
    )
    _record(request, "conversation.deleted", conversation_id)
    return Response(status_code=204)


@router.post("/conversations/{conversation_id}/restore")
@requires(*PEOPLE)
async def restore_conversation(request: Request, conversation_id: str) -> Response:
    """Have a deleted conversation back, within ten minutes."""
    assembly, owner = assembly_of(request), principal_of(request).id
    assembly.audit.ensure_writable()
    wanted = ConversationId(conversation_id)
    try:
        # One that is there is there again, and nothing was done.
        return _conversation(await assembly.conversations.get(owner, wanted))
    except NotFound:
        restored = await assembly.conversations.restore(owner, wanted)
    _record(request, "conversation.restored", conversation_id)
    return _conversation(restored)


@router.get("/conversations/{conversation_id}/export")
@requires(*PEOPLE)
async def export_conversation(request: Request, conversation_id: str) -> Response:
    """Offer a conversation as a file: `markdown` of the branch through `leaf`, or `json` of all."""
    assembly_of(request).audit.ensure_writable()
    kept, owner = assembly_of(request).conversations, principal_of(request).id
    wanted, leaf = ConversationId(conversation_id), request.query_params.get("leaf")
    form = request.query_params.get("format")
    if form not in {"json", "markdown"}:
        raise RequestError("Write format as markdown or json.")
    async with ones_turn(request):
        if form == "json":
            conversation, content = await as_json(kept, owner, wanted)
            media_type, ending = "application/json", "json"
        else:
            conversation, content = await as_markdown(
                kept, owner, wanted, leaf=None if leaf is None else MessageId(leaf)
            )
            media_type, ending = "text/markdown; charset=utf-8", "md"
    _record(request, "conversation.exported", conversation_id, format=ending, bytes=len(content))
    named = {"Content-Disposition": disposition(conversation.title, ending)}
    return Response(content, media_type=media_type, headers=named)


def _record(request: Request, action: str, conversation_id: str, **facts: str | int) -> None:
    """Record what its owner did with a whole conversation; never its title.

    Raises:
        AuditUnavailable: It cannot be written.
    """
    record(
        request,
        action,
        principal_of(request),
        reason="asked",
        facts={"conversation": conversation_id, **facts},
    )


def conversation_json(conversation: Conversation) -> JsonObject:
    """Return a conversation as the API shows it; the owner is whoever asks.

    Its title is written so that a list, a tab and a menu show all of it: what turns or hides words
    is written out.
    """
    return {
        "id": conversation.id,
        "title": visible(conversation.title),
        "created": conversation.created.isoformat(),
        "updated": conversation.updated.isoformat(),
        "pinned": conversation.pinned,
        "etag": conversation.etag,
    }


def _conversation(conversation: Conversation, *, status_code: int = 200) -> Response:
    return JSONResponse(
        conversation_json(conversation),
        status_code=status_code,
        headers={"ETag": f'"{conversation.etag}"'},
    )
