"""What an administrator sees of the models on offer, and does with their deployments."""

from __future__ import annotations

import math

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from secure_openai.edge.access import ADMIN, SecuredRoute, principal_of, requires
from secure_openai.edge.authentication import assembly_of
from secure_openai.edge.bodies import Body, body_of, etag_of
from secure_openai.edge.problems import request_id_of
from secure_openai.model.management.interface import DeploymentManagement, Progress, Wanted
from secure_openai.model.management.shown import (
    deployment_json,
    model_json,
    progress_json,
    quota_json,
)
from secure_openai.types import JsonObject

PREFIX = "/api/admin"

router = APIRouter(route_class=SecuredRoute, prefix=PREFIX, tags=["deployments"])


class NewDeployment(Body):
    """What is to be deployed; what is left out is chosen."""

    name: str
    model: str
    version: str | None = None
    sku: str | None = None
    capacity: int | None = None
    content_filter: str | None = None


@router.get("/accounts")
@requires(ADMIN)
async def list_accounts(request: Request) -> Response:
    """Return the accounts' keys."""
    return _items([{"account": key} for key in _management(request).accounts])


@router.get("/accounts/{account}/models")
@requires(ADMIN)
async def list_models(request: Request, account: str) -> Response:
    """Return what the account's region offers, with the days on which versions retire."""
    return _items([model_json(one) for one in await _management(request).models(account)])


@router.get("/accounts/{account}/quota")
@requires(ADMIN)
async def list_quota(request: Request, account: str) -> Response:
    """Return what the account's region has left."""
    return _items([quota_json(one) for one in await _management(request).quota(account)])


@router.get("/accounts/{account}/deployments")
@requires(ADMIN)
async def list_deployments(request: Request, account: str) -> Response:
    """Return the account's deployments."""
    found = await _management(request).deployments(account)
    return _items([deployment_json(one) for one in found])


@router.get("/accounts/{account}/deployments/{name}")
@requires(ADMIN)
async def get_deployment(request: Request, account: str, name: str) -> Response:
    """Return one deployment, with the etag that a deletion gives back."""
    found = await _management(request).deployment(account, name)
    return JSONResponse(deployment_json(found), headers={"ETag": f'"{found.etag}"'})


@router.post("/accounts/{account}/deployments")
@requires(ADMIN)
async def create_deployment(request: Request, account: str) -> Response:
    """Begin to create a deployment; `Location` is where to ask how it stands."""
    body = await body_of(request, NewDeployment)
    begun = await assembly_of(request).deployments.create(
        principal_of(request),
        Wanted(account=account, **body.model_dump()),
        request_id=request_id_of(request),
    )
    return _accepted(begun)


@router.delete("/accounts/{account}/deployments/{name}")
@requires(ADMIN)
async def delete_deployment(request: Request, account: str, name: str) -> Response:
    """Begin to delete the deployment of `If-Match`, confirmed by its name in `confirm`."""
    begun = await assembly_of(request).deployments.delete(
        principal_of(request),
        account,
        name,
        confirm=request.query_params.get("confirm", ""),
        etag=etag_of(request),
        request_id=request_id_of(request),
    )
    return _accepted(begun)


@router.get("/operations/{operation}")
@requires(ADMIN)
async def get_operation(request: Request, operation: str) -> Response:
    """Return how an operation stands; `Retry-After` says when to ask again."""
    return _progress(await _management(request).ask(operation), status_code=200)


def _management(request: Request) -> DeploymentManagement:
    return assembly_of(request).deployments.management


def _items(items: list[JsonObject]) -> Response:
    return JSONResponse({"items": items, "continuation": None})


def _accepted(progress: Progress) -> Response:
    return _progress(progress, status_code=202)


def _progress(progress: Progress, *, status_code: int) -> Response:
    place = f"{PREFIX}/operations/{progress.operation}"
    headers = {"Location": place} if status_code == 202 else {}  # noqa: PLR2004 - RFC 9110, 15.3.3
    if not progress.state.ended:
        headers["Retry-After"] = str(max(1, math.ceil(progress.retry_after)))
    return JSONResponse(
        {**progress_json(progress), "operation": place}, status_code=status_code, headers=headers
    )
