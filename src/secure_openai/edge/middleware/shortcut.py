"""Call the busiest routes by their address, without what the router does for every other one.

They are the router's own routes: each says who may call it, and asks for that by itself. What is
left out is the walk along every pattern, and what FastAPI holds ready for endpoints that ask for
something; together they cost more than what is decided about a request.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, TypeAlias

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from secure_openai.edge.access import SecuredRoute
from secure_openai.streams import Turn

Handler: TypeAlias = Callable[[Request, Exception], Coroutine[Any, Any, Response]]


class ShortcutMiddleware:
    """Stands innermost; what is not found here goes on to the router.

    Args:
        app: The router and what stands before it.
        routes: Plain routes for POST: of a fixed path, or of `prefix` and one parameter after it.
        prefix: What stands before the parameter.
        handlers: What answers for an exception, by its class; the same stand around the router.
        turn: What a request awaits before its next step.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        routes: Iterable[SecuredRoute],
        prefix: str,
        handlers: Mapping[int | type[Exception], Handler],
        turn: Turn,
    ) -> None:
        self.app = app
        self._turn = turn
        self._handlers = handlers
        self._prefix = prefix
        self._fixed: dict[str, SecuredRoute] = {}
        self._named: dict[str, tuple[SecuredRoute, str]] = {}
        for route in routes:
            before, opened, after = route.path.partition("{")
            if not opened:
                self._fixed[route.path] = route
            elif before == prefix:
                name, _, rest = after.partition("}/")
                self._named[rest] = (route, name)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Call the route of the address, or pass the request on."""
        found = self._found(scope)
        if found is None:
            await self.app(scope, receive, send)
            return
        route, parts = scope["route"], scope["path_params"] = found
        request = Request(scope, receive, send)
        await self._turn
        try:
            await route.admit(request)
            response: Response = await route.endpoint(request, **parts)
        except Exception as error:
            handler = self._handler_of(error)
            if handler is None:
                raise
            response = await handler(request, error)
        await response(scope, receive, send)

    def _found(self, scope: Scope) -> tuple[SecuredRoute, dict[str, str]] | None:
        if scope["type"] != "http" or scope["method"] != "POST":
            return None
        path = scope["path"]
        if (route := self._fixed.get(path)) is not None:
            return route, {}
        if path.startswith(self._prefix):
            value, _, rest = path.removeprefix(self._prefix).partition("/")
            if value and rest in self._named:
                route, name = self._named[rest]
                return route, {name: value}
        return None

    def _handler_of(self, error: Exception) -> Handler | None:
        kinds = type(error).__mro__
        return next((self._handlers[one] for one in kinds if one in self._handlers), None)
