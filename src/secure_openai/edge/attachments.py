"""Files to send with messages: checked by their bytes, handed back to their owner alone."""

from __future__ import annotations

import asyncio
from urllib.parse import quote

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from secure_openai.conversations.files import checked_file
from secure_openai.edge.access import PEOPLE, SecuredRoute, principal_of, requires
from secure_openai.edge.authentication import assembly_of
from secure_openai.edge.shares import ones_turn
from secure_openai.types import Attachment, JsonObject

PATH = "/api/attachments"

INERT = "default-src 'none'; frame-ancestors 'none'; sandbox"
"""Opened by itself, a file is a page: nothing in it runs, loads or reaches what is ours."""

router = APIRouter(route_class=SecuredRoute, prefix=PATH, tags=["attachments"])


@router.post("")
@requires(*PEOPLE)
async def add(request: Request) -> Response:
    """Keep a file, sent as it is, until it goes with a message; a day later it is gone."""
    # In a thread: whoever sends a file decides how long it takes to be looked at.
    name, declared = request.query_params.get("name", ""), request.headers.get("content-type", "")
    content = await request.body()
    async with ones_turn(request):
        file = await asyncio.to_thread(checked_file, name, declared, content)
    kept = await assembly_of(request).attachments.add(principal_of(request).id, file)
    return JSONResponse(attachment_json(kept), status_code=201)


@router.get("/{attachment_id}")
@requires(*PEOPLE)
async def get(request: Request, attachment_id: str) -> Response:
    """Return one's file: an image to be shown, everything else to be saved."""
    attachment, content = await assembly_of(request).attachments.get(
        principal_of(request).id, attachment_id
    )
    shown = "inline" if attachment.is_image else "attachment"
    return Response(
        content,
        headers={
            "Content-Disposition": f"{shown}; filename*=UTF-8''{quote(attachment.name, safe='')}",
            "Content-Security-Policy": INERT,
            "Content-Type": attachment.type
            if attachment.is_image
            else f"{attachment.type}; charset=utf-8",
            "X-Content-Type-Options": "nosniff",
        },
    )


@router.delete("/{attachment_id}")
@requires(*PEOPLE)
async def remove(request: Request, attachment_id: str) -> Response:
    """Remove one's file, sent or not."""
    await assembly_of(request).attachments.remove(principal_of(request).id, attachment_id)
    return Response(status_code=204)


def attachment_json(attachment: Attachment) -> JsonObject:
    """Return an attachment as the API shows it."""
    return {
        "id": attachment.id,
        "name": attachment.name,
        "type": attachment.type,
        "bytes": attachment.size,
    }
