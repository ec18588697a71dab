"""What people say of answers, and what administrators see of it: never the conversation."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from secure_openai.conversations.feedback import COMMENT_CHARACTERS, Feedback, Rating, reasons
from secure_openai.edge.access import ADMIN, PEOPLE, SecuredRoute, principal_of, requires
from secure_openai.edge.authentication import assembly_of
from secure_openai.edge.bodies import Body, body_of, limit_of
from secure_openai.edge.desk.ranges import day_of
from secure_openai.edge.looking import viewed
from secure_openai.policy.text import check_text
from secure_openai.types import ConversationId, JsonObject, MessageId, Page, utc_now

FOR_ADMINISTRATORS = (
    "Administrators of this application see your name, your rating, its reason and your comment. "
    "They see nothing of the conversation, unless you write it here."
)

MESSAGE = "/conversations/{conversation_id}/messages/{message_id}/feedback"

router = APIRouter(route_class=SecuredRoute, prefix="/api", tags=["feedback"])


class Given(Body):
    """What is said of an answer."""

    rating: Literal["up", "down"]
    reason: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    comment: Annotated[str, Field(min_length=1, max_length=COMMENT_CHARACTERS)] | None = None


@router.get("/feedback/reasons")
@requires(*PEOPLE)
async def list_reasons(request: Request) -> Response:  # noqa: ARG001 - every endpoint takes it
    """Return the reasons that may be given, and who reads what is written."""
    return JSONResponse(
        {
            "items": reasons(),
            "continuation": None,
            "comment_characters": COMMENT_CHARACTERS,
            "comment_is_for": FOR_ADMINISTRATORS,
        }
    )


@router.put(MESSAGE)
@requires(*PEOPLE)
async def give(request: Request, conversation_id: str, message_id: str) -> Response:
    """Say what one thinks of an answer, in the place of what one said before."""
    body = await body_of(request, Given)
    if body.comment is not None:
        check_text(body.comment, pointer="/comment")
    given = await assembly_of(request).feedback.give(
        principal_of(request).id,
        ConversationId(conversation_id),
        MessageId(message_id),
        rating=Rating(body.rating),
        reason=body.reason,
        comment=body.comment,
    )
    return JSONResponse(feedback_json(given))


@router.delete(MESSAGE)
@requires(*PEOPLE)
async def withdraw(request: Request, conversation_id: str, message_id: str) -> Response:
    """Take back what one said of an answer."""
    await assembly_of(request).feedback.withdraw(
        principal_of(request).id, ConversationId(conversation_id), MessageId(message_id)
    )
    return Response(status_code=204)


@router.get("/conversations/{conversation_id}/feedback")
@requires(*PEOPLE)
async def list_given(request: Request, conversation_id: str) -> Response:
    """Return what one said of the answers of a conversation."""
    page = await assembly_of(request).feedback.of(
        principal_of(request).id,
        ConversationId(conversation_id),
        limit=limit_of(request, default=100, largest=200),
        continuation=request.query_params.get("continuation"),
    )
    items = [{"message": one.message, **feedback_json(one)} for one in page.items]
    return JSONResponse({"items": items, "continuation": page.continuation})


@router.get("/admin/feedback")
@requires(ADMIN)
async def list_of_day(request: Request) -> Response:
    """Return what was said on a UTC day, by everybody, oldest first; whoever looks is recorded."""
    day, page = await shown_of_day(request)
    return JSONResponse(
        {
            "day": day,
            "items": [
                {
                    "principal": one.owner.key,
                    "deployment": one.deployment,
                    **feedback_json(one),
                }
                for one in page.items
            ],
            "continuation": page.continuation,
        }
    )


async def shown_of_day(request: Request) -> tuple[str, Page[Feedback]]:
    """Return the day that a request asks for and what was said on it, once the look is recorded.

    Raises:
        RequestError: That is no day, or the continuation is none.
        AuditUnavailable: It cannot be recorded, so nothing is shown.
    """
    assembly, day = assembly_of(request), _day_of(request)
    assembly.audit.ensure_writable()
    page = await assembly.feedback.day(
        day,
        limit=limit_of(request, default=100, largest=100),
        continuation=request.query_params.get("continuation"),
    )
    for owner in sorted({one.owner for one in page.items}):
        viewed(request, "feedback.shown", of=owner, facts={"day": day})
    return day, page


def feedback_json(feedback: Feedback) -> JsonObject:
    """Return what was said, as the API shows it to anybody."""
    return {
        "rating": feedback.rating.value,
        "reason": feedback.reason,
        "comment": feedback.comment,
        "given": feedback.given.isoformat(),
    }


def _day_of(request: Request) -> str:
    text = request.query_params.get("day")
    return (utc_now().date() if text is None else day_of(text, "day")).isoformat()
