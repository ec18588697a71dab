"""Sign-ins and sessions: where identity and the session store meet.

A browser holds two opaque values: one that binds its pending sign-ins to it, and one that names its
session. Only their hashes are stored. Every `state` has a record of its own, so that several tabs
may sign in at once; each works once.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import re
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from secure_openai.errors import IdentityProviderUnavailable, SignInFailed, StorageFull
from secure_openai.identity.authorization import AuthorizationClient
from secure_openai.store.sessions import PendingSignIn, Session, SessionStore
from secure_openai.types import Clock, Principal, PrincipalId, utc_now

logger = logging.getLogger(__name__)

SIGN_IN_LIFETIME = timedelta(minutes=10)
TOUCH_INTERVAL = timedelta(minutes=1)
ROLES_GRACE = timedelta(minutes=5)
"""How long roles are still believed when the identity provider cannot be asked."""

SHORTEST_VALUE, LARGEST_VALUE = 20, 200
"""Characters of a value that a browser sends; ours have 43."""

_LOCAL_PATH = re.compile(r"/(?![/\\])[^\\\x00-\x1f\x7f]*\Z")


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in that has begun.

    Attributes:
        address: Where to send the browser.
        browser: The value to bind it by, for a cookie.
    """

    address: str
    browser: str


class Sessions:
    """Begins, finishes, checks and ends sessions.

    Args:
        store: Keeps them.
        authorization: Asks the identity provider.
        public_url: Our origin: where the identity provider sends people back to.
        redirect_uri: Our callback.
        idle: How long a session lives unused.
        absolute: How long it lives used.
        roles_check: How long roles are believed.
    """

    def __init__(
        self,
        store: SessionStore,
        authorization: AuthorizationClient,
        *,
        public_url: str,
        redirect_uri: str,
        idle: timedelta,
        absolute: timedelta,
        roles_check: timedelta,
        clock: Clock = utc_now,
    ) -> None:
        self._store = store
        self._authorization = authorization
        self._public_url = public_url
        self._redirect_uri = redirect_uri
        self._idle = idle
        self._absolute = absolute
        self._roles_check = roles_check
        self._clock = clock
        self._checking: dict[str, asyncio.Task[Principal | None]] = {}

    async def begin(self, return_to: str, browser: str | None) -> Begun:
        """Begin a sign-in that will come back to `return_to`, a path of ours.

        Raises:
            IdentityProviderUnavailable: The identity provider cannot be reached.
            StoreError: The pending sign-in cannot be kept.
        """
        if browser is None or not SHORTEST_VALUE <= len(browser) <= LARGEST_VALUE:
            browser = secrets.token_urlsafe(32)
        state, nonce = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        code_verifier = secrets.token_urlsafe(48)
        address = await self._authorization.authorization_address(
            state=state, nonce=nonce, code_verifier=code_verifier, redirect_uri=self._redirect_uri
        )
        await self._store.begin_sign_in(
            PendingSignIn(
                state_hash=digest(state),
                browser_hash=digest(browser),
                nonce=nonce,
                code_verifier=code_verifier,
                return_to=local_path(return_to),
                expires=self._clock() + SIGN_IN_LIFETIME,
            )
        )
        return Begun(address, browser)

    async def finish(
        self, *, state: str, code: str, browser: str | None
    ) -> tuple[str, Session, str]:
        """Finish a sign-in: return the session's cookie value, the session, and where to go.

        Raises:
            SignInFailed: The state is not one of this browser's, is used up or has expired; or the
                identity provider refuses the code.
            IdentityProviderUnavailable: The identity provider cannot be reached.
        """
        if not state or not code or browser is None or len(state) > LARGEST_VALUE:
            raise SignInFailed("This answer belongs to no sign-in from this browser. Try again.")
        pending = await self._store.take_sign_in(digest(state), now=self._clock())
        if pending is None or not hmac.compare_digest(pending.browser_hash, digest(browser)):
            raise SignInFailed("This answer belongs to no sign-in from this browser. Try again.")
        signed_in = await self._authorization.redeem(
            code=code,
            code_verifier=pending.code_verifier,
            nonce=pending.nonce,
            redirect_uri=self._redirect_uri,
        )
        now = self._clock()
        value = secrets.token_urlsafe(32)
        session = Session(
            id_hash=digest(value),
            principal=signed_in.principal,
            created=now,
            last_seen=now,
            expires=now + self._absolute,
            roles_checked=now,
            refresh_token=signed_in.refresh_token,
        )
        await self._store.put(session)
        return value, session, pending.return_to

    async def principal(self, value: str) -> Principal | None:
        """Return whose session this is, or `None` if there is none or it has ended.

        Raises:
            IdentityProviderUnavailable: Roles are too old and cannot be asked.
        """
        if len(value) > LARGEST_VALUE:
            return None
        id_hash = digest(value)
        session = await self._store.get(id_hash)
        if session is None:
            return None
        now = self._clock()
        if now >= session.expires or now - session.last_seen >= self._idle:
            await self._store.delete(id_hash)
            return None
        if now - session.last_seen >= TOUCH_INTERVAL:
            # On a full disk whoever is signed in goes on reading, until the session would be idle.
            with suppress(StorageFull):
                await self._store.touch(id_hash, last_seen=now)
        if now - session.roles_checked < self._roles_check:
            return session.principal
        return await self._checked(session, now)

    async def _checked(self, session: Session, now: datetime) -> Principal | None:
        """Ask for the roles again, once for all requests that wait for them."""
        checking = self._checking.get(session.id_hash)
        if checking is None:
            checking = asyncio.ensure_future(self._check_roles(session))
            self._checking[session.id_hash] = checking
            checking.add_done_callback(lambda _: self._checking.pop(session.id_hash, None))
        try:
            return await asyncio.shield(checking)
        except IdentityProviderUnavailable:
            if now - session.roles_checked < self._roles_check + ROLES_GRACE:
                return session.principal
            raise

    async def _check_roles(self, session: Session) -> Principal | None:
        if session.refresh_token is None:
            await self._store.delete(session.id_hash)
            return None
        try:
            answer = await self._authorization.refresh(session.refresh_token)
        except SignInFailed:
            logger.info("the identity provider ended a session")
            await self._store.delete(session.id_hash)
            return None
        if answer.principal.id != session.principal.id:
            await self._store.delete(session.id_hash)
            return None
        kept = await self._store.update_roles(
            session.id_hash,
            answer.principal,
            roles_checked=self._clock(),
            refresh_token=answer.refresh_token,
        )
        # Signed out or revoked while the identity provider was asked: it has ended.
        return answer.principal if kept else None

    async def end(self, value: str) -> Principal | None:
        """End a session and return whose it was; ending one that is none is no error.

        The identity provider is not asked: its absence must not keep anyone signed in.
        """
        id_hash = digest(value)
        session = await self._store.get(id_hash)
        await self._store.delete(id_hash)
        return None if session is None else session.principal

    async def revoke(self, principal: PrincipalId) -> int:
        """End every session of a principal at once; return how many there were."""
        return await self._store.revoke(principal)

    async def drop(self, session: Session) -> None:
        """End one session; ending one that has ended is no error."""
        await self._store.delete(session.id_hash)

    async def of(self, principal: PrincipalId) -> Sequence[Session]:
        """Return a principal's sessions, oldest first."""
        return await self._store.of(principal)

    async def sign_out_address(self) -> str:
        """Return where to send a browser whose session has ended here."""
        return await self._authorization.sign_out_address(
            return_to=f"{self._public_url}/signed-out"
        )

    async def purge(self) -> int:
        """Drop sessions that have ended; return how many."""
        now = self._clock()
        return await self._store.purge(now=now, idle_since=now - self._idle)


def digest(value: str) -> str:
    """Return what is stored in place of a value that only the browser holds."""
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


def local_path(path: str) -> str:
    """Return `path` if it is one of ours, otherwise the start page.

    Two slashes, or a slash and a backslash, begin another host to browsers (WHATWG URL, 4.4).
    """
    return path if _LOCAL_PATH.match(path) and len(path) <= LARGEST_VALUE else "/"
