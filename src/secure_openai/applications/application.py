"""One's own application: routes, pages, and which of the framework's rooms it has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import Response

from secure_openai.app import create_app
from secure_openai.applications.asking import Words
from secure_openai.edge import presentation
from secure_openai.edge.access import SecuredRoute, access_of, declared
from secure_openai.edge.assets import STATIC_PATH
from secure_openai.edge.openai_errors import PREFIX as OPENAI_PREFIX
from secure_openai.edge.rooms import ALWAYS, ROUTERS, Room
from secure_openai.errors import ConfigurationError
from secure_openai.settings import Settings
from secure_openai.streams import Drain
from secure_openai.types import APPLICATION_ROLES, PEOPLE_ROLES

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
        self._growing: Environment | None = None

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
        given = {"application": self, **values}
        return presentation.page(
            request, template, status_code=status_code, templates=self._folder(), **given
        )

    async def streamed(
        self, request: Request, template: str, said: Words, /, **values: object
    ) -> Response:
        """Return a page that is sent while a model answers; it needs no script.

        The template knows the answer as `said`, and walks through it once:
        `{% for word in said %}{{ word }}{% endfor %}`. What is refused is refused before the page
        begins; what breaks an answer off is in `said.note` after it.

        Raises:
            SecureOpenAIError: As `ask` does.
        """
        if self._growing is None:
            self._growing = self._folder().overlay(enable_async=True)
        given = {"application": self, "said": said, **values}
        page = presentation.streamed_page(
            request, template, templates=self._growing, on_end=said.__aexit__, **given
        )
        await said.__aenter__()
        return page

    def _folder(self) -> Environment:
        if self._pages is None:
            raise ConfigurationError(
                f"{self.name} has no pages: name their folder, as in "
                'Application("…", pages=Path(__file__).parent / "pages").'
            )
        return self._pages

    def routes(self) -> dict[str, list[str]]:
        """Return every route, the framework's too, with who may call it (`edge/access.py`).

        Raises:
            ConfigurationError: As `create` does.
        """
        return declared(route for router in self._routers() for route in router.routes)

    def _routers(self) -> list[APIRouter]:
        """Return what is served.

        Ours first: no pattern of another's can stand in front of sign-in or health.
        """
        rooms = [router for room in Room if room in self.rooms for router in ROUTERS[room]]
        problems = list(self._problems([*rooms, *ALWAYS]))
        if problems:
            raise ConfigurationError(*problems)
        return [*rooms, *ALWAYS, self._router]

    def create(self, settings: Settings, drain: Drain | None = None) -> FastAPI:
        """Return the ASGI application.

        Raises:
            ConfigurationError: A route does not say who may call it, names a role that nobody can
                hold, or takes an address of the framework's.
        """
        return create_app(
            settings,
            drain,
            title=self.name,
            product=self.name,
            routers=self._routers(),
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
