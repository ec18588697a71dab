"""Who may call a route, declared beside it; a route that does not say stops the application.

@router.get("/api/conversations")
@requires(*EVERYONE)
async def ...
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Hashable, Iterable
from dataclasses import dataclass, replace
from typing import Any, TypeVar, get_type_hints

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.types import Receive, Scope, Send

from secure_openai.edge.authentication import assembly_of, authenticate
from secure_openai.edge.middleware.origin import SAFE_METHODS
from secure_openai.edge.openai_errors import PREFIX
from secure_openai.edge.recording import record
from secure_openai.edge.shares import shares_of
from secure_openai.errors import ConfigurationError, Forbidden, Unauthenticated
from secure_openai.types import APPLICATION_ROLES, PEOPLE_ROLES, Principal

ADMIN = "admin"
PEOPLE = tuple(PEOPLE_ROLES)
EVERYONE = tuple(PEOPLE_ROLES | APPLICATION_ROLES)

PUBLIC = "public"
SIGNED_IN = "signed in"
"""Who may call a route, where it names no role."""

_ATTRIBUTE = "__secure_openai_access__"

Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Access:
    """What a route asks of who calls it.

    Attributes:
        roles: Any one of these; empty together with `public` false means: signed in, whatever role.
        public: Whether no one is asked at all.
        before_notice: Whether a person may call it who has not accepted the notice.
    """

    roles: frozenset[str]
    public: bool = False
    before_notice: bool = False

    def admit(self, principal: Principal | None) -> None:
        """Return if the principal may call the route.

        Raises:
            Unauthenticated: No one is signed in.
            Forbidden: The principal has none of the roles.
        """
        if self.public:
            return
        if principal is None:
            raise Unauthenticated
        if self.roles and self.roles.isdisjoint(principal.roles):
            needed = " or ".join(sorted(self.roles))
            raise Forbidden(f"This needs the role {needed}.")


def requires(*roles: str) -> Callable[[Endpoint], Endpoint]:
    """Declare that a route needs any one of `roles`."""
    if not roles:
        raise ValueError("name at least one role, or use signed_in or public")
    return _declare(Access(frozenset(roles)))


def signed_in(endpoint: Endpoint) -> Endpoint:
    """Declare that a route is for everyone who is signed in, with or without a role."""
    return _declare(Access(frozenset()))(endpoint)


def public(endpoint: Endpoint) -> Endpoint:
    """Declare that a route is for everyone."""
    return _declare(Access(frozenset(), public=True))(endpoint)


def before_notice(endpoint: Endpoint) -> Endpoint:
    """Let people call a route who have not accepted the notice; it stands above who may call."""
    access: Access = getattr(endpoint, _ATTRIBUTE)
    return _declare(replace(access, before_notice=True))(endpoint)


def _declare(access: Access) -> Callable[[Endpoint], Endpoint]:
    def declare(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _ATTRIBUTE, access)
        return endpoint

    return declare


class SecuredRoute(APIRoute):
    """Authenticates and authorises before anything of the request is read.

    An endpoint that takes the request and parts of the path, and nothing that FastAPI would have to
    make for it, is called as it is: what FastAPI does for the others costs as much as all of ours.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        # The gateway's requests are counted by the policy's limits.
        self.changes = (
            not path.startswith(f"{PREFIX}/") and not (self.methods or set()) <= SAFE_METHODS
        )
        self.plain = _takes_only_the_path(endpoint)
        if self.plain:
            self.app = self._call

    async def _call(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        await self.admit(request)
        response: Response = await self.endpoint(request, **scope["path_params"])
        await response(scope, receive, send)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the endpoint's handler in its declared access."""
        handler = super().get_route_handler()

        async def secured(request: Request) -> Response:
            await self.admit(request)
            return await handler(request)

        return secured

    async def admit(self, request: Request) -> None:
        """Return once it is known who calls, and that they may; nobody is asked on public ones.

        Raises:
            Unauthenticated: No one is signed in.
            Forbidden: The principal has none of the roles.
            TooManyRequests: They have asked for too many changes.
        """
        access: Access | None = getattr(self.endpoint, _ATTRIBUTE, None)
        if access is None:
            raise Forbidden
        if access.public:
            return
        assembly = assembly_of(request)
        principal = await authenticate(request, assembly)
        if principal is not None:
            assembly.presence.note(principal)
        try:
            access.admit(principal)
        except Forbidden:
            record(request, "route.refused", principal, decision="refused", reason="no_role")
            if principal is not None and not principal.roles and access.roles.issuperset(PEOPLE):
                contact = assembly.settings.contact
                raise Forbidden(f"You have no role here: ask {contact} for one.") from None
            raise
        if principal is not None and not access.before_notice:
            await assembly.acceptances.require(principal)
        # What `request.state` shows, without making that.
        request.scope.setdefault("state", {})["principal"] = principal
        if self.changes and principal is not None:
            shares_of(request).change(principal.id)


def _takes_only_the_path(endpoint: Callable[..., Any]) -> bool:
    taken = get_type_hints(endpoint)
    made = taken.pop("return", None)
    return (
        inspect.iscoroutinefunction(endpoint)
        and isinstance(made, type)
        and issubclass(made, Response)
        and taken.pop("request", None) is Request
        and set(taken.values()) <= {str}
    )


def access_of(route: BaseRoute) -> Access | None:
    """Return what a route declares, or `None`."""
    if not isinstance(route, SecuredRoute):
        return None
    access = getattr(route.endpoint, _ATTRIBUTE, None)
    return access if isinstance(access, Access) else None


def check_declared(app: FastAPI, *, public_mounts: frozenset[str]) -> None:
    """Return if every route says who may call it.

    Args:
        app: With all its routes.
        public_mounts: Paths under which only files that are ours are served.

    Raises:
        ConfigurationError: Each route that does not, by name.
    """
    problems = [
        _undeclared(route)
        for route in app.routes
        if access_of(route) is None
        and not (isinstance(route, Mount) and route.path in public_mounts)
    ]
    if problems:
        raise ConfigurationError(*problems)


def caller_in(scope: Scope) -> Hashable:
    """Return who calls, or `None` as long as that is not known."""
    principal = scope.get("state", {}).get("principal")
    return None if principal is None else principal.id.key


def declared(routes: Iterable[BaseRoute]) -> dict[str, list[str]]:
    """Return who may call each route, by method and path.

    It is the roles of whom any may, `signed in` for whoever is, or `public`: what
    `tables/routes.json` holds of the framework's own application.

    Raises:
        ConfigurationError: Each route that does not say, by name.
    """
    found: dict[str, list[str]] = {}
    problems: list[str] = []
    for route in routes:
        access = access_of(route)
        if not isinstance(route, APIRoute) or access is None:
            problems.append(_undeclared(route))
            continue
        for method in sorted(route.methods or ()):
            who = [PUBLIC] if access.public else sorted(access.roles) or [SIGNED_IN]
            found[f"{method} {route.path}"] = who
    if problems:
        raise ConfigurationError(*problems)
    return found


def _undeclared(route: BaseRoute) -> str:
    return (
        f"the route {getattr(route, 'path', route)!r} names no role and is not public: "
        "declare it with requires(...), signed_in or public"
    )


def principal_of(request: Request) -> Principal:
    """Return who calls; only behind a route that is not public."""
    principal = request.scope["state"]["principal"]
    assert isinstance(principal, Principal)  # noqa: S101 - SecuredRoute has set it or refused
    return principal
