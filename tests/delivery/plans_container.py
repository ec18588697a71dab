"""A container of plans in the shapes of Azure's Blob Storage."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.servers import listening, port_of, served


class Plans:
    """A container in Azure's shapes."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}

    async def put(self, request: Request) -> Response:
        """Put Blob."""
        assert request.headers["authorization"] == "Bearer storage"
        name, body = request.path_params["name"], await request.body()
        if name in self.blobs:
            return Response(status_code=409)
        self.blobs[name] = body
        return Response(status_code=201)

    async def get(self, request: Request) -> Response:
        """Get Blob."""
        assert request.headers["authorization"] == "Bearer storage"
        name = request.path_params["name"]
        return Response(self.blobs[name]) if name in self.blobs else Response(status_code=404)


@asynccontextmanager
async def serving(kept: Plans) -> AsyncIterator[str]:
    """Serve a container until the block is left; yield its address."""
    bound = listening()
    routes = [
        Route("/plans/{name}", kept.put, methods=["PUT"]),
        Route("/plans/{name}", kept.get, methods=["GET"]),
    ]
    async with served(Starlette(routes=routes), bound):
        yield f"http://127.0.0.1:{port_of(bound)}/plans"
