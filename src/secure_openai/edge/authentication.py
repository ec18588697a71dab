"""Turn what a request carries into a principal, or refuse.

Two kinds of credential are read: our session cookie and a bearer access token. No header that a
proxy or a client could set names a principal. Credentials that differ are refused: a request that
says two things is either broken or an attack.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.requests import Request
from starlette.types import Scope

from secure_openai.assembly import Assembly
from secure_openai.edge.cookies import session_cookie
from secure_openai.edge.middleware.refusal import header_values, request_headers
from secure_openai.errors import Unauthenticated
from secure_openai.types import Principal

API_KEY_HEADER = b"api-key"


def assembly_of(request: Request) -> Assembly:
    """Return what the application is made of."""
    # By item: for an attribute of a state Python looks everywhere else first.
    assembly = request.scope["app"].state["assembly"]
    assert isinstance(assembly, Assembly)  # noqa: S101 - the lifespan has set it
    return assembly


def _bearer_of(scope: Scope, headers: Mapping[bytes, bytes]) -> str | None:
    """Return the access token that a request carries, or `None` if it carries none.

    `api-key` may carry the same token for clients that can send nothing else.

    Raises:
        Unauthenticated: Another scheme, a second token, or two that differ.
    """
    tokens = [*map(_token_in, header_values(scope, b"authorization"))]
    if API_KEY_HEADER in headers:
        tokens += [value.strip() for value in header_values(scope, API_KEY_HEADER)]
    if not tokens:
        return None
    if len(tokens) > 1 and any(other != tokens[0] for other in tokens):
        raise Unauthenticated("The request carries two credentials that differ.")
    return tokens[0]


def _token_in(value: str) -> str:
    scheme, _, written = value.partition(" ")
    token = written.strip()
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("Send Authorization: Bearer and an access token.")
    return token


async def authenticate(request: Request, assembly: Assembly) -> Principal | None:
    """Return who asks, or `None` if the request carries no credential.

    Args:
        request: Which.
        assembly: What the application is made of.

    Raises:
        Unauthenticated: A credential that does not hold, or two that differ.
    """
    headers = request_headers(request.scope)
    token = _bearer_of(request.scope, headers)
    cookie = None
    if b"cookie" in headers:
        cookie = request.cookies.get(session_cookie(assembly.settings))
    if token is None and cookie is None:
        return None
    if token is None:
        assert cookie is not None  # noqa: S101 - one of the two is there
        principal = await assembly.sessions.principal(cookie)
        if principal is None:
            raise Unauthenticated("The session has ended. Sign in again.")
        return principal
    tokens = assembly.tokens
    principal = tokens.seen(token) or await tokens.access_token(token)
    if cookie is not None:
        other = await assembly.sessions.principal(cookie)
        if other is None or other.id != principal.id:
            raise Unauthenticated("The request carries two credentials that differ.")
    return principal
