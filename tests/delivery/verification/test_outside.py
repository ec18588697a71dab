"""An estate from outside, opened one door at a time: each is named, and nothing else is."""

from __future__ import annotations

import json
import socket
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from secure_openai.delivery.verification.calls import Caller
from secure_openai.delivery.verification.observation import Check, Observation, Outcome
from secure_openai.delivery.verification.places import Place, from_file, from_settings
from secure_openai.delivery.verification.verification import Target, from_outside
from secure_openai.errors import CredentialUnavailable, StartError
from secure_openai.outbound import Outbound
from tests.servers import listening, port_of, served
from tests.tls import make_tls

URL = "https://app-chat-qdf84.azurewebsites.net"

REFUSALS: dict[str, tuple[int, dict[str, str], str]] = {
    "azurewebsites.net": (403, {}, "Error 403 - Forbidden: The web app you have attempted to reach "
                          "has blocked your access."),
    "core.windows.net": (403, {"x-ms-error-code": "AuthorizationFailure"}, "<Error/>"),
    "documents.azure.com": (403, {}, "Request originated from IP 203.0.113.7 through public "
                            "internet. This is blocked by your account firewall settings."),
    "vault.azure.net": (403, {}, '{"error": {"innererror": {"code": "ForbiddenByConnection"}}}'),
    "azure.com": (403, {}, '{"error": {"message": "Public access is disabled. Please configure '
                  'private endpoint."}}'),
}  # fmt: skip
"""How each service refuses by its network, by the end of its name."""


@dataclass
class Internet(AbstractResolver):
    """What the world sees of the estate.

    Attributes:
        port: Where everything is answered.
        public: Names with a public address; the others have none.
        instead: What a name answers instead of its network's refusal.
        private: Names that resolve to a private address.
        away: Names at which nobody listens.
    """

    port: int = 0
    public: set[str] = field(default_factory=set)
    instead: dict[str, tuple[int, dict[str, str], str]] = field(default_factory=dict)
    private: set[str] = field(default_factory=set)
    away: set[str] = field(default_factory=set)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the address that is public where somebody looks, and leads here who calls.

        Raises:
            OSError: It has none.
        """
        if host not in self.public | self.private:
            raise OSError("Name or service not known")
        shown = "10.0.0.4" if host in self.private else "20.61.96.10"
        to = 1 if host in self.away else self.port
        return [
            ResolveResult(
                hostname=host,
                host="127.0.0.1" if port else shown,
                port=to if port else 0,
                family=socket.AF_INET,
                proto=0,
                flags=0,
            )
        ]

    async def close(self) -> None:
        """Do nothing."""

    async def answer(self, request: Request) -> Response:
        """Answer as the service whose name was asked for."""
        host = request.headers["host"].partition(":")[0]
        if host in self.instead:
            status, headers, text = self.instead[host]
        elif host.endswith("vault.azure.net") and "authorization" not in request.headers:
            # A vault asks who comes before its firewall refuses.
            status, headers, text = 401, {}, ""
        else:
            end = next(one for one in REFUSALS if host.endswith(one))
            status, headers, text = REFUSALS[end]
        return Response(text, status, headers)


@pytest.fixture(scope="module")
def places(private_state: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> list[Place]:
    """Return every name of the private estate."""
    path = tmp_path_factory.mktemp("state") / "state.json"
    path.write_text(json.dumps(private_state))
    return list(from_file(path, "public").places)


@dataclass
class Outside:
    """Somebody outside."""

    internet: Internet
    outbound: Outbound
    places: list[Place]

    async def seen(self, *, token: bool = True) -> list[Observation]:
        """Knock everywhere."""

        async def bearer(scope: str) -> str:
            if not token:
                raise CredentialUnavailable("none")
            return f"Bearer {scope}"

        target = Target(URL, places=tuple(self.places))
        return await from_outside(
            target, Caller(self.outbound, self.internet), bearer, lambda _: None
        )

    def host(self, beginning: str) -> str:
        """Return the name that begins so."""
        return next(one.host for one in self.places if one.host.startswith(beginning))


@pytest.fixture
async def outside(places: list[Place], tmp_path: Path) -> AsyncIterator[Outside]:
    """Serve what the world sees: half of the names have no address, the rest refuses."""
    hosts = [one.host for one in places]
    tls = make_tls(tmp_path, *hosts)
    internet = Internet(public={one for one in hosts if "staging" not in one})
    async with _serving(internet, tls):
        yield Outside(internet, Outbound(ca_bundle=tls.ca), places)


@asynccontextmanager
async def _serving(
    internet: Internet, tls: Any, context: ssl.SSLContext | None = None
) -> AsyncIterator[None]:
    bound = listening()
    internet.port = port_of(bound)
    app = Starlette(routes=[Route("/{path:path}", internet.answer)])
    async with served(app, bound, tls=tls, context=context):
        yield


def test_every_name_is_tried(places: list[Place]) -> None:
    """Applications, slots and deployment sites, all of storage, vault, models and regions."""
    hosts = {one.host for one in places}
    suffix = next(one for one in hosts if one.startswith("app-chat-")).split(".")[0].split("-")[2]
    web, functions = f"app-chat-{suffix}", f"func-chat-{suffix}"

    assert {
        *(
            f"{one}{slot}.azurewebsites.net"
            for one in (web, functions)
            for slot in ("", "-staging")
        ),
        *(f"{web}{slot}.scm.azurewebsites.net" for slot in ("", "-staging")),
        f"cosmos-chat-{suffix}.documents.azure.com",
        f"cosmos-chat-{suffix}-swedencentral.documents.azure.com",
        f"kv-chat-{suffix}.vault.azure.net",
        *(f"stchatrec{suffix}.{one}.core.windows.net" for one in ("blob", "dfs", "queue")),
        f"stchathost{suffix}.table.core.windows.net",
        f"oai-chat-second-{suffix}.openai.azure.com",
        f"oai-chat-main-{suffix}.cognitiveservices.azure.com",
    } <= hosts
    assert len(hosts) == len(places)


def test_a_state_names_the_ids_of_what_is_there(
    private_state: dict[str, Any], tmp_path: Path
) -> None:
    """What a pattern of an assumption may mean: in the case in which ids are compared."""
    state = tmp_path / "state.json"
    state.write_text(json.dumps(private_state))
    named = from_file(state, "public")
    vaults = [one for one in named.ids if "/providers/microsoft.keyvault/vaults/" in one]

    assert {one.lower() for one in named.groups} < set(named.ids)
    assert vaults
    assert [one for one in named.ids if one != one.lower() or "|" in one] == []


def test_outputs_name_most_of_it(
    private_state: dict[str, Any], places: list[Place], tmp_path: Path
) -> None:
    """What a deployer has at hand names the same, but for the function host's own storage."""
    outputs = tmp_path / "outputs.json"
    outputs.write_text(json.dumps(private_state["values"]["outputs"]))
    named = {one.host for one in from_file(outputs, "public").places}
    every = {one.host for one in places}
    left = {one.partition(".")[0].partition("-")[0] for one in every - named}

    assert named < every
    assert {one[:10] for one in left} == {"stchathost", "stchatrecq", "cosmos", "oai"}


