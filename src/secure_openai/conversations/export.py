"""One conversation as a file: Markdown of the branch that is shown, or JSON of all of it."""

from __future__ import annotations

import asyncio
import json
import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from urllib.parse import quote

from secure_openai.characters import escaped, visible
from secure_openai.conversations.titles import plain
from secure_openai.errors import TooLarge
from secure_openai.store.conversations import ConversationStore
from secure_openai.store.documents import conversation_document, message_document
from secure_openai.types import (
    Author,
    Clock,
    Conversation,
    ConversationId,
    JsonObject,
    Message,
    MessageId,
    MessageStatus,
    PrincipalId,
    utc_now,
)

VERSION = 1
"""Of the JSON file."""

LARGEST_CHARACTERS = 50_000_000
TOO_LARGE = "The conversation is larger than one file: ask for an export of all your data instead."

NAME_CHARACTERS = 60
PAGE = 200

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9]+")
_SEPARATORS = re.compile(r"[/\\:]+")


async def as_json(
    conversations: ConversationStore,
    owner: PrincipalId,
    conversation_id: ConversationId,
    *,
    clock: Clock = utc_now,
) -> tuple[Conversation, bytes]:
    """Return a conversation, and a file of all its branches: each message says what it follows.

    Raises:
        NotFound: The owner has no such conversation.
        TooLarge: There is more than one file holds.
    """
    conversation = await conversations.get(owner, conversation_id)
    messages: list[JsonObject] = []
    room, continuation = LARGEST_CHARACTERS, None
    while True:
        page = await conversations.messages(
            owner, conversation_id, limit=PAGE, continuation=continuation
        )
        room = _left(room, page.items)
        messages += [{"id": one.id, **message_document(one)} for one in page.items]
        continuation = page.continuation
        if continuation is None:
            break
    document = {
        "id": conversation.id,
        **conversation_document(conversation),
        "version": VERSION,
        "exported": clock().isoformat(),
        "messages": messages,
    }
    return conversation, await asyncio.to_thread(_json_of, document)


async def as_markdown(
    conversations: ConversationStore,
    owner: PrincipalId,
    conversation_id: ConversationId,
    *,
    leaf: MessageId | None = None,
    clock: Clock = utc_now,
) -> tuple[Conversation, bytes]:
    """Return a conversation, and a file of one branch to read: what people asked is quoted in it.

    Raises:
        NotFound: The owner has no such conversation, or it has no message `leaf`.
        TooLarge: There is more than one file holds.
    """
    conversation = await conversations.get(owner, conversation_id)
    if leaf is not None:
        leaf = await conversations.leaf(owner, conversation_id, leaf)
    branch: list[Message] = []
    room, continuation = LARGEST_CHARACTERS, None
    while True:
        page = await conversations.branch(
            owner, conversation_id, leaf=leaf, limit=PAGE, continuation=continuation
        )
        turns = [turn.message for turn in page.items]
        room = _left(room, turns)
        branch += turns
        continuation = page.continuation
        if continuation is None:
            break
    return conversation, await asyncio.to_thread(
        _markdown_of, conversation.title, branch[::-1], clock()
    )


def _json_of(document: JsonObject) -> bytes:
    return escaped(json.dumps(document, ensure_ascii=False, indent=1)).encode()


def _markdown_of(title: str, branch: Sequence[Message], now: datetime) -> bytes:
    parts = [f"# {_escaped(plain(title))}", f"Exported {_moment(now)}."]
    parts += [_part(message, now) for message in branch]
    return ("\n\n".join(parts) + "\n").encode()


def _left(room: int, messages: Sequence[Message]) -> int:
    room -= sum(len(one.text) for one in messages)
    if room < 0:
        raise TooLarge(TOO_LARGE)
    return room


def _part(message: Message, now: datetime) -> str:
    asked = message.author is Author.USER
    who = "Question" if asked else f"Answer of {_escaped(message.deployment or 'a model')}"
    said = visible(message.text.replace("\r\n", "\n").replace("\r", "\n"))
    if asked:
        said = "\n".join(f"> {line}".rstrip() for line in said.split("\n"))
    parts = [f"## {who}, {_moment(message.created)}", said]
    if message.attachments:
        names = ", ".join(_escaped(one.name) for one in message.attachments)
        parts.append(f"*Attached: {names}*")
    if message.status_at(now) is not MessageStatus.COMPLETE:
        parts.append("*Interrupted: the answer stops here.*")
    return "\n\n".join(parts)


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _escaped(text: str) -> str:
    """Return a text that Markdown shows as it is (CommonMark, 2.4 "Backslash escapes")."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~-])", r"\\\1", visible(text))


def disposition(title: str, ending: str) -> str:
    """Return the header that offers a file under a conversation's title (RFC 6266, 4 and 5).

    A title is anybody's text: the plain name has letters, digits and dashes only, the other one is
    percent-encoded, and neither names a folder.
    """
    seen = _SEPARATORS.sub("-", plain(title))[:NAME_CHARACTERS].strip(" .-") or "conversation"
    ascii_only = unicodedata.normalize("NFKD", seen).encode("ascii", "ignore").decode()
    short = _NOT_IN_NAMES.sub("-", ascii_only).strip("-").lower() or "conversation"
    encoded = quote(f"{seen}.{ending}", safe="")
    return f"attachment; filename=\"{short}.{ending}\"; filename*=UTF-8''{encoded}"
