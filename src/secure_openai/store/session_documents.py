"""Stored documents of sessions and of sign-ins under way."""

from __future__ import annotations

from datetime import datetime

from secure_openai.store.documents import VERSION, time_text
from secure_openai.store.sessions import PendingSignIn, Session
from secure_openai.types import JsonObject, Principal, PrincipalId, PrincipalKind


def sign_in_document(pending: PendingSignIn) -> JsonObject:
    """Return a pending sign-in as stored, without its key and its end."""
    return {
        "version": VERSION,
        "browser_hash": pending.browser_hash,
        "nonce": pending.nonce,
        "code_verifier": pending.code_verifier,
        "return_to": pending.return_to,
    }


def sign_in_of(state_hash: str, expires: datetime, document: JsonObject) -> PendingSignIn:
    """Return a stored pending sign-in."""
    return PendingSignIn(
        state_hash=state_hash,
        browser_hash=document["browser_hash"],
        nonce=document["nonce"],
        code_verifier=document["code_verifier"],
        return_to=document["return_to"],
        expires=expires,
    )


def session_document(session: Session) -> JsonObject:
    """Return a session as stored."""
    principal = session.principal
    return {
        "version": VERSION,
        "principal": {
            "id": principal.id.key,
            "kind": principal.kind.value,
            "roles": sorted(principal.roles),
            "name": principal.name,
            "username": principal.username,
            "client_id": principal.client_id,
        },
        "created": time_text(session.created),
        "last_seen": time_text(session.last_seen),
        "expires": time_text(session.expires),
        "roles_checked": time_text(session.roles_checked),
        "refresh_token": session.refresh_token,
    }


def session_of(id_hash: str, document: JsonObject) -> Session:
    """Return a stored session."""
    principal = document["principal"]
    try:
        kind, roles = PrincipalKind(principal["kind"]), frozenset(principal["roles"])
    except ValueError:
        # Of a kind that only a later program knows: whoever it is may do nothing here.
        kind, roles = PrincipalKind.PERSON, frozenset()
    return Session(
        id_hash=id_hash,
        principal=Principal(
            id=PrincipalId.parse(principal["id"]),
            kind=kind,
            roles=roles,
            name=principal["name"],
            username=principal["username"],
            client_id=principal["client_id"],
        ),
        created=datetime.fromisoformat(document["created"]),
        last_seen=datetime.fromisoformat(document["last_seen"]),
        expires=datetime.fromisoformat(document["expires"]),
        roles_checked=datetime.fromisoformat(document["roles_checked"]),
        refresh_token=document["refresh_token"],
    )
