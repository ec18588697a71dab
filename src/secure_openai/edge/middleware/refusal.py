"""How a middleware refuses: it stands outside the application's exception handlers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from secure_openai.edge.middleware.observation import PROBLEM
from secure_openai.edge.openai_errors import openai_error_response, speaks_openai
from secure_openai.edge.problems import our_error
from secure_openai.errors import SecureOpenAIError

_HEADERS = "secure_openai.headers"
"""Where in the scope they are left."""


async def refuse(error: SecureOpenAIError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the problem instead of calling the application."""
    scope[PROBLEM] = error.problem
    if speaks_openai(scope["path"]):
        response = openai_error_response(error)
    else:
        response = await our_error(Request(scope), error)
    await response(scope, receive, send)


def header_values(scope: Scope, name: bytes) -> Sequence[str]:
    """Return every value of a header; `name` in lower case."""
    told = request_headers(scope)
    value = told.get(name)
    if value is None:
        return ()
    if len(told) == len(scope["headers"]):
        return (value.decode("latin-1"),)
    return tuple(value.decode("latin-1") for key, value in scope["headers"] if key == name)


def request_headers(scope: Scope) -> Mapping[bytes, bytes]:
    """Return the last value of each header, by its name in lower case.

    The headers are looked through once, since a dozen places ask for one.
    """
    told: dict[bytes, bytes] | None = scope.get(_HEADERS)
    if told is None:
        told = scope[_HEADERS] = dict(scope["headers"])
    return told
