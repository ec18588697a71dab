"""The hash chain of the audit: how a record's hash is made."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime

from pydantic_core import from_json, to_json

from secure_openai.errors import AuditUnavailable, StoreError
from secure_openai.store.audit import AuditEvent, AuditRecord
from secure_openai.types import JsonObject, PrincipalId

GENESIS = "0" * 64
"""What the first record names as the hash before it."""


LARGEST_BYTES = 32 * 1024
"""How large an event may be as stored: records hold facts, no text."""


def event_document(event: AuditEvent) -> JsonObject:
    """Return an event as stored, sorted; members without a value are left out."""
    at = event.at if event.at.tzinfo is UTC else event.at.astimezone(UTC)
    document: JsonObject = {
        "action": event.action,
        "at": at.isoformat(),
        "decision": event.decision,
    }
    if event.deployment is not None:
        document["deployment"] = event.deployment
    if facts := event.facts:
        document["facts"] = {name: facts[name] for name in sorted(facts)}
    if event.principal:
        document["principal"] = event.principal.key
    document["reason"] = event.reason
    if event.request_id is not None:
        document["request_id"] = event.request_id
    if event.subject is not None:
        document["subject"] = event.subject
    return document


def event_of(document: JsonObject) -> AuditEvent:
    """Return a stored event."""
    principal = document.get("principal")
    return AuditEvent(
        action=document["action"],
        at=datetime.fromisoformat(document["at"]),
        principal=None if principal is None else PrincipalId.parse(principal),
        decision=document["decision"],
        reason=document["reason"],
        deployment=document.get("deployment"),
        request_id=document.get("request_id"),
        facts=document.get("facts"),
        subject=document.get("subject"),
    )


_WRITER = json.JSONEncoder(
    sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
)


def canonical(document: JsonObject) -> str:
    """Return a document's one spelling: sorted keys, no spaces, UTF-8.

    For the values that audit events hold (no floats outside the safe range) this equals the JSON
    Canonicalization Scheme (RFC 8785) except for the order of keys beyond the Basic Multilingual
    Plane, which event members do not use.

    Raises:
        ValueError: It holds NaN, an infinity, or half of a surrogate pair.
        TypeError: It holds what JSON does not know.
    """
    text = _WRITER.encode(document)
    text.encode()
    return text


_MEMBERS = frozenset({str, dict})
_FACTS = frozenset({str, int, bool, type(None)})
"""What the quick writer spells as the other one does."""


def _canonical(document: JsonObject) -> str:
    """Return `canonical` of an event's document, quickly where its facts are as most are."""
    facts = document.get("facts", {})
    if _FACTS.issuperset(map(type, facts.values())) and _MEMBERS.issuperset(
        map(type, document.values())
    ):
        return to_json(document).decode()
    return canonical(document)


def recordable(event: AuditEvent) -> str:
    """Return an event's canonical document.

    Raises:
        AuditUnavailable: It has none, or one that is too large.
    """
    try:
        document = _canonical(event_document(event))
    except (TypeError, ValueError):
        raise AuditUnavailable("This cannot be recorded, so it cannot be done.") from None
    # No character takes more than four bytes of UTF-8.
    if len(document) * 4 > LARGEST_BYTES < len(document.encode()):
        raise AuditUnavailable("This is too large to be recorded, so it cannot be done.")
    return document


def record_hash(sequence: int, document_text: str, previous: str) -> str:
    """Return a record's hash: SHA-256 of the hash before, the sequence and the document."""
    return hashlib.sha256(f"{previous}\n{sequence}\n{document_text}".encode()).hexdigest()


def record_of(sequence: int, document_text: str, previous: str, digest: str) -> AuditRecord:
    """Return a stored record.

    Raises:
        StoreError: Its document is none of ours.
    """
    try:
        event = event_of(from_json(document_text))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise StoreError(f"Record {sequence} of the audit cannot be read: verify it.") from None
    return AuditRecord(sequence, event, previous, digest)
