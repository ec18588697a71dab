"""What the issuer has promised: codes, refresh tokens, device codes, its own sessions.

All in memory: the laptop's issuer forgets when it stops, and people choose themselves again.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")

CODE_SECONDS = 60
"""RFC 6749, 4.1.2: ten minutes at most; a laptop needs less."""

REFRESH_SECONDS = 24 * 3600
DEVICE_SECONDS = 900
DEVICE_INTERVAL = 1
SESSION_SECONDS = 12 * 3600
LARGEST_COUNT = 10_000
"""Of each kind: whoever only begins cannot fill the memory."""


class GrantError(Exception):
    """An OAuth error response (RFC 6749, 5.2; RFC 8628, 3.5); `code` is its `error`."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        self.code = code
        self.description = description


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A checked authorization request."""

    client_id: str
    redirect_uri: str
    scope: str
    state: str
    nonce: str | None
    code_challenge: str


@dataclass(frozen=True, slots=True)
class Grant:
    """What a person allowed a client.

    Attributes:
        family: Joins what one code gave: a replay revokes all of it (RFC 9700, 4.5 and 4.14).
    """

    oid: str
    client_id: str
    scope: str
    nonce: str | None
    session: str | None
    family: str


@dataclass
class _Code:
    grant: Grant
    request: AuthorizationRequest
    expires: float
    used: bool = False


@dataclass
class DeviceCode:
    """A device that waits for its person (RFC 8628)."""

    client_id: str
    scope: str
    user_code: str
    expires: float
    oid: str | None = None
    denied: bool = False


@dataclass
class Grants:
    """Everything promised and not yet forgotten."""

    now: Callable[[], float] = time.time
    _codes: dict[str, _Code] = field(default_factory=dict)
    _refresh: dict[str, tuple[Grant, float]] = field(default_factory=dict)
    _devices: dict[str, DeviceCode] = field(default_factory=dict)
    _sessions: dict[str, tuple[str, float]] = field(default_factory=dict)
    _pending: dict[str, tuple[AuthorizationRequest, float]] = field(default_factory=dict)

    def remember(self, request: AuthorizationRequest) -> str:
        """Keep a request while its person chooses; return its handle."""
        return _put(self._pending, (request, self.now() + DEVICE_SECONDS))

    def take(self, handle: str) -> AuthorizationRequest | None:
        """Return a kept request and forget it."""
        request, expires = self._pending.pop(handle, (None, 0.0))
        return request if self.now() < expires else None

    def code(self, request: AuthorizationRequest, oid: str, session: str) -> str:
        """Return a code for what a person allowed."""
        grant = Grant(
            oid, request.client_id, request.scope, request.nonce, session, secrets.token_hex(8)
        )
        return _put(self._codes, _Code(grant, request, self.now() + CODE_SECONDS))

    def redeem(self, code: str, *, client_id: str, redirect_uri: str, code_verifier: str) -> Grant:
        """Return what a code stands for, once.

        Raises:
            GrantError: It is unknown, used, expired, another client's, or its PKCE does not hold.
        """
        kept = self._codes.get(code)
        if kept is None:
            raise GrantError("invalid_grant", "The code is not known.")
        if kept.used:
            self._revoke(lambda grant: grant.family == kept.grant.family)
            raise GrantError("invalid_grant", "The code was used before.")
        kept.used = True
        if self.now() >= kept.expires:
            raise GrantError("invalid_grant", "The code has expired.")
        if kept.request.client_id != client_id or kept.request.redirect_uri != redirect_uri:
            raise GrantError("invalid_grant", "The code belongs to another client or address.")
        if not hmac.compare_digest(s256(code_verifier), kept.request.code_challenge):
            raise GrantError("invalid_grant", "The code verifier does not fit.")
        return kept.grant

    def refresh_token(self, grant: Grant) -> str:
        """Return a refresh token for a grant."""
        return _put(self._refresh, (grant, self.now() + REFRESH_SECONDS))

    def rotate(self, token: str, *, client_id: str) -> Grant:
        """Return what a refresh token stands for, and forget it: the next one replaces it.

        Raises:
            GrantError: It is unknown, expired or another client's.
        """
        kept = self._refresh.pop(token, None)
        if kept is None or self.now() >= kept[1] or kept[0].client_id != client_id:
            raise GrantError("invalid_grant", "The refresh token is not known.")
        return kept[0]

    def begin_device(self, client_id: str, scope: str) -> tuple[str, DeviceCode]:
        """Return a device code and what the person is shown."""
        letters = "BCDFGHJKLMNPQRSTVWXZ"
        user_code = "".join(secrets.choice(letters) for _ in range(8))
        device = DeviceCode(client_id, scope, user_code, self.now() + DEVICE_SECONDS)
        return _put(self._devices, device), device

    def device_of(self, user_code: str) -> DeviceCode | None:
        """Return the device that waits under a user code."""
        wanted = user_code.replace("-", "").replace(" ", "").upper()
        return next(
            (
                device
                for device in self._devices.values()
                if device.user_code == wanted and self.now() < device.expires and not device.oid
            ),
            None,
        )

    def poll_device(self, device_code: str, *, client_id: str) -> Grant:
        """Return what the person allowed the device, once.

        Raises:
            GrantError: Not yet, never, or no such device.
        """
        device = self._devices.get(device_code)
        if device is None or device.client_id != client_id:
            raise GrantError("invalid_grant", "The device code is not known.")
        if self.now() >= device.expires:
            raise GrantError("expired_token", "The device code has expired.")
        if device.oid is None:
            raise GrantError("authorization_pending", "The person has not decided yet.")
        del self._devices[device_code]
        return Grant(device.oid, client_id, device.scope, None, None, secrets.token_hex(8))

    def begin_session(self, oid: str) -> str:
        """Return the cookie value of a session of the issuer's own."""
        return _put(self._sessions, (oid, self.now() + SESSION_SECONDS))

    def session(self, value: str | None) -> str | None:
        """Return whose session this is, or `None`."""
        oid, expires = self._sessions.get(value or "", (None, 0.0))
        return oid if self.now() < expires else None

    def end_session(self, value: str | None) -> None:
        """End a session and what was promised in it."""
        if value is not None and self._sessions.pop(value, None) is not None:
            self._revoke(lambda grant: grant.session == value)

    def _revoke(self, chosen: Callable[[Grant], bool]) -> None:
        for token in [token for token, (grant, _) in self._refresh.items() if chosen(grant)]:
            del self._refresh[token]


def _put(kept: dict[str, T], value: T) -> str:
    if len(kept) >= LARGEST_COUNT:
        del kept[next(iter(kept))]
    handle = secrets.token_urlsafe(32)
    kept[handle] = value
    return handle


def s256(code_verifier: str) -> str:
    """Return the S256 code challenge of a verifier (RFC 7636, 4.2)."""
    digest = hashlib.sha256(code_verifier.encode("ascii", "replace")).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
