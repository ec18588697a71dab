"""Stored documents: versioned JSON that keeps what the reading program does not know."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime

from secure_openai.types import (
    Attachment,
    Author,
    Conversation,
    ConversationId,
    JsonObject,
    Message,
    MessageId,
    MessageStatus,
    PrincipalId,
    Usage,
)

VERSION = 1


def new_etag() -> str:
    """Return an etag that no other write has."""
    return secrets.token_hex(8)


def dumps(document: JsonObject) -> str:
    """Return a document as stored."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def loads(text: str) -> JsonObject:
    """Return a stored document."""
    document: JsonObject = json.loads(text)
    return document


def merged(stored: JsonObject, written: JsonObject) -> JsonObject:
    """Return what to store: ours over theirs, with the members that only a later version knows.

    The version stays the higher one, so that the later program knows its own members are complete.
    """
    return {**stored, **written, "version": max(stored.get("version", VERSION), VERSION)}


def time_text(value: datetime | None) -> str | None:
    """Return a time as stored: ISO 8601, UTC."""
    return None if value is None else value.astimezone(UTC).isoformat()


def time_of(text: str | None) -> datetime | None:
    """Return a stored time."""
    return None if text is None else datetime.fromisoformat(text)


def conversation_document(conversation: Conversation) -> JsonObject:
    """Return a conversation as stored."""
    return {
        "version": VERSION,
        "title": conversation.title,
        "created": time_text(conversation.created),
        "updated": time_text(conversation.updated),
        "titled": conversation.titled,
        "pinned": conversation.pinned,
        "discarded": time_text(conversation.discarded),
    }


def conversation_of(
    owner: PrincipalId, conversation_id: str, etag: str, document: JsonObject
) -> Conversation:
    """Return a stored conversation."""
    return Conversation(
        id=ConversationId(conversation_id),
        owner=owner,
        title=document["title"],
        created=datetime.fromisoformat(document["created"]),
        updated=datetime.fromisoformat(document["updated"]),
        # Of one that was stored without these its owner has chosen the title.
        titled=document.get("titled", True) is not False,
        pinned=document.get("pinned") is True,
        discarded=time_of(document.get("discarded")),
        etag=etag,
    )


def status_of(text: str) -> MessageStatus:
    """Return a stored status; one that only a later program knows is not a whole answer to us."""
    try:
        return MessageStatus(text)
    except ValueError:
        return MessageStatus.INTERRUPTED


def author_of(text: str) -> Author:
    """Return a stored author; one that only a later program knows is no person of ours."""
    try:
        return Author(text)
    except ValueError:
        return Author.ASSISTANT


def attachment_document(attachment: Attachment) -> JsonObject:
    """Return an attachment as stored with its message."""
    return {
        "id": attachment.id,
        "name": attachment.name,
        "type": attachment.type,
        "bytes": attachment.size,
        "tokens": attachment.tokens,
    }


def attachment_of(document: JsonObject) -> Attachment:
    """Return an attachment that is stored with its message."""
    return Attachment(
        id=document["id"],
        name=document["name"],
        type=document["type"],
        size=document["bytes"],
        tokens=document["tokens"],
    )


def message_document(message: Message) -> JsonObject:
    """Return a message as stored."""
    usage = message.usage
    return {
        "version": VERSION,
        "author": message.author.value,
        "text": message.text,
        "created": time_text(message.created),
        "status": message.status.value,
        "lease_expires": time_text(message.lease_expires),
        "deployment": message.deployment,
        "usage": None
        if usage is None
        else {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "estimated": usage.estimated,
        },
        "finish_reason": message.finish_reason,
        "note": message.note,
        "attachments": [attachment_document(one) for one in message.attachments],
        "instruction": message.instruction,
        "parent": message.parent,
    }


def message_of(conversation_id: str, message_id: str, etag: str, document: JsonObject) -> Message:
    """Return a stored message."""
    usage = document.get("usage")
    return Message(
        id=MessageId(message_id),
        conversation_id=ConversationId(conversation_id),
        author=author_of(document["author"]),
        text=document["text"],
        created=datetime.fromisoformat(document["created"]),
        status=status_of(document["status"]),
        lease_expires=time_of(document.get("lease_expires")),
        deployment=document.get("deployment"),
        usage=None
        if usage is None
        else Usage(usage["prompt_tokens"], usage["completion_tokens"], usage["estimated"]),
        finish_reason=document.get("finish_reason"),
        note=document.get("note"),
        attachments=tuple(map(attachment_of, document.get("attachments", ()))),
        instruction=document.get("instruction"),
        parent=document.get("parent"),
        etag=etag,
    )
