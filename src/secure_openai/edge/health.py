"""Whether the process lives, has found what it needs, and can do its work now."""

from __future__ import annotations

import time
from http import HTTPStatus

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from secure_openai.edge.access import SecuredRoute, public
from secure_openai.edge.authentication import assembly_of
from secure_openai.edge.self_check import SelfCheck
from secure_openai.errors import StoreError

router = APIRouter(route_class=SecuredRoute, include_in_schema=False)


FRESH_SECONDS = 1.0
"""How long what the model said of itself is repeated to strangers."""


@router.get("/healthz")
@public
async def alive(request: Request) -> Response:  # noqa: ARG001 - every endpoint takes it
    """Answer as long as the process does; says nothing about anything else."""
    return JSONResponse({"status": "ok"})


@router.get("/startupz")
@public
async def started(request: Request) -> Response:
    """Answer 200 once this process has found everything that it needs, 503 before; says no more."""
    check: SelfCheck = request.app.state.self_check
    return Response(status_code=HTTPStatus.OK if check.passed else HTTPStatus.SERVICE_UNAVAILABLE)


@router.get("/readyz")
@public
async def ready(request: Request) -> Response:
    """Answer 200 when a signed-in person would be served, 503 when not; no details to strangers."""
    assembly = assembly_of(request)
    if assembly.drain.begun:
        return JSONResponse({"status": "not ready"}, status_code=503)
    try:
        assembly.audit.ensure_writable()
    except StoreError:
        return JSONResponse({"status": "not ready"}, status_code=503)
    if not await _model_ready(request):
        return JSONResponse({"status": "not ready"}, status_code=503)
    return JSONResponse({"status": "ready"})


async def _model_ready(request: Request) -> bool:
    state = request.app.state
    said_at, said = getattr(state, "model_ready", (float("-inf"), False))
    now = time.monotonic()
    if now - said_at > FRESH_SECONDS:
        said = await assembly_of(request).model.ready()
        state.model_ready = (now, said)
    return bool(said)
