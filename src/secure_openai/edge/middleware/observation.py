"""Observe every request: one span from its first byte to its last, and one measurement.

A trace begins here. What a client says of a trace of its own (W3C Trace Context, `traceparent`) is
not taken over: whoever chooses ids chooses what is joined.
"""

from __future__ import annotations

from functools import lru_cache
from time import perf_counter

from opentelemetry.trace import SpanKind
from starlette.types import ASGIApp, Receive, Scope, Send

from secure_openai.edge.middleware.added_headers import STATUS
from secure_openai.telemetry import metrics, names
from secure_openai.telemetry.spans import SERVER_ERROR, failed, root
from secure_openai.telemetry.sums import Told

METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
PROBLEM = "secure_openai.problem"
"""Where in the scope the slug of a request's problem is left."""

KINDS = 1000
"""Of so many the attributes are held: routes by statuses by problems are fewer."""


class ObservationMiddleware:
    """Stands outermost, so that nothing is answered unseen."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and measure it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in METHODS else "_OTHER"
        began = perf_counter()
        with root(method, SpanKind.SERVER) as current:
            try:
                await self.app(scope, receive, send)
            except BaseException as error:
                scope.setdefault(PROBLEM, type(error).__name__)
                raise
            finally:
                route, problem = getattr(scope.get("route"), "path", None), scope.get(PROBLEM)
                status = scope.get(STATUS, SERVER_ERROR)
                told = _told(method, status, route, problem)
                metrics.request_duration.record(perf_counter() - began, told)
                if current.is_recording():
                    current.update_name(method if route is None else f"{method} {route}")
                    current.set_attributes(told)
                    if status >= SERVER_ERROR:
                        failed(current, problem or str(status))


@lru_cache(KINDS)
def _told(method: str, status: int, route: str | None, problem: str | None) -> Told:
    told: dict[str, str | bool | int] = {names.METHOD.name: method, names.STATUS.name: status}
    if route is not None:
        told[names.ROUTE.name] = route
    if problem is not None:
        told[names.ERROR.name] = problem
    return told