@pytest.mark.parametrize(
    ("text", "says"),
    [("[]", "is no JSON object"), ("{", "is not JSON"), ("{}", "is neither a state")],
)
def test_what_names_nothing_is_refused(text: str, says: str, tmp_path: Path) -> None:
    """A file that is neither a state nor outputs is told so."""
    path = tmp_path / "file.json"
    path.write_text(text)

    with pytest.raises(StartError, match=says):
        from_file(path, "public")


async def test_nothing_answers(outside: Outside) -> None:
    """No address, nobody there, or a network that refuses: all of it is closed."""
    outside.internet.away.add(outside.host("oai-chat-main"))
    seen = await outside.seen()

    assert {one.outcome for one in seen} == {Outcome.HOLDS}
    closed = [one for one in seen if one.check is Check.CLOSED]
    answering = {one.facts["host"] for one in closed if one.facts["tls"]}
    assert len(closed) == len([one for one in outside.places if not one.shared])
    assert {one.subject for one in seen if one.check is Check.TLS} == answering
    assert {one.says.partition(" at ")[0].partition(",")[0] for one in closed} == {
        "its name has no address here",
        "its network refuses",
        "nobody answers",
    }


DENIED = (403, {"x-ms-error-code": "AuthorizationPermissionMismatch"}, "<Error/>")

DOORS = [
    ("a slot is public", "app-chat-qdf84-staging.azure", (302, {"Location": "/sign-in"}, "")),
    ("the deployment site is public", "app-chat-qdf84.scm", (401, {}, "")),
    ("the functions are public", "func-chat-qdf84.azure", (200, {}, "Your Function App is up")),
    ("storage is public, and asks for a role", "stchatrecqdf84.blob", DENIED),
    ("the host's tables are public", "stchathostqdf84.table", (200, {}, "")),
    ("the database is public", "cosmos-chat-qdf84.documents", (401, {}, "")),
    ("the vault is public", "kv-chat-qdf84", (200, {}, "{}")),
    ("a model account is public", "oai-chat-main-qdf84.openai", (401, {}, "")),
]


