"""The pages: one's conversations, one conversation, and what went wrong."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from secure_openai.edge.access import (
    PEOPLE,
    SecuredRoute,
    principal_of,
    public,
    requires,
    signed_in,
)
from secure_openai.edge.authentication import assembly_of
from secure_openai.edge.chat import message_json
from secure_openai.edge.cookies import delete_cookie, session_cookie
from secure_openai.edge.problems import headers_of, request_id_of
from secure_openai.edge.sign_in import sign_in_address
from secure_openai.errors import SecureOpenAIError, Unauthenticated
from secure_openai.types import ConversationId, Operation

router = APIRouter(route_class=SecuredRoute, include_in_schema=False)
signed_out_router = APIRouter(route_class=SecuredRoute, include_in_schema=False)
"""Where a sign-out ends, whichever other pages there are."""

TEMPLATES_FOLDER = Path(str(files("secure_openai.edge") / "templates"))

_TEMPLATES = Environment(
    loader=FileSystemLoader(TEMPLATES_FOLDER),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def _page(name: str, *, status_code: int = 200, **values: object) -> Response:
    return HTMLResponse(_TEMPLATES.get_template(name).render(**values), status_code=status_code)


@router.get("/")
@signed_in
async def home(request: Request) -> Response:
    """Show one's conversations and begin one; without a role, say so and whom to ask."""
    return await _chat_page(request, None)


@signed_out_router.get("/signed-out")
@public
async def signed_out(request: Request) -> Response:  # noqa: ARG001 - every endpoint takes it
    """Say that the session has ended."""
    return _page("signed_out.html")


@router.get("/conversations/{conversation_id}")
@requires(*PEOPLE)
async def conversation(request: Request, conversation_id: str) -> Response:
    """Show a conversation."""
    return await _chat_page(request, ConversationId(conversation_id))


async def _chat_page(request: Request, conversation_id: ConversationId | None) -> Response:
    assembly = assembly_of(request)
    principal = principal_of(request)
    deployments = assembly.pipeline.deployments_for(principal, Operation.CHAT_COMPLETIONS)
    if not principal.roles & set(PEOPLE):
        return _page(
            "no_role.html", status_code=403, principal=principal, contact=assembly.settings.contact
        )
    mine = await assembly.conversations.list(
        principal.id, limit=50, continuation=request.query_params.get("continuation")
    )
    current, messages, earlier = None, [], None
    if conversation_id is not None:
        current = await assembly.conversations.get(principal.id, conversation_id)
        page = await assembly.conversations.messages(
            principal.id,
            conversation_id,
            limit=100,
            continuation=request.query_params.get("before"),
            newest_first=True,
        )
        messages = [message_json(message) for message in reversed(page.items)]
        earlier = page.continuation
    return _page(
        "chat.html",
        principal=principal,
        deployments=deployments,
        conversations=mine.items,
        continuation=mine.continuation,
        current=current,
        messages=messages,
        earlier=earlier,
    )


def wants_page(request: Request) -> bool:
    """Return whether a browser asked for a page, and not a program for data."""
    return (
        request.method in {"GET", "POST"}
        and not request.url.path.startswith(("/api/", "/openai/", "/static/"))
        and "text/html" in request.headers.get("accept", "")
    )


async def error_page(request: Request, error: SecureOpenAIError) -> Response:
    """Show an error as a page; someone who is not signed in is sent to sign in."""
    settings = assembly_of(request).settings
    if isinstance(error, Unauthenticated) and request.method == "GET":
        query = f"?{request.url.query}" if request.url.query else ""
        again = RedirectResponse(
            sign_in_address(request.url.path + query), status_code=303, headers=headers_of(error)
        )
        delete_cookie(again, settings, session_cookie(settings))
        return again
    response = _page(
        "error.html",
        status_code=error.http_status,
        title=error.title,
        detail=error.detail or error.title,
        request_id=request_id_of(request),
    )
    response.headers.update(headers_of(error))
    return response
