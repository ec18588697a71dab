"""Conversations and messages as items: their ids, their members, their sizes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from secure_openai.errors import NotFound, RequestError
from secure_openai.store.cosmos.container import (
    ETAG,
    SURROGATE,
    Create,
    Operation,
    Replace,
    check_size,
)
from secure_openai.store.documents import (
    conversation_document,
    conversation_of,
    merged,
    message_document,
    message_of,
)
from secure_openai.types import (
    Conversation,
    ConversationId,
    JsonObject,
    Message,
    MessageId,
    PrincipalId,
)

NO_CONVERSATION = "There is no such conversation."
NO_MESSAGE = "There is no such message."

LARGEST_MESSAGE_BYTES = 900_000
"""How large a message may be as JSON in UTF-8; with its conversation it has to fit one batch."""

MESSAGE_TOO_LARGE = "A message of more than 0.9 MB cannot be kept: make it shorter."

_IDENTIFIER = re.compile(r"[A-Za-z0-9_-]{1,128}")


def conversation_key(conversation_id: str) -> str:
    """Return the id of a conversation's item.

    Raises:
        NotFound: No conversation can have this id.
        RequestError: It is no text.
    """
    return f"conversation.{_checked(conversation_id, NO_CONVERSATION)}"


def message_key(conversation_id: str, message_id: str) -> str:
    """Return the id of a message's item.

    Raises:
        NotFound: No message can have this id.
        RequestError: It is no text.
    """
    conversation = _checked(conversation_id, NO_MESSAGE)
    return f"message.{conversation}.{_checked(message_id, NO_MESSAGE)}"


def _checked(identifier: str, missing: str) -> str:
    try:
        identifier.encode()
    except UnicodeEncodeError:
        raise RequestError(SURROGATE) from None
    # Ours are of these characters; of the others, some would mean something in an address.
    if not _IDENTIFIER.fullmatch(identifier):
        raise NotFound(missing)
    return identifier


def conversation_item(conversation: Conversation) -> JsonObject:
    """Return a conversation that has no message yet."""
    return {
        "id": conversation_key(conversation.id),
        "owner": conversation.owner.key,
        "kind": "conversation",
        "conversation": conversation.id,
        "etag": conversation.etag,
        "next_sequence": 1,
        **conversation_document(conversation),
    }


def conversation_in(owner: PrincipalId, item: JsonObject) -> Conversation:
    """Return the conversation of an item."""
    return conversation_of(owner, item["conversation"], item["etag"], item)


def changed_item(stored: JsonObject, changed: Conversation) -> JsonObject:
    """Return a conversation's item after a change."""
    return merged(stored, {**conversation_document(changed), "etag": changed.etag})


def newest_noted(item: JsonObject) -> MessageId | None:
    """Return a conversation's newest message, where its item says which it is."""
    noted = item.get("newest") or {}
    return noted["message"] if noted.get("sequence") == item["next_sequence"] - 1 else None


def message_in(item: JsonObject) -> Message:
    """Return the message of an item whose parent is known."""
    return message_of(item["conversation"], item["message"], item["etag"], item)


def replaced_item(stored: JsonObject, written: Message) -> JsonObject:
    """Return a message's item after it was replaced.

    Raises:
        TooLarge: It is larger than a message may be.
    """
    item = merged(stored, {**message_document(written), "etag": written.etag})
    # It keeps its place: what follows none by name follows the one before.
    if "parent" in stored:
        item["parent"] = stored["parent"]
    else:
        del item["parent"]
    check_size(item, largest=LARGEST_MESSAGE_BYTES, detail=MESSAGE_TOO_LARGE)
    return item


def appended(
    owner: PrincipalId,
    conversations: Mapping[ConversationId, JsonObject],
    messages: Sequence[Message],
    now: datetime,
) -> list[Operation]:
    """Return what appends messages to their conversations, which were read as they stand here.

    A conversation notes its newest message with its place: a program that knows no branches counts
    on and leaves the note behind, so it holds only where its place is the last.

    Raises:
        TooLarge: A message is larger than a message may be.
    """
    following = {each: item["next_sequence"] for each, item in conversations.items()}
    creations: list[Operation] = []
    newest: dict[ConversationId, MessageId] = {}
    for message in messages:
        item = {
            "id": message_key(message.conversation_id, message.id),
            "owner": owner.key,
            "kind": "message",
            "conversation": message.conversation_id,
            "message": message.id,
            "sequence": following[message.conversation_id],
            "etag": message.etag,
            **message_document(message),
        }
        check_size(item, largest=LARGEST_MESSAGE_BYTES, detail=MESSAGE_TOO_LARGE)
        following[message.conversation_id] += 1
        newest[message.conversation_id] = message.id
        creations.append(Create(item))
    touched: list[Operation] = []
    for each, item in conversations.items():
        conversation = replace(conversation_in(owner, item), updated=now)
        document = {
            **conversation_document(conversation),
            "next_sequence": following[each],
            "newest": {"sequence": following[each] - 1, "message": newest[each]},
        }
        touched.append(Replace(merged(item, document), item[ETAG]))
    return [*touched, *creations]


def plausible_end(values: list[object]) -> bool:
    """Return whether a page of conversations could end so: a time, and those shown of it."""
    match values:
        case [str(updated), str(), *_] if all(isinstance(value, str) for value in values):
            shown = map(str, values[1:])
            return bool(datetime.fromisoformat(updated)) and all(map(_IDENTIFIER.fullmatch, shown))
    return False


def plausible_part(values: list[object]) -> bool:
    """Return whether a page of a list in parts could end so: in a part, at its begin or further."""
    if not values or type(values[0]) is not int or values[0] not in (0, 1):
        return False
    return len(values) == 1 or plausible_end(values[1:])


def plausible_place(values: list[object]) -> bool:
    """Return whether a page of messages could end so: at a place, before a message or none."""
    match values:
        case [int(place)] | [int(place), str()]:
            return type(place) is int and 0 < place < 2**53
    return False
