"""Sessions and pending sign-ins, server-side: the browser holds an opaque value only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from secure_openai.types import Principal, PrincipalId


@dataclass(frozen=True, slots=True)
class PendingSignIn:
    """What was remembered when a browser was sent to the identity provider, one per `state`.

    Attributes:
        state_hash: SHA-256 of `state`, hexadecimal: the key.
        browser_hash: SHA-256 of the pre-sign-in cookie: binds the answer to the same browser.
        nonce: Must come back in the ID token (OpenID Connect Core, 3.1.3.7).
        code_verifier: PKCE (RFC 7636).
        return_to: Path of ours to go to afterwards.
        expires: After which the answer is refused.
    """

    state_hash: str
    browser_hash: str
    nonce: str
    code_verifier: str
    return_to: str
    expires: datetime


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser.

    Attributes:
        id_hash: SHA-256 of the cookie value, hexadecimal: the key. The value itself is not kept.
        principal: Who signed in, with roles as of `roles_checked`.
        created: When.
        last_seen: Last request, to within a minute.
        expires: Absolute end.
        roles_checked: When the identity provider last confirmed the roles.
        refresh_token: To ask again; kept only here.
    """

    id_hash: str
    principal: Principal
    created: datetime
    last_seen: datetime
    expires: datetime
    roles_checked: datetime
    refresh_token: str | None = None


class SessionStore(Protocol):
    """Keeps sessions and pending sign-ins. Each method raises `StoreError` when it cannot."""

    async def begin_sign_in(self, pending: PendingSignIn) -> None:
        """Remember a pending sign-in; drops those that expired, and the oldest of too many."""
        ...

    async def take_sign_in(self, state_hash: str, *, now: datetime) -> PendingSignIn | None:
        """Return a pending sign-in and forget it, in one step: a state works once.

        Returns `None` if there is none or it has expired.
        """
        ...

    async def put(self, session: Session) -> None:
        """Store a session under its `id_hash`."""
        ...

    async def get(self, id_hash: str) -> Session | None:
        """Return the session, expired or not, or `None`."""
        ...

    async def touch(self, id_hash: str, *, last_seen: datetime) -> None:
        """Record use; nothing happens if the session is gone, so a revoked one never returns."""
        ...

    async def update_roles(
        self,
        id_hash: str,
        principal: Principal,
        *,
        roles_checked: datetime,
        refresh_token: str | None,
    ) -> bool:
        """Record what the identity provider confirmed; return whether the session was there."""
        ...

    async def delete(self, id_hash: str) -> None:
        """End a session; ending it twice is no error."""
        ...

    async def revoke(self, principal: PrincipalId) -> int:
        """End every session of a principal at once; return how many there were."""
        ...

    async def of(self, principal: PrincipalId) -> Sequence[Session]:
        """Return a principal's sessions, expired ones that are still kept too, oldest first."""
        ...

    async def purge(self, *, now: datetime, idle_since: datetime) -> int:
        """Drop sessions past their end or unused since `idle_since`; return how many."""
        ...
