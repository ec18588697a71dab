"""The smallest application: who signs in may ask the model, within policy, quota and audit."""

from pathlib import Path

from secure_openai.applications import (
    PEOPLE,
    Application,
    Request,
    Response,
    requires,
    stream,
    text_of,
)

application = Application("@TITLE@", pages=Path(__file__).parent / "pages")


@application.get("/")
@requires(*PEOPLE)
async def home(request: Request) -> Response:
    """Show the page; whoever is not signed in is sent to sign in first."""
    return application.page(request, "home.html", question="", said=None)


@application.post("/")
@requires(*PEOPLE)
async def answer(request: Request) -> Response:
    """Answer as the model writes; what policy or quota refuses is recorded and never reaches it."""
    question = await text_of(request, "question")
    said = stream(request, question, instructions="Answer in one sentence.")
    return await application.streamed(request, "home.html", said, question=question)
