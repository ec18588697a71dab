"""FastAPI's application without the layers that it puts around ours."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from secure_openai.edge.middleware.added_headers import STATUS
from secure_openai.edge.middleware.shortcut import Handler


class OutermostApplication(FastAPI):
    """Calls the first of our middlewares, and answers for what nobody expected.

    FastAPI and Starlette put five layers around an application's own, each of which is entered
    again for every wait, and one of them for every message of a stream. They send telemetry, which
    `ObservationMiddleware` does here, count bodies, which `LimitsMiddleware` does, and answer for
    unexpected errors, which is left.

    Args:
        unexpected: What makes the answer for an error that no other handler is for.
        options: FastAPI's own, with middlewares of ours among them.
    """

    def __init__(self, *, unexpected: Handler, **options: Any) -> None:
        super().__init__(**options)
        self._unexpected = unexpected

    def build_middleware_stack(self) -> ASGIApp:
        """Return the first of our middlewares, and so all that stand behind it."""
        layer: Any = super().build_middleware_stack()
        first: Any = self.user_middleware[0].cls
        while not isinstance(layer, first):
            layer = layer.app
        return layer  # type: ignore[no-any-return]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; an error is raised on, so that the server logs it too."""
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        if self.middleware_stack is None:
            self.middleware_stack = self.build_middleware_stack()
        scope["app"] = self
        try:
            await self.middleware_stack(scope, receive, send)
        except Exception as error:
            response = await self._unexpected(Request(scope), error)
            if STATUS not in scope:
                await response(scope, receive, send)
            raise
