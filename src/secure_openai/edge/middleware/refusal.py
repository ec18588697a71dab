"""How a middleware refuses: it stands outside the application's exception handlers."""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from secure_openai.edge.middleware.observation import PROBLEM
from secure_openai.edge.openai_errors import openai_error_response, speaks_openai
from secure_openai.edge.problems import our_error
from secure_openai.errors import SecureOpenAIError


async def refuse(error: SecureOpenAIError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the problem instead of calling the application."""
    scope[PROBLEM] = error.problem
    if speaks_openai(scope["path"]):
        response = openai_error_response(error)
    else:
        response = await our_error(Request(scope), error)
    await response(scope, receive, send)


def header_values(scope: Scope, name: bytes) -> list[str]:
    """Return every value of a header; `name` in lower case."""
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]
