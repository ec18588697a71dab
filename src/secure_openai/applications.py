"""Applications of one's own, behind the framework's sign-in, policy, quota, audit and health.

    from secure_openai.applications import PEOPLE, Application, Request, Response, ask, requires

    application = Application("Answers", pages=Path(__file__).parent / "pages")

    @application.post("/ask")
    @requires(*PEOPLE)
    async def answer(request: Request) -> Response:
        form = await request.form()
        said = await ask(request, str(form["question"]))
        return application.page(request, "home.html", answer=said.text)

A route says who may call it, in one of three words: `requires(...)`, `signed_in` or `public`. One
that does not stops the start, and so does a role that nobody can hold or an address that the
framework serves. There is no way around sign-in: an application has no other door.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final, TypeVar

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from secure_openai.app import create_app
from secure_openai.edge import presentation
from secure_openai.edge.access import (
    EVERYONE,
    PEOPLE,
    SecuredRoute,
    access_of,
    principal_of,
    public,
    requires,
    signed_in,
)
from secure_openai.edge.assets import STATIC_PATH
from secure_openai.edge.authentication import assembly_of
from secure_openai.edge.bodies import Body, body_of
from secure_openai.edge.event_stream import while_present
from secure_openai.edge.openai_errors import PREFIX as OPENAI_PREFIX
from secure_openai.edge.problems import request_id_of
from secure_openai.edge.rooms import ALWAYS, ROUTERS, Room
from secure_openai.errors import (
    ConfigurationError,
    Forbidden,
    ModelError,
    RequestError,
    StartError,
    Unauthenticated,
)
from secure_openai.settings import Settings
from secure_openai.streams import Drain
from secure_openai.types import (
    APPLICATION_ROLES,
    PEOPLE_ROLES,
    JsonObject,
    Operation,
    Principal,
)

__all__ = [
    "EVERYONE",
    "PEOPLE",
    "SERVICES",
    "Answer",
    "Application",
    "Body",
    "JSONResponse",
    "Principal",
    "Request",
    "Response",
    "Room",
    "ask",
    "body_of",
    "load",
    "principal_of",
    "public",
    "requires",
    "signed_in",
    "text_of",
]

SERVICES: Final = tuple(APPLICATION_ROLES)
"""The roles of other applications; `PEOPLE` has those of people, `EVERYONE` both."""

_ROLES: Final = PEOPLE_ROLES | APPLICATION_ROLES
_KEPT: Final = (STATIC_PATH, OPENAI_PREFIX, "/auth", "/sign-in", "/sign-out", "/signed-out")
"""Addresses that stay the framework's, whichever of its rooms an application has."""

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


class Application:
    """An application: its own routes, behind everything that the framework's own stands behind.

    Args:
        name: What it is called.
        pages: A folder of Jinja templates; they may extend the framework's `base.html`.
        rooms: Which parts of the framework's own it has too. Health, and a person's own standing
            under `/api/me`, are always there.

    Raises:
        ConfigurationError: The chat has no sign-in.
    """

    def __init__(
        self, name: str, *, pages: Path | None = None, rooms: Iterable[Room] = (Room.SIGN_IN,)
    ) -> None:
        self.name = name
        self.rooms = frozenset(rooms)
        if Room.CHAT in self.rooms and Room.SIGN_IN not in self.rooms:
            raise ConfigurationError("The chat is for people: give the application Room.SIGN_IN.")
        self._router = APIRouter(route_class=SecuredRoute, include_in_schema=False)
        self._pages = None if pages is None else presentation.templates_in(pages)

    def get(self, path: str) -> Callable[[Endpoint], Endpoint]:
        """Serve GET at a path."""
        return self._route("GET", path)

    def post(self, path: str) -> Callable[[Endpoint], Endpoint]:
        """Serve POST at a path; a browser's comes from our own pages, or is refused."""
        return self._route("POST", path)

    def put(self, path: str) -> Callable[[Endpoint], Endpoint]:
        """Serve PUT at a path."""
        return self._route("PUT", path)

    def patch(self, path: str) -> Callable[[Endpoint], Endpoint]:
        """Serve PATCH at a path."""
        return self._route("PATCH", path)

    def delete(self, path: str) -> Callable[[Endpoint], Endpoint]:
        """Serve DELETE at a path."""
        return self._route("DELETE", path)

    def _route(self, method: str, path: str) -> Callable[[Endpoint], Endpoint]:
        def add(endpoint: Endpoint) -> Endpoint:
            self._router.add_api_route(path, endpoint, methods=[method])
            return endpoint

        return add

    def page(
        self, request: Request, template: str, /, *, status_code: int = 200, **values: object
    ) -> Response:
        """Return a page in the reader's language and theme; every value is escaped.

        It knows what the framework's own pages know (`edge/presentation.py`), `application`, and
        the values; one that it misses is an error.
        """
        if self._pages is None:
            raise ConfigurationError(
                f"{self.name} has no pages: name their folder, as in "
                'Application("…", pages=Path(__file__).parent / "pages").'
            )
        given = {"application": self, **values}
        return presentation.page(
            request, template, status_code=status_code, templates=self._pages, **given
        )

    def create(self, settings: Settings, drain: Drain | None = None) -> FastAPI:
        """Return the ASGI application.

        Raises:
            ConfigurationError: A route does not say who may call it, names a role that nobody can
                hold, or takes an address of the framework's.
        """
        routers = [router for room in Room if room in self.rooms for router in ROUTERS[room]]
        problems = list(self._problems([*ALWAYS, *routers]))
        if problems:
            raise ConfigurationError(*problems)
        return create_app(
            settings,
            drain,
            title=self.name,
            # Ours first: no pattern of another's can stand in front of sign-in or health.
            routers=[*routers, *ALWAYS, self._router],
            errors_as_pages=Room.SIGN_IN in self.rooms,
        )

    def _problems(self, others: Sequence[APIRouter]) -> Iterator[str]:
        ours = [route for router in others for route in _routes(router)]
        seen: set[tuple[str, str]] = set()
        for route in _routes(self._router):
            access = access_of(route)
            if access is not None and not access.roles <= _ROLES:
                strange = ", ".join(sorted(access.roles - _ROLES))
                yield (
                    f"the route {route.path!r} asks for the role {strange}, which nobody can hold: "
                    f"the roles are {', '.join(sorted(_ROLES))}"
                )
            for method in route.methods or ():
                if _is_kept(route.path) or any(_meets(one, method, route.path) for one in ours):
                    yield f"{method} {route.path} is the framework's: choose another address"
                if (method, route.path) in seen:
                    yield f"{method} {route.path} is declared twice"
                seen.add((method, route.path))


