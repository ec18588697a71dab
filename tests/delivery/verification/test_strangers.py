"""Every service is asked as everybody who must not come in: whom it takes is named, alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from secure_openai.delivery.verification import inside, places
from secure_openai.delivery.verification.calls import Caller
from secure_openai.delivery.verification.observation import Check, Observation, Outcome
from secure_openai.outbound import Outbound
from tests.hosted.test_check_live import Names
from tests.servers import listening, port_of, served
from tests.tls import make_tls

FOREIGN = "Bearer a.foreign.token"
SERVICES = {
    "database": places.cosmos("database", *("c.documents.azure.com",) * 2, "public"),
    "storage": places.storage("storage", "s.blob.core.windows.net", "public", entered=True),
    "vault": places.vault("vault", "https://v.vault.azure.net/keys/seal", "public"),
    "models": places.model("models", "m.openai.azure.com", "public"),
}
EVERYBODY = {
    "nobody",
    "a token that is none",
    "an unsigned token",
    "a token for another audience",
    "a key",
}


def who(request: Request) -> str:
    """Return who comes, by what they carry: in the form that the service takes."""
    headers = request.headers
    written = unquote(headers.get("authorization", ""))
    if "api-key" in headers or written.startswith(("SharedKey ", "type=master")):
        return "a key"
    token = written.removeprefix("Bearer ").removeprefix("type=aad&ver=1.0&sig=")
    if not token:
        return "nobody"
    assert written != token
    if token == FOREIGN.removeprefix("Bearer "):
        return "a token for another audience"
    return "an unsigned token" if token.endswith(".") else "a token that is none"


class Service:
    """Refuses everybody but one."""

    def __init__(self) -> None:
        self.takes = ""
        self.asked: set[str] = set()

    async def answer(self, request: Request) -> Response:
        """Answer whoever comes."""
        name = who(request)
        self.asked.add(name)
        return Response(status_code=200 if name == self.takes else 401)


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[tuple[Service, Caller]]:
    """Serve one under the name of each."""
    hosts = [one.host for one in SERVICES.values()]
    tls, bound, service = make_tls(tmp_path, *hosts), listening(), Service()
    app = Starlette(routes=[Route("/{path:path}", service.answer)])
    names = Names(dict.fromkeys(hosts, "127.0.0.1"), dict.fromkeys(hosts, port_of(bound)))
    async with served(app, bound, tls=tls):
        yield service, Caller(Outbound(ca_bundle=tls.ca), names)


async def seen(caller: Caller, name: str) -> Observation:
    """Return what is seen of whom a service takes."""
    found = await inside.looked_at([SERVICES[name]], caller, FOREIGN)
    (stranger,) = [one for one in found if one.check is Check.STRANGER]
    return stranger


@pytest.mark.parametrize("name", SERVICES)
async def test_a_service_is_asked_as_everybody(name: str, service: tuple[Service, Caller]) -> None:
    """Without a credential, with three that are not ours there, and with a key if it has any."""
    one, caller = service
    expected = EVERYBODY - ({"a key"} if name == "vault" else set())
    found = await seen(caller, name)

    assert found.outcome is Outcome.HOLDS
    assert one.asked == expected == set(found.facts)


@pytest.mark.parametrize("name", SERVICES)
async def test_whoever_is_taken_is_named_and_nobody_else(
    name: str, service: tuple[Service, Caller]
) -> None:
    """One of them is enough, at whichever service."""
    one, caller = service
    for stranger in sorted(EVERYBODY - ({"a key"} if name == "vault" else set())):
        one.takes = stranger
        found = await seen(caller, name)

        assert found.outcome is Outcome.FINDING
        assert found.says == f"it takes {stranger}, and should refuse everyone who is not let in"
