"""The pages: one's conversations, one conversation, and what went wrong."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from secure_openai.characters import visible
from secure_openai.conversations.attachments import LARGEST_BYTES
from secure_openai.edge.access import (
    PEOPLE,
    SecuredRoute,
    before_notice,
    principal_of,
    public,
    requires,
    signed_in,
)
from secure_openai.edge.authentication import assembly_of
from secure_openai.edge.conversations import DEFAULT_TITLE
from secure_openai.edge.cookies import delete_cookie, session_cookie
from secure_openai.edge.desk.words import Words
from secure_openai.edge.language import Language, language_of
from secure_openai.edge.markdown import rendered
from secure_openai.edge.messages import shown_branch, turns_json
from secure_openai.edge.offers import offers_json
from secure_openai.edge.presentation import page
from secure_openai.edge.problems import headers_of, request_id_of
from secure_openai.edge.shares import ones_turn
from secure_openai.edge.sign_in import sign_in_address
from secure_openai.errors import NoticeNotAccepted, SecureOpenAIError, Unauthenticated
from secure_openai.sessions import local_path
from secure_openai.types import Conversation, ConversationId, Operation

TURNS = 40
"""How much of a conversation a page opens with; earlier turns are loaded when they are wanted."""

NOTICE_PATH = "/notice"
"""Where a person reads the notice and accepts it."""

router = APIRouter(route_class=SecuredRoute, include_in_schema=False)
entry_router = APIRouter(route_class=SecuredRoute, include_in_schema=False)
"""What people come in and go out by, whichever other pages there are."""


@router.get("/")
@signed_in
async def home(request: Request) -> Response:
    """Show one's conversations and begin one; without a role, say so and whom to ask."""
    return await _chat_page(request, None)


@entry_router.get("/signed-out")
@public
async def signed_out(request: Request) -> Response:
    """Say that the session has ended."""
    return page(request, "signed_out.html")


@router.get("/conversations/{conversation_id}")
@requires(*PEOPLE)
async def conversation(request: Request, conversation_id: str) -> Response:
    """Show a conversation."""
    return await _chat_page(request, ConversationId(conversation_id))


@entry_router.get(NOTICE_PATH)
@before_notice
@signed_in
async def notice(request: Request) -> Response:
    """Show what a person accepts before first use; where nothing is to be accepted, go on."""
    assembly = assembly_of(request)
    stands = assembly.appearance.notice
    return_to = local_path(request.query_params.get("return_to", "/"))
    accepted = await assembly.acceptances.accepted(principal_of(request).id)
    if stands is None or accepted is not None:
        return RedirectResponse(return_to, status_code=303)
    return page(
        request,
        "notice.html",
        title=stands.name,
        text=rendered(stands.text),
        digest=assembly.appearance.notice_digest,
        return_to=return_to,
    )


async def _chat_page(request: Request, conversation_id: ConversationId | None) -> Response:
    assembly = assembly_of(request)
    principal = principal_of(request)
    deployments = assembly.pipeline.deployments_for(principal, Operation.CHAT_COMPLETIONS)
    if not principal.roles & set(PEOPLE):
        return page(request, "no_role.html", status_code=403)
    mine = await assembly.conversations.list(
        principal.id, limit=50, continuation=request.query_params.get("continuation")
    )
    t = language_of(request)
    current, messages, earlier = None, [], None
    if conversation_id is not None:
        current = await assembly.conversations.get(principal.id, conversation_id)
        async with ones_turn(request):
            found = await shown_branch(
                assembly.conversations,
                principal.id,
                conversation_id,
                leaf=request.query_params.get("leaf"),
                limit=TURNS,
                continuation=request.query_params.get("before"),
            )
            messages = await turns_json(found.items)
        earlier = found.continuation
    return page(
        request,
        "chat.html",
        deployments=offers_json(assembly, deployments),
        conversations=[_shown(one, t) for one in mine.items],
        continuation=mine.continuation,
        current=current and _shown(current, t),
        messages=messages,
        earlier=earlier,
        largest_file=LARGEST_BYTES,
        grace_seconds=f"{assembly.settings.resume_grace_seconds:g}",
        w=Words(t, assembly.policy.prices.currency),
    )


def _shown(conversation: Conversation, t: Language) -> Conversation:
    untitled = not conversation.titled and conversation.title == DEFAULT_TITLE
    return replace(conversation, title=t("chat.new") if untitled else visible(conversation.title))


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
    if isinstance(error, NoticeNotAccepted) and request.method == "GET":
        return RedirectResponse(
            f"{NOTICE_PATH}?{urlencode({'return_to': request.url.path})}",
            status_code=303,
            headers=headers_of(error),
        )
    t = language_of(request)
    title = t.of_problem(error.problem, error.title)
    response = page(
        request,
        "error.html",
        status_code=error.http_status,
        status=error.http_status,
        title=title,
        detail=t.of_detail(error.detail) or title,
        request_id=request_id_of(request),
    )
    response.headers.update(headers_of(error))
    return response
