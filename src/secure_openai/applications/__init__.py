"""Applications of one's own, behind the framework's sign-in, policy, quota, audit and health.

    from secure_openai.applications import PEOPLE, Application, Request, Response, requires, …

    application = Application("Answers", pages=Path(__file__).parent / "pages")

    @application.post("/")
    @requires(*PEOPLE)
    async def answer(request: Request) -> Response:
        question = await text_of(request, "question")
        said = stream(request, question, instructions="Answer in one sentence.")
        return await application.streamed(request, "home.html", said, question=question)

A route says who may call it, in one of three words: `requires(...)`, `signed_in` or `public`. One
that does not stops the start, and so does a role that nobody can hold or an address that the
framework serves. There is no way around sign-in: an application has no other door.
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from secure_openai.applications.application import SERVICES, Application
from secure_openai.applications.asking import Answer, Words, ask, stream
from secure_openai.applications.forms import text_of
from secure_openai.applications.loading import load
from secure_openai.edge.access import (
    EVERYONE,
    PEOPLE,
    principal_of,
    public,
    requires,
    signed_in,
)
from secure_openai.edge.bodies import Body, body_of
from secure_openai.edge.rooms import Room
from secure_openai.types import Principal

__all__ = [
    "EVERYONE",
    "PEOPLE",
    "SERVICES",
    "Answer",
    "Application",
    "Body",
    "JSONResponse",
    "Principal",
    "Request",
    "Response",
    "Room",
    "Words",
    "ask",
    "body_of",
    "load",
    "principal_of",
    "public",
    "requires",
    "signed_in",
    "stream",
    "text_of",
]