@pytest.mark.parametrize(("beginning", "answer"), [one[1:] for one in DOORS],
                         ids=[one[0] for one in DOORS])  # fmt: skip
async def test_a_door_that_is_open_is_named_and_no_other(
    beginning: str, answer: tuple[int, dict[str, str], str], outside: Outside
) -> None:
    """Whatever it answers: that somebody came so far is the finding."""
    suffix = outside.host("kv-chat-").split("-")[2].partition(".")[0]
    host = outside.host(beginning.replace("qdf84", suffix))
    outside.internet.public.add(host)
    outside.internet.instead[host] = answer
    found = [one for one in await outside.seen() if one.outcome is not Outcome.HOLDS]

    assert [(one.outcome, one.facts["host"]) for one in found] == [(Outcome.FINDING, host)]
    assert f"it answers {answer[0]} at 20.61.96.10 to whoever comes: its door is open" in (
        found[0].says
    )


async def test_a_name_that_refuses_and_would_speak_old_tls(
    places: list[Place], tmp_path: Path
) -> None:
    """Who is refused is looked at too: every name says which TLS it would agree to."""
    hosts = [one.host for one in places]
    tls = make_tls(tmp_path, *hosts)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1
    context.load_cert_chain(tls.certificate, tls.key)
    context.set_ciphers("ALL:!aNULL:@SECLEVEL=0")
    internet = Internet(public=set(hosts[:2]))
    async with _serving(internet, tls, context):
        seen = await Outside(internet, Outbound(ca_bundle=tls.ca), places).seen()
    found = {(one.check, one.subject): one for one in seen if one.outcome is Outcome.FINDING}

    assert found.keys() == {(Check.TLS, one) for one in hosts[:2]}
    assert {one.says for one in found.values()} == {
        "it agrees to TLS 1.1 or older, if that is offered"
    }


async def test_what_answers_everybody_is_not_tried(outside: Outside) -> None:
    """Where telemetry goes is not the estate's alone: that it answers says nothing of it."""
    name = "swedencentral-0.in.applicationinsights.azure.com"
    connection = f"IngestionEndpoint=https://{name}/"
    (shared,) = from_settings({"APPLICATIONINSIGHTS_CONNECTION_STRING": connection}, "public")
    outside.places = [*outside.places, shared]
    outside.internet.public.add(name)
    outside.internet.instead[name] = (200, {}, "")
    seen = await outside.seen()

    assert shared.host == name
    assert [one for one in seen if name in one.subject] == []
    assert {one.outcome for one in seen} == {Outcome.HOLDS}


async def test_what_is_private_and_answers_is_no_outside(outside: Outside) -> None:
    """Whoever reaches a private address is inside, or a way leads in."""
    host = outside.host("kv-chat-")
    outside.internet.private.add(host)
    (found,) = [one for one in await outside.seen() if one.outcome is Outcome.FINDING]

    assert found.facts["host"] == host
    assert "this machine is inside" in found.says


async def test_who_answers_with_a_certificate_of_nobody(outside: Outside, tmp_path: Path) -> None:
    """Something is there, whoever it is."""
    folder = tmp_path / "other"
    folder.mkdir()
    outside.outbound = Outbound(ca_bundle=make_tls(folder, "localhost").ca)
    host = outside.host("kv-chat-")
    outside.internet.public = {host}
    (found,) = [one for one in await outside.seen() if one.outcome is Outcome.FINDING]

    assert "its certificate is not trusted" in found.says


async def test_without_a_token_a_vault_does_not_say(outside: Outside) -> None:
    """It asks who comes before its network refuses: that is not seen, and never fine."""
    found = [one for one in await outside.seen(token=False) if one.outcome is not Outcome.HOLDS]

    assert [(one.outcome, one.facts["host"]) for one in found] == [
        (Outcome.UNSEEN, outside.host("kv-chat-"))
    ]
    assert "sign in with az login" in found[0].says


async def test_a_token_goes_to_azure_only(private_state: dict[str, Any], tmp_path: Path) -> None:
    """A state that names a stranger's host gets nothing of ours there."""
    state = tmp_path / "state.json"
    text = json.dumps(private_state)
    state.write_text(text.replace(".blob.core.windows.net", ".blob.core.windows.net.evil.example"))
    found = from_file(state, "public").places
    strangers = [one for one in found if one.host.endswith("evil.example")]

    assert len(strangers) == 2
    assert {(one.scope, one.key) for one in strangers} == {("", "")}
    assert {one.scope for one in found if ".queue." in one.host} == {
        "https://storage.azure.com/.default"
    }
