"""A service without pages: others call it with tokens, and the model answers within policy."""

from pydantic import Field

from secure_openai.applications import (
    EVERYONE,
    Application,
    Body,
    JSONResponse,
    Request,
    Response,
    ask,
    body_of,
    requires,
)

application = Application("@TITLE@", rooms=())


class Question(Body):
    """What is asked; a member that is not declared here is refused."""

    question: str = Field(min_length=1, max_length=20_000)


@application.post("/api/answers")
@requires(*EVERYONE)
async def answers(request: Request) -> Response:
    """Answer one question of a person or of another application."""
    asked = await body_of(request, Question)
    said = await ask(request, asked.question, instructions="Answer in two sentences.")
    return JSONResponse({"answer": said.text, "deployment": said.deployment, "note": said.note})
