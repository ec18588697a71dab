"""Check an authorization request (RFC 6749, 4.1.1; RFC 7636, 4.3; RFC 9700, 2.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from secure_openai.local.identity_provider.directory import (
    COMMAND_LINE_CLIENT_ID,
    WEB_CLIENT_ID,
)
from secure_openai.local.identity_provider.grants import AuthorizationRequest

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}\Z")


class AuthorizeError(Exception):
    """A refused request; told to the client only where its address is one that it registered."""

    def __init__(self, code: str, description: str, redirect_uri: str | None = None) -> None:
        super().__init__(description)
        self.code = code
        self.description = description
        self.redirect_uri = redirect_uri


def check_authorize(query: Mapping[str, str], *, application_url: str) -> AuthorizationRequest:
    """Return the request, if every rule holds.

    Raises:
        AuthorizeError: Naming the rule; with a `redirect_uri` only once that one is known good.
    """
    client_id = query.get("client_id", "")
    redirect_uri = query.get("redirect_uri", "")
    if client_id not in {WEB_CLIENT_ID, COMMAND_LINE_CLIENT_ID}:
        raise AuthorizeError("invalid_client", "This client is not registered here.")
    if not _registered(client_id, redirect_uri, application_url):
        raise AuthorizeError("invalid_request", "This address is not registered for the client.")
    rules = (
        (query.get("response_type") == "code", "unsupported_response_type", "Ask for a code."),
        (query.get("response_mode", "query") == "query", "invalid_request", "Answers go by query."),
        (
            query.get("code_challenge_method") == "S256"
            and _CHALLENGE.match(query.get("code_challenge", "")) is not None,
            "invalid_request",
            "Send a PKCE code challenge with S256.",
        ),
        ("openid" in query.get("scope", "").split(), "invalid_scope", "Ask for openid."),
        (bool(query.get("state")), "invalid_request", "Send a state."),
    )
    for holds, code, description in rules:
        if not holds:
            raise AuthorizeError(code, description, redirect_uri)
    return AuthorizationRequest(
        client_id=client_id,
        redirect_uri=redirect_uri,
        scope=query["scope"],
        state=query["state"],
        nonce=query.get("nonce"),
        code_challenge=query["code_challenge"],
    )


def _registered(client_id: str, redirect_uri: str, application_url: str) -> bool:
    """Return whether a client may be answered there.

    The web application's address is compared whole. The command line's is `http://localhost` with
    any port, as Entra ID has it (RFC 8252, 7.3; "Redirect URI (reply URL) restrictions and
    limitations": localhost exceptions).
    """
    if client_id == WEB_CLIENT_ID:
        return redirect_uri == f"{application_url}/auth/callback"
    try:
        parts = urlsplit(redirect_uri)
        has_port = parts.port is not None
    except ValueError:
        return False
    return (
        parts.scheme == "http"
        and parts.netloc == f"localhost:{parts.port}"
        and has_port
        and parts.path in {"", "/"}
        and not parts.query
        and not parts.fragment
    )
