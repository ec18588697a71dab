"""The shortcut before the router, with the smallest routes."""

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from secure_openai.edge import gateway
from secure_openai.edge.access import SecuredRoute, access_of, public
from secure_openai.edge.middleware.shortcut import ShortcutMiddleware
from secure_openai.streams import Drain, Turn

ROUTER = 418


async def router(scope: Scope, receive: Receive, send: Send) -> None:
    """Say that the request came to the router."""
    await Response(status_code=ROUTER)(scope, receive, send)


@public
async def fixed(request: Request) -> Response:
    """Answer at a fixed address."""
    return PlainTextResponse("fixed")


@public
async def named(request: Request, item: str) -> Response:
    """Say which part of the path came."""
    return PlainTextResponse(item)


@public
async def failing(request: Request) -> Response:
    """Fail as the query says."""
    raise {"lookup": KeyError, "other": ValueError}[request.url.query]("secret")


@pytest.fixture
async def http() -> httpx2.AsyncClient:
    """Return a client of three routes behind the shortcut."""

    async def handled(request: Request, error: Exception) -> Response:
        return PlainTextResponse(f"{request.url.path} {type(error).__name__}", 404)

    app = ShortcutMiddleware(
        router,
        routes=[
            SecuredRoute("/fixed", fixed, methods=["POST"]),
            SecuredRoute("/items/{item}/sold", named, methods=["POST"]),
            SecuredRoute("/failing", failing, methods=["POST"]),
        ],
        prefix="/items/",
        handlers={LookupError: handled},
        turn=Turn(Drain()),
    )
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://localhost")


async def test_an_address_is_found(http: httpx2.AsyncClient) -> None:
    """A route is called by its address, with the part of the path that it names."""
    assert (await http.post("/fixed")).text == "fixed"
    assert (await http.post("/items/a%20b/sold")).text == "a b"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/fixed"),
        ("POST", "/fixed/"),
        ("POST", "/items/sold"),
        ("POST", "/items//sold"),
        ("POST", "/items/a/b/sold"),
        ("POST", "/items/a/sold/"),
        ("POST", "/items/a%2Fb/sold"),
    ],
)
async def test_what_is_not_found_goes_to_the_router(
    http: httpx2.AsyncClient, method: str, path: str
) -> None:
    """Another method, another address and a parameter that is no part of a path are not found."""
    assert (await http.request(method, path)).status_code == ROUTER


async def test_exceptions_are_answered_as_the_router_would(http: httpx2.AsyncClient) -> None:
    """What is foreseen is answered by the handler of its class or of one above; the rest is not."""
    assert (await http.post("/failing?lookup")).text == "/failing KeyError"
    with pytest.raises(ValueError, match="secret"):
        await http.post("/failing?other")


def test_the_shortcut_takes_the_routers_own_routes() -> None:
    """Every route that asks a model is on it, in both styles of address, with its access."""
    routes = gateway.answering()

    assert {route.path for route in routes} == {
        "/openai/v1/chat/completions",
        "/openai/v1/responses",
        "/openai/v1/embeddings",
        "/openai/responses",
        "/openai/deployments/{deployment}/chat/completions",
        "/openai/deployments/{deployment}/embeddings",
    }
    assert all(route in gateway.router.routes for route in routes)
    assert all(route.plain and access_of(route) is not None for route in routes)
