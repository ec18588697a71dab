"""The application: the assembly behind the edge.

create_app(settings)
  OutermostApplication         what nobody expected
  ObservationMiddleware        what is measured and traced of a request
  RequestIdMiddleware          an id that logs, audit and error pages share
  SecurityHeadersMiddleware    what a browser may do with our pages
  DrainMiddleware              a process that ends begins nothing
  HostsMiddleware              only our own names are answered
  LimitsMiddleware             bodies bounded in size and time, and all together
  CapacityMiddleware           no more at once than one process carries
  OriginMiddleware             a cookie alone proves nothing
  ShortcutMiddleware           the gateway's answers are found without the router
    SecuredRoute               who calls, and whether they may: declared beside every route
      gateway  conversations  messages  answers  attachments  me  my_data  notice  personal
      feedback  quota  pages  sign_in  preferences  appearance  administration  custody
      deployments  desk  health
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus

from fastapi import APIRouter, FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from secure_openai.assembly import assemble
from secure_openai.conversations.attachments import LARGEST_BYTES
from secure_openai.edge import attachments, gateway, pages, presentation, problems
from secure_openai.edge.access import caller_in, check_declared
from secure_openai.edge.assets import STATIC_PATH, Assets
from secure_openai.edge.middleware.capacity import CapacityMiddleware
from secure_openai.edge.middleware.drain import DrainMiddleware
from secure_openai.edge.middleware.headers import SecurityHeadersMiddleware
from secure_openai.edge.middleware.hosts import HostsMiddleware
from secure_openai.edge.middleware.limits import LimitsMiddleware
from secure_openai.edge.middleware.observation import PROBLEM, ObservationMiddleware
from secure_openai.edge.middleware.origin import OriginMiddleware
from secure_openai.edge.middleware.request_id import RequestIdMiddleware
from secure_openai.edge.middleware.shortcut import Handler, ShortcutMiddleware
from secure_openai.edge.openai_errors import openai_error_response, speaks_openai
from secure_openai.edge.outermost import OutermostApplication
from secure_openai.edge.rooms import EVERY
from secure_openai.edge.self_check import self_checking
from secure_openai.edge.shares import Shares
from secure_openai.errors import MethodNotAllowed, NotFound, SecureOpenAIError
from secure_openai.jobs.scheduler import scheduled
from secure_openai.observation import sending_observations
from secure_openai.settings import Settings
from secure_openai.streams import Drain, Gathering

SILENT: TelemetryConfig = {
    "auto_configure": False,
    "logs": False,
    "metrics": False,
    "operation_spans": False,
    "tracing": False,
}
"""FastAPI's own telemetry records addresses with their queries, the words of exceptions and the
values that did not validate, and takes a client's trace over: `ObservationMiddleware` stands in its
place."""


def create_app(
    settings: Settings,
    drain: Drain | None = None,
    *,
    title: str = "Azure Secure OpenAI",
    product: str = "",
    routers: Sequence[APIRouter] = EVERY,
    errors_as_pages: bool = True,
) -> FastAPI:
    """Return the application as an ASGI callable; its lifespan opens and closes the assembly.

    Args:
        settings: Everything that differs between installations.
        drain: Told by the server when the process ends.
        title: What it is called.
        product: What its pages call it, where the appearance does not say.
        routers: What it serves; `applications` puts others together.
        errors_as_pages: Whether browsers are sent to sign in and shown errors as pages.

    Raises:
        ConfigurationError: A route does not say who may call it.
    """
    ending = Drain() if drain is None else drain

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with (
            assemble(settings, ending) as assembly,
            sending_observations(settings, assembly.credential, assembly.outbound),
            # In Azure the Function App runs the jobs, with roles that this process has not.
            scheduled(assembly),
            self_checking(assembly) as self_check,
        ):
            app.state.assembly = assembly
            if pages.router in routers:
                presentation.prepare()
            app.state.self_check = self_check
            try:
                yield
            finally:
                # Nobody can come back to listen.
                assembly.answers.stop_all()

    app = OutermostApplication(
        unexpected=_unexpected,
        title=title,
        telemetry=SILENT,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        exception_handlers=HANDLERS,
        middleware=[
            Middleware(ObservationMiddleware),
            Middleware(RequestIdMiddleware),
            Middleware(
                SecurityHeadersMiddleware,
                authority=settings.authority,
                https=settings.secure_cookies,
            ),
            Middleware(DrainMiddleware, drain=ending),
            Middleware(HostsMiddleware, hosts=settings.hosts),
            Middleware(
                LimitsMiddleware,
                body_bytes=settings.body_limit_bytes,
                larger={attachments.PATH: LARGEST_BYTES},
                image_bytes=settings.image_body_limit_bytes,
                at_once_bytes=settings.bodies_at_once_bytes,
                arriving=settings.requests_at_once,
                whose_of=caller_in,
            ),
            Middleware(CapacityMiddleware, most=settings.requests_at_once),
            Middleware(OriginMiddleware, public_url=settings.public_url),
            Middleware(
                ShortcutMiddleware,
                # Only what this application serves: no router stands before the shortcut.
                routes=gateway.answering() if gateway.router in routers else (),
                prefix=gateway.DEPLOYMENTS,
                handlers=HANDLERS,
                turn=Gathering(ending),
            ),
        ],
    )
    app.state.product = product
    app.state.errors_as_pages = errors_as_pages
    app.state.shares = Shares()
    for router in routers:
        # Not include_router: it hides the routes from whoever checks what they declare.
        app.router.routes.extend(router.routes)
    app.mount(STATIC_PATH, Assets(), name="static")
    check_declared(app, public_mounts=frozenset({STATIC_PATH}))
    return app


async def _http_error(request: Request, error: Exception) -> Response:
    """Translate what the router refuses, for whoever asked."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
    if speaks_openai(request.url.path):
        if error.status_code != HTTPStatus.METHOD_NOT_ALLOWED:
            return await _error(request, gateway.not_served(request.url.path))
        response = await _error(request, MethodNotAllowed())
        response.headers.update(error.headers or {})
        return response
    if error.status_code != HTTPStatus.NOT_FOUND:
        return await problems.http_error(request, error)
    # An address that no route knows reads as one whose item is missing.
    meant = gateway.meant_by(request.url.path)
    return await _error(request, NotFound("" if meant is None else f"Write {meant}."))


async def _error(request: Request, error: Exception) -> Response:
    """Translate our errors for whoever asked: a page, an OpenAI client, or the JSON API."""
    assert isinstance(error, SecureOpenAIError)  # noqa: S101 - registered for this class only
    request.scope[PROBLEM] = error.problem
    if speaks_openai(request.url.path):
        return openai_error_response(error)
    if request.app.state.errors_as_pages and pages.wants_page(request):
        return await pages.error_page(request, error)
    return await problems.our_error(request, error)


async def _unexpected(request: Request, error: Exception) -> Response:
    """Tell nothing of our insides, in the shape of whoever asked."""
    response = await problems.unexpected_error(request, error)
    return (
        openai_error_response(SecureOpenAIError()) if speaks_openai(request.url.path) else response
    )


HANDLERS: Mapping[int | type[Exception], Handler] = {
    SecureOpenAIError: _error,
    HTTPException: _http_error,
    ClientDisconnect: problems.client_left,
}
"""What answers for an exception that is foreseen."""
