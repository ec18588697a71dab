"""Sign in, come back, sign out. Redirects go to addresses from settings, never from a header."""

from __future__ import annotations

from urllib.parse import quote

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from secure_openai.edge.access import SecuredRoute, public
from secure_openai.edge.authentication import assembly_of
from secure_openai.edge.cookies import delete_cookie, session_cookie, set_cookie, sign_in_cookie
from secure_openai.edge.recording import record
from secure_openai.errors import IdentityProviderUnavailable, SignInFailed

CALLBACK_PATH = "/auth/callback"
SIGN_IN_SECONDS = 600
SIGNED_OUT_PATH = "/signed-out"

router = APIRouter(route_class=SecuredRoute, include_in_schema=False)


def sign_in_address(return_to: str) -> str:
    """Return our path that begins a sign-in and comes back to `return_to`."""
    return f"/sign-in?return_to={quote(return_to, safe='/')}"


@router.get("/sign-in")
@public
async def sign_in(request: Request) -> Response:
    """Remember a pending sign-in and send the browser to the identity provider."""
    assembly = assembly_of(request)
    cookie = sign_in_cookie(assembly.settings)
    begun = await assembly.sessions.begin(
        request.query_params.get("return_to", "/"), request.cookies.get(cookie)
    )
    response = RedirectResponse(begun.address, status_code=303)
    set_cookie(response, assembly.settings, cookie, begun.browser, max_age=SIGN_IN_SECONDS)
    return response


@router.get(CALLBACK_PATH)
@public
async def callback(request: Request) -> Response:
    """Take the identity provider's answer, once, from the browser that was sent there."""
    assembly = assembly_of(request)
    settings = assembly.settings
    query = request.query_params
    state = query.get("state", "")
    if "error" in query:
        # What the provider says is not shown: anyone can write a link to this page.
        raise SignInFailed("The identity provider refused the sign-in. Try again.")
    assembly.audit.ensure_writable()
    value, session, return_to = await assembly.sessions.finish(
        state=state,
        code=query.get("code", ""),
        browser=request.cookies.get(sign_in_cookie(settings)),
    )
    earlier = request.cookies.get(session_cookie(settings))
    if earlier is not None:
        await assembly.sessions.end(earlier)
    record(request, "session.started", session.principal, reason="signed_in")
    response = RedirectResponse(return_to, status_code=303)
    set_cookie(response, settings, session_cookie(settings), value)
    # The pre-sign-in cookie stays until it expires: other tabs may still be on their way back.
    return response


@router.post("/sign-out")
@public
async def sign_out(request: Request) -> Response:
    """End the session here, then at the identity provider."""
    assembly = assembly_of(request)
    settings = assembly.settings
    value = request.cookies.get(session_cookie(settings))
    if value is not None:
        principal = await assembly.sessions.end(value)
        if principal is not None:
            record(request, "session.ended", principal, reason="signed_out")
    try:
        address = await assembly.sessions.sign_out_address()
    except IdentityProviderUnavailable:
        address = SIGNED_OUT_PATH
    response = RedirectResponse(address, status_code=303)
    delete_cookie(response, settings, session_cookie(settings))
    return response
