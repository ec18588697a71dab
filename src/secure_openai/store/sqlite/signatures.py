"""What a conversation cannot hold, so that a search need not look there.

A signature has a bit for each three characters in a row that stand somewhere in a conversation, in
lower case: where one of a text's is missing, so is the text. It says nothing that can be read, and
goes with its conversation. A full-text index would keep the words of deleted messages in the file
until it is merged, which nobody would see.

A signature knows up to which place it was brought; where a program that makes none has appended
since, it is made anew with the next message, and until then says nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from secure_openai.store.documents import loads

BYTES = 8192
BITS = 8 * BYTES
THREE = 3

_STORED = "SELECT place, bits FROM signature WHERE owner = ? AND conversation_id = ?"
_WRITE = (
    "INSERT INTO signature (owner, conversation_id, place, bits) VALUES (?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET place = excluded.place, bits = excluded.bits"
)
_DOCUMENTS = "SELECT document FROM message WHERE owner = ? AND conversation_id = ?"


def places_in(text: str) -> set[int]:
    """Return the bits of a text; none of one that is shorter than three characters."""
    lower = text.lower()
    threes = {lower[at : at + THREE] for at in range(len(lower) - THREE + 1)}
    return {
        (ord(one[0]) * 7919 + ord(one[1]) * 104_729 + ord(one[2]) * 31) % BITS for one in threes
    }


def may_hold(bits: bytes, places: Iterable[int]) -> bool:
    """Return whether every bit is set."""
    return all(bits[place >> 3] & 1 << (place & 7) for place in places)


def sign(
    connection: sqlite3.Connection,
    owner: str,
    conversation_id: str,
    texts: Sequence[str],
    *,
    first: int,
) -> None:
    """Bring a signature up to messages that were stored in a row, the first at a place."""
    row = connection.execute(_STORED, (owner, conversation_id)).fetchone()
    place, bits = row or (0, bytes(BYTES))
    if place != first - 1:
        found = connection.execute(_DOCUMENTS, (owner, conversation_id))
        said, bits = [str(loads(document)["text"]) for (document,) in found], bytes(BYTES)
    else:
        said = list(texts)
    last = first + len(texts) - 1
    connection.execute(_WRITE, (owner, conversation_id, last, _with(bits, said)))


def sign_again(
    connection: sqlite3.Connection, owner: str, conversation_id: str, text: str, *, at: int
) -> None:
    """Add what a message says now to the signature, where that has come so far."""
    row = connection.execute(_STORED, (owner, conversation_id)).fetchone()
    if row is not None and row[0] >= at:
        connection.execute(_WRITE, (owner, conversation_id, row[0], _with(row[1], [text])))


def _with(bits: bytes, texts: Iterable[str]) -> bytes:
    changed = bytearray(bits)
    for text in texts:
        for place in places_in(text):
            changed[place >> 3] |= 1 << (place & 7)
    return bytes(changed)
