"""The texts that a person saves, instructions and prompts; and the organisation's prompts."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from secure_openai.conversations.texts import NAME_CHARACTERS, TEXT_CHARACTERS, SavedText
from secure_openai.edge.access import PEOPLE, SecuredRoute, principal_of, requires
from secure_openai.edge.authentication import assembly_of
from secure_openai.edge.bodies import Body, body_of, etag_of
from secure_openai.policy.text import check_text
from secure_openai.store.personal import PersonalKind
from secure_openai.types import JsonObject

router = APIRouter(route_class=SecuredRoute, prefix="/api/me", tags=["personal"])

organisation = APIRouter(route_class=SecuredRoute, prefix="/api", tags=["personal"])


class Text(Body):
    """A text to save, under a name."""

    name: Annotated[str, Field(min_length=1, max_length=NAME_CHARACTERS)]
    text: Annotated[str, Field(min_length=1, max_length=TEXT_CHARACTERS)]


@router.get("/instructions")
@requires(*PEOPLE)
async def list_instructions(request: Request) -> Response:
    """Return one's instructions, by name."""
    return await _list(request, PersonalKind.INSTRUCTION)


@router.post("/instructions")
@requires(*PEOPLE)
async def save_instruction(request: Request) -> Response:
    """Save an instruction."""
    return await _save(request, PersonalKind.INSTRUCTION)


@router.put("/instructions/{text_id}")
@requires(*PEOPLE)
async def change_instruction(request: Request, text_id: str) -> Response:
    """Write an instruction over itself, if `If-Match` still holds."""
    return await _change(request, PersonalKind.INSTRUCTION, text_id)


@router.delete("/instructions/{text_id}")
@requires(*PEOPLE)
async def remove_instruction(request: Request, text_id: str) -> Response:
    """Remove an instruction, if `If-Match` still holds."""
    return await _remove(request, PersonalKind.INSTRUCTION, text_id)


@router.get("/prompts")
@requires(*PEOPLE)
async def list_prompts(request: Request) -> Response:
    """Return one's prompts, by name."""
    return await _list(request, PersonalKind.PROMPT)


@router.post("/prompts")
@requires(*PEOPLE)
async def save_prompt(request: Request) -> Response:
    """Save a prompt."""
    return await _save(request, PersonalKind.PROMPT)


@router.put("/prompts/{text_id}")
@requires(*PEOPLE)
async def change_prompt(request: Request, text_id: str) -> Response:
    """Write a prompt over itself, if `If-Match` still holds."""
    return await _change(request, PersonalKind.PROMPT, text_id)


@router.delete("/prompts/{text_id}")
@requires(*PEOPLE)
async def remove_prompt(request: Request, text_id: str) -> Response:
    """Remove a prompt, if `If-Match` still holds."""
    return await _remove(request, PersonalKind.PROMPT, text_id)


@organisation.get("/prompts")
@requires(*PEOPLE)
async def list_shared(request: Request) -> Response:
    """Return the organisation's prompts, in its order."""
    prompts = assembly_of(request).appearance.prompts
    items = [{"id": one.id, "name": one.name, "text": one.text} for one in prompts]
    return JSONResponse({"items": items, "continuation": None})


router.routes.extend(organisation.routes)


async def _list(request: Request, kind: PersonalKind) -> Response:
    found = await assembly_of(request).texts.list(principal_of(request).id, kind)
    return JSONResponse({"items": [text_json(one) for one in found], "continuation": None})


async def _save(request: Request, kind: PersonalKind) -> Response:
    body = await _checked(request)
    saved = await assembly_of(request).texts.save(
        principal_of(request).id, kind, name=body.name, text=body.text
    )
    return _answer(saved, status_code=201)


async def _change(request: Request, kind: PersonalKind, text_id: str) -> Response:
    body = await _checked(request)
    changed = await assembly_of(request).texts.change(
        principal_of(request).id,
        kind,
        text_id,
        name=body.name,
        text=body.text,
        etag=etag_of(request),
    )
    return _answer(changed)


async def _remove(request: Request, kind: PersonalKind, text_id: str) -> Response:
    await assembly_of(request).texts.remove(
        principal_of(request).id, kind, text_id, etag=etag_of(request)
    )
    return Response(status_code=204)


async def _checked(request: Request) -> Text:
    body = await body_of(request, Text)
    check_text(body.name, pointer="/name")
    check_text(body.text, pointer="/text")
    return body


def text_json(text: SavedText) -> JsonObject:
    """Return a text as the API shows it; the owner is whoever asks."""
    return {
        "id": text.id,
        "name": text.name,
        "text": text.text,
        "created": text.created.isoformat(),
        "changed": text.changed.isoformat(),
        "etag": text.etag,
    }


def _answer(text: SavedText, *, status_code: int = 200) -> Response:
    return JSONResponse(
        text_json(text), status_code=status_code, headers={"ETag": f'"{text.etag}"'}
    )
