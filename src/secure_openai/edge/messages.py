"""Messages in the JSON API: the branch of a conversation that is shown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from secure_openai.edge.access import PEOPLE, SecuredRoute, principal_of, requires
from secure_openai.edge.attachments import attachment_json
from secure_openai.edge.authentication import assembly_of
from secure_openai.edge.bodies import limit_of
from secure_openai.edge.markdown import Rendering, rendered
from secure_openai.edge.shares import ones_turn
from secure_openai.model.content_filter import told_in
from secure_openai.store.conversations import ConversationStore, Turn
from secure_openai.types import (
    Author,
    ConversationId,
    JsonObject,
    Message,
    MessageId,
    MessageStatus,
    Page,
    PrincipalId,
)

PAGE = 50
"""Messages that are shown at once, unless said: their Markdown is rendered for each."""

router = APIRouter(route_class=SecuredRoute, prefix="/api", tags=["chat"])


@router.get("/conversations/{conversation_id}/messages")
@requires(*PEOPLE)
async def list_messages(request: Request, conversation_id: str) -> Response:
    """Return the last messages of a branch in their order; the continuation leads to earlier ones.

    The branch goes through `leaf`, and on to the newest message that follows it; without `leaf` it
    ends with the newest of all.
    """
    limit = limit_of(request, default=PAGE, largest=200)
    async with ones_turn(request):
        page = await shown_branch(
            assembly_of(request).conversations,
            principal_of(request).id,
            ConversationId(conversation_id),
            leaf=request.query_params.get("leaf"),
            limit=limit,
            continuation=request.query_params.get("continuation"),
        )
        items = await turns_json(page.items)
    return JSONResponse({"items": items, "continuation": page.continuation})


async def shown_branch(
    conversations: ConversationStore,
    owner: PrincipalId,
    conversation_id: ConversationId,
    *,
    leaf: str | None,
    limit: int,
    continuation: str | None,
) -> Page[Turn]:
    """Return the last turns of a branch, oldest first, and where earlier ones begin.

    Raises:
        NotFound: The owner has no such conversation, or it has no message `leaf`.
        RequestError: `continuation` is none that was given here.
    """
    end = None
    if leaf is not None and continuation is None:
        end = await conversations.leaf(owner, conversation_id, MessageId(leaf))
    page = await conversations.branch(
        owner, conversation_id, leaf=end, limit=limit, continuation=continuation, siblings=True
    )
    return Page(page.items[::-1], page.continuation)


async def turns_json(turns: Sequence[Turn]) -> list[JsonObject]:
    """Return messages of a branch as the API shows them, each with those beside it."""
    # In a thread: whoever made the model write them decides how long they take to be drawn.
    return await asyncio.to_thread(_drawn, turns)


def _drawn(turns: Sequence[Turn]) -> list[JsonObject]:
    draw = Rendering()
    # What is read first is drawn first.
    last_first = [
        message_json(turn.message, siblings=turn.siblings, draw=draw) for turn in reversed(turns)
    ]
    return last_first[::-1]


def message_json(
    message: Message,
    *,
    siblings: Sequence[MessageId] = (),
    draw: Callable[[str], str] = rendered,
) -> JsonObject:
    """Return a message as the API shows it, the status as of now, the text also as safe HTML."""
    status = message.status_at(datetime.now(UTC))
    usage, filtered = message.usage, told_in(message.note or "")
    # A person's own text is shown as it was typed.
    shown_as_html = message.author is Author.ASSISTANT and status is not MessageStatus.STREAMING
    return {
        "id": message.id,
        "parent": message.parent,
        "siblings": list(siblings or (message.id,)),
        "author": message.author.value,
        "text": message.text,
        "html": draw(message.text) if shown_as_html else None,
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
        "filtered": None if filtered is None else list(filtered),
        "attachments": [attachment_json(one) for one in message.attachments],
        "instruction": message.instruction,
        "etag": message.etag,
    }