def _routes(router: APIRouter) -> Iterator[APIRoute]:
    return (route for route in router.routes if isinstance(route, APIRoute))


def _is_kept(path: str) -> bool:
    return any(f"{path}/".startswith(f"{prefix}/") for prefix in _KEPT)


def _meets(route: APIRoute, method: str, path: str) -> bool:
    """Return whether a route of ours, which is looked at first, would answer another's address."""
    return method in (route.methods or ()) and route.path_regex.match(path) is not None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model answered.

    Attributes:
        text: Its words, as they came: escape them where they are shown.
        deployment: Which deployment answered.
        note: What the reader should know of its end, such as that it was cut off; or `None`.
    """

    text: str
    deployment: str
    note: str | None = None


async def ask(
    request: Request,
    said: str | Sequence[JsonObject],
    *,
    instructions: str = "",
    deployment: str = "",
) -> Answer:
    """Ask a model on behalf of who calls: decided, bounded by quota, and audited.

    Args:
        request: The request that is answered; it says who asks.
        said: The question, or a list of chat messages.
        instructions: What the model is told before it, by the application.
        deployment: Which deployment; the first that the caller may use unless named.

    Raises:
        Unauthenticated: The route is public: nobody is there to ask for.
        Forbidden: The caller may use no deployment.
        Refused: Policy or quota refuses; the refusal is recorded, without the text.
        RequestError: The messages are not as the chat completions API has them.
        ModelError: The model does not answer.
    """
    if not isinstance(getattr(request.state, "principal", None), Principal):
        raise Unauthenticated
    pipeline, principal = assembly_of(request).pipeline, principal_of(request)
    request_id = request_id_of(request)
    if not deployment:
        mine = pipeline.deployments_for(principal, Operation.CHAT_COMPLETIONS)
        if not mine:
            raise Forbidden("Your role may use no deployment here.")
        deployment = mine[0].name
    messages = [{"role": "user", "content": said}] if isinstance(said, str) else list(said)
    if instructions:
        messages.insert(0, {"role": "system", "content": instructions})
    checked = pipeline.checked(
        principal, {"model": deployment, "messages": messages}, request_id=request_id
    )
    async with pipeline.run(principal, checked, request_id=request_id) as completion:
        body = await while_present(request.receive, completion.read())
        return Answer(_text_in(body), completion.admission.deployment.name, completion.note)


def _text_in(body: bytes) -> str:
    """Return the words of a chat completion's first choice."""
    try:
        text = json.loads(body)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise ModelError("The model's answer cannot be read.") from None
    return text if isinstance(text, str) else ""


async def text_of(request: Request, name: str, *, largest: int = 20_000) -> str:
    """Return a field of a form.

    Raises:
        RequestError: It is missing, empty, a file, or longer than `largest` characters.
    """
    async with request.form(max_files=0) as form:
        value = form.get(name)
    if not isinstance(value, str) or not value.strip():
        raise RequestError(f"Fill in {name}.")
    if len(value) > largest:
        raise RequestError(f"{name} has more than {largest} characters.")
    return value


def load(name: str, folder: Path) -> Application:
    """Return the application that MODULE:NAME means in a folder.

    Raises:
        StartError: There is no such module, it has no such name, or that is no `Application`.
    """
    module_name, _, attribute = name.partition(":")
    if str(folder.absolute()) not in sys.path:
        sys.path.insert(0, str(folder.absolute()))
    try:
        module = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise
        raise StartError(
            f"There is no module {module_name} in {folder.absolute()}: write the application as "
            'MODULE:NAME, such as "app:application".'
        ) from None
    found = getattr(module, attribute, None)
    if not isinstance(found, Application):
        raise StartError(f"{attribute} in {module.__file__} is no Application: {_MADE_AS}.")
    return found


_MADE_AS: Final = 'write application = Application("…")'
