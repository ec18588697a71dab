"""Read JSON bodies strictly: one reading, shared with the gateway, that nothing slips through."""

from __future__ import annotations

import re
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import ClientDisconnect, Request

from secure_openai.edge.middleware.refusal import header_values
from secure_openai.errors import RequestError, UnsupportedMediaType
from secure_openai.policy.json_text import parse_json

JSON = "application/json"

_STRONG = re.compile(r'"([^"]+)"')

BodyT = TypeVar("BodyT", bound="Body")


class Body(BaseModel):
    """A JSON object with the members declared, no others, and no conversion between types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


async def json_of(request: Request) -> object:
    """Return the body as JSON.

    Raises:
        UnsupportedMediaType: The content type is not `application/json`.
        RequestError: It is not well-formed.
    """
    return parse_json(await json_text_of(request))


async def json_text_of(request: Request) -> bytes:
    """Return a body that is said to be JSON, read once and kept nowhere.

    `LimitsMiddleware` bounds it.

    Raises:
        UnsupportedMediaType: The content type is not `application/json`.
    """
    types = header_values(request.scope, b"content-type")
    if types != (JSON,) and [one.partition(";")[0].strip().lower() for one in types] != [JSON]:
        raise UnsupportedMediaType("Send the body as application/json.")
    pieces: list[bytes] = []
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def body_of(request: Request, kind: type[BodyT]) -> BodyT:
    """Return the body as `kind`.

    Raises:
        UnsupportedMediaType: The content type is not `application/json`.
        RequestError: It is not well-formed, or has a member unknown, missing or of another type.
    """
    try:
        return kind.model_validate(await json_of(request))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        pointer = "".join(f"/{part}" for part in first["loc"])
        raise RequestError(_sentence(first["type"], first["msg"]), pointer=pointer) from None


def _sentence(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "This member is not known here."
    if kind == "missing":
        return "This member is missing."
    return f"{message}."


def limit_of(request: Request, *, default: int, largest: int) -> int:
    """Return the `limit` of a list.

    Raises:
        RequestError: It is not a number from 1 to `largest`.
    """
    text = request.query_params.get("limit")
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= largest:
        raise RequestError(f"Write limit as a number from 1 to {largest}.")
    return int(text)


def etag_of(request: Request) -> str:
    """Return the etag of `If-Match` (RFC 9110, 13.1.1).

    Raises:
        RequestError: It is missing, weak or `*`: a change must say what it changes.
    """
    found = _STRONG.fullmatch(request.headers.get("if-match", ""))
    if found is None:
        raise RequestError('Send If-Match with the etag that you read, in quotes: "…".')
    return found[1]
