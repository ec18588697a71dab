"""An estate from inside, broken one thing at a time: each is named, and nothing else is."""

from __future__ import annotations

import os
import ssl
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import unquote, urlsplit

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from secure_openai.credential_source import credential_for
from secure_openai.delivery.verification import places
from secure_openai.delivery.verification.calls import Caller
from secure_openai.delivery.verification.doors import routes_of
from secure_openai.delivery.verification.observation import Check, Observation, Outcome
from secure_openai.delivery.verification.places import Place
from secure_openai.delivery.verification.verification import Target, from_inside
from secure_openai.outbound import Outbound
from secure_openai.posture.proof import ONLY_AFTER_DEPLOYMENT
from secure_openai.probes.asks import Identity
from secure_openai.probes.estate import answers_of
from secure_openai.probes.probe import Prober
from secure_openai.settings import Settings
from tests.delivery.verification.front import Instead, standing_in_front
from tests.hosted.estate import COSMOS, COSMOS_REGION, INGESTION, MODEL_RESOURCE, MODELS, Estate
from tests.hosted.test_check_live import Names
from tests.ingestion import ingesting
from tests.servers import listening, port_of, served
from tests.store.azure.estate import STORAGE, VAULT
from tests.tls import Tls, make_tls

pytestmark = pytest.mark.process

HOSTS = (COSMOS, COSMOS_REGION, STORAGE, VAULT, *MODELS)
ELSEWHERE = "https://monitor.azure.com/.default"


@dataclass
class Sight:
    """What is looked at, and how; a fault changes it.

    Attributes:
        estate: The estate.
        target: What.
        names: Who resolves names.
        authorities: Certificates to trust.
        identity: Whose roles are asked for.
    """

    estate: Estate
    target: Target
    names: Names
    authorities: Path
    identity: Identity = Identity.WEB

    async def seen(self) -> list[Observation]:
        """Look at everything."""
        chosen = {**self.estate.settings(), "SECURE_OPENAI_PROXY": ""}
        with patch.dict(os.environ, chosen):
            settings = Settings.load(chosen)
            outbound = Outbound(ca_bundle=self.authorities)
            credential = credential_for(settings, outbound)
        assert credential is not None
        try:
            prober = Prober(outbound, credential.bearer, resolver=self.names)
            return await from_inside(
                self.target,
                Caller(outbound, self.names),
                credential.bearer,
                lambda _: None,
                answers=await answers_of(settings, self.identity, prober),
            )
        finally:
            await credential.close()


@pytest.fixture
def sight(living: Estate) -> Sight:
    """Look at the estate as it is, by names that a private zone would give."""
    settings = living.settings()
    target = Target(
        url=living.url,
        places=tuple(places.from_settings(settings, "public")),
        routes=routes_of(None),
        key_urls=tuple(settings[f"SECURE_OPENAI_{one}_KEY_URL"] for one in ("SEAL", "EVIDENCE")),
        vault_scope="https://vault.azure.net/.default",
        elsewhere=ELSEWHERE,
        token=living.token("Uma"),
    )
    names = Names(dict.fromkeys((*HOSTS, "localhost"), "127.0.0.1"), living.network.routes)
    return Sight(living, target, names, living.tls.ca)


def findings(seen: list[Observation]) -> set[tuple[Check, str]]:
    """Return what was found, by check and host, route or subject."""
    return {
        (one.check, one.subject.rpartition(", ")[2])
        for one in seen
        if one.outcome is Outcome.FINDING
    }


async def test_an_estate_that_is_as_it_should_be(sight: Sight) -> None:
    """Everything holds but what is left to people, and every kind of check has looked."""
    seen = await sight.seen()
    left = [one.subject for one in seen if one.outcome is Outcome.LEFT]
    by_check = {check: [one for one in seen if one.check is check] for check in Check}

    assert [one for one in seen if one.outcome in {Outcome.FINDING, Outcome.UNSEEN}] == []
    assert set(left) < set(ONLY_AFTER_DEPLOYMENT)
    assert {check for check, found in by_check.items() if found} == set(Check) - {Check.CLOSED}
    assert len(by_check[Check.DOOR]) == len(
        [one for one, who in routes_of(None).items() if "public" not in who]
    )
    (cosmos,) = [one for one in by_check[Check.STRANGER] if COSMOS in one.subject]
    assert cosmos.facts == {
        "nobody": 401,
        "a token that is none": 401,
        "an unsigned token": 401,
        "a token for another audience": 401,
        "a key": 401,
    }
    (chat,) = by_check[Check.CHAT]
    assert chat.facts["status"] == 200
    assert set(chat.facts) == {"deployment", "status", "finish_reason", "total_tokens"}


@contextmanager
def changed(holder: object, name: str, value: object) -> Iterator[None]:
    """Give something another attribute until the block is left."""
    with patch.object(holder, name, value):
        yield


Breaks = Callable[[Sight], AbstractContextManager[object]]


def _unknown(host: str) -> Breaks:
    return lambda sight: patch.dict(
        sight.names.addresses,
        {one: "127.0.0.1" for one in (*HOSTS, "localhost") if one != host},
        clear=True,
    )


def _public(host: str) -> Breaks:
    return lambda sight: patch.dict(sight.names.addresses, {host: "20.61.96.10"})


def _models_accept(header: str, audience: str, sight: Sight) -> bool:
    return audience == MODEL_RESOURCE or type(sight.estate.identity).accepts(
        sight.estate.identity, header, audience
    )


def _keys(request: Any) -> bool:
    return unquote(request.headers.get("Authorization", "")).startswith("type=master")


def _cosmos_takes(who: Callable[[Any], bool]) -> Breaks:
    def breaks(sight: Sight) -> AbstractContextManager[object]:
        gate = sight.estate.cosmos.gate
        assert gate is not None

        def instead(request: Any) -> Any:
            return None if who(request) else gate(request)

        return changed(sight.estate.cosmos, "gate", instead)

    return breaks


def _exportable(sight: Sight) -> AbstractContextManager[object]:
    vault = sight.estate.vault
    made = vault._key

    def key(version: Any, url: str) -> Any:
        answer = made(version, url)
        assert answer.text is not None
        if url == vault.url:
            answer.text = answer.text.replace('"exportable": false', '"exportable": true')
        return answer

    return changed(vault, "_key", key)


FAULTS: list[tuple[str, Breaks, set[tuple[Check, str]], str]] = [
    ("a zone is not linked", _unknown(VAULT), {(Check.NAME, VAULT)},
     "link to the private DNS zone privatelink.vaultcore.azure.net"),
    ("a name has a public address", _public(STORAGE),
     {(Check.NAME, STORAGE)},
     "20.61.96.10, which is public, so nothing was sent there"),
    ("every token is taken by the models",
     lambda sight: changed(sight.estate.identity, "accepts",
                           lambda header, audience: _models_accept(header, audience, sight)),
     {(Check.STRANGER, host) for host in MODELS},
     "it takes nobody, a token that is none, an unsigned token, a token for another audience"),
    ("nobody is asked by the database", _cosmos_takes(lambda _: True),
     {(Check.STRANGER, COSMOS)}, "it takes nobody"),
    ("keys are taken by the database", _cosmos_takes(_keys),
     {(Check.STRANGER, COSMOS)}, "it takes a key, and"),
    ("a token for another audience is taken by the vault",
     lambda sight: changed(sight.estate.vault, "_authorized", lambda request: any(
         sight.estate.identity.accepts(request.headers.get("Authorization", ""), audience)
         for audience in ("https://vault.azure.net", "https://monitor.azure.com"))),
     {(Check.STRANGER, VAULT)}, "it takes a token for another audience, and"),
    ("the key of the seals can be exported", _exportable,
     {(Check.KEY, "")}, "whoever holds a copy signs with it in secret"),
    ("our role on the key is missing",
     lambda sight: changed(sight.estate.vault, "refuses", True),
     {(Check.OWN, VAULT)}, "our identity lacks the role Key Vault Reader"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("breaks", "expected", "says"), [one[1:] for one in FAULTS], ids=[one[0] for one in FAULTS]
)
async def test_a_fault_is_named_and_no_other(
    breaks: Breaks, expected: set[tuple[Check, str]], says: str, sight: Sight
) -> None:
    """What was broken is found where it is, with its reason; the rest holds."""
    sight.target = replace(sight.target, routes={})
    with breaks(sight):
        seen = await sight.seen()
    found = [one for one in seen if one.outcome is Outcome.FINDING]

    if (Check.KEY, "") in expected:
        expected = {(Check.KEY, sight.estate.vault.url)}
    assert findings(seen) == expected
    assert any(says in one.says for one in found)


@asynccontextmanager
async def _answering(tls: Tls | None, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    async def refuse(_: Request) -> Response:
        return Response(status_code=401)

    bound = listening()
    app = Starlette(routes=[Route("/{path:path}", refuse)])
    async with served(app, bound, tls=tls, context=context):
        yield port_of(bound)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("ended", "certificate has expired"),
        ("other", "its certificate is not trusted (Hostname mismatch"),
        ("nobody's", "its certificate is not trusted ("),
        ("none", "what answers there does not speak TLS as Azure does"),
    ],
)
async def test_tls_that_does_not_hold(fault: str, says: str, sight: Sight, tmp_path: Path) -> None:
    """A certificate that ended, is another name's or nobody's, and no TLS at all: each is named."""
    host = MODELS[1]
    tls = None
    if fault != "none":
        name = "elsewhere.example" if fault == "other" else host
        tls = make_tls(tmp_path, name, ended=fault == "ended")
        both = tmp_path / "both.pem"
        known = [sight.authorities, *([] if fault == "nobody's" else [tls.ca])]
        both.write_text("".join(one.read_text() for one in known))
        sight.authorities = both
    sight.target = replace(sight.target, routes={})
    async with _answering(tls) as port:
        sight.names.ports = {**sight.names.ports, host: port}
        seen = await sight.seen()

    assert findings(seen) == {(Check.TLS, host)}
    assert says in next(one.says for one in seen if one.outcome is Outcome.FINDING)


@pytest.mark.parametrize(
    ("suites", "newest", "says"),
    [
        ("ALL:!aNULL:@SECLEVEL=0", "TLSv1_1", "it agrees to TLS 1.1 or older, if that is offered"),
        ("ALL:eNULL:@SECLEVEL=0", "TLSv1_2", "it agrees to a suite that protects too little, if"),
    ],
)
async def test_tls_that_agrees_to_less(
    suites: str, newest: str, says: str, sight: Sight, tmp_path: Path
) -> None:
    """Whoever would speak an old version, or without encrypting, is told of: we never would."""
    host = MODELS[1]
    tls = make_tls(tmp_path, host)
    both = tmp_path / "both.pem"
    both.write_text(sight.authorities.read_text() + tls.ca.read_text())
    sight.authorities = both
    sight.target = replace(sight.target, routes={})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = (
            ssl.TLSVersion.TLSv1 if newest == "TLSv1_1" else ssl.TLSVersion.TLSv1_2
        )
    context.load_cert_chain(tls.certificate, tls.key)
    context.set_ciphers(suites)
    async with _answering(tls, context) as port:
        sight.names.ports = {**sight.names.ports, host: port}
        seen = await sight.seen()
    (over,) = [one for one in seen if one.check is Check.TLS and one.subject == host]

    assert findings(seen) == {(Check.TLS, host)}
    assert says in over.says
    assert over.facts["version"] == "TLSv1.3"


async def test_every_name_is_offered_less_and_refuses(sight: Sight) -> None:
    """By the proxy, too: it leads on what is sent, and what comes back is the name's own."""
    direct = await sight.seen()
    caller = Caller(Outbound(proxy=sight.estate.network.url, ca_bundle=sight.estate.tls.ca))
    url = f"https://{STORAGE}/"
    by_proxy = await from_inside(
        Target(url=sight.target.url, places=(Place("storage", url),)), caller, None, lambda _: None
    )
    over = [one for one in (*direct, *by_proxy) if one.check is Check.TLS]

    assert len(over) == len(HOSTS) - 1 + 1
    assert {one.outcome for one in over} == {Outcome.HOLDS}
    assert {tuple(one.facts["agrees to"]) for one in over} == {()}
    assert all("it refuses TLS 1.1 or older, a suite that protects too little" in one.says
               for one in over)  # fmt: skip


async def test_where_telemetry_goes_is_looked_at(sight: Sight) -> None:
    """Its name and its TLS: it takes anybody's, so that nobody has to be refused there."""
    named = {**sight.estate.settings()}
    seen = []
    with ingesting(sight.estate.tls) as ingestion:
        connection = sight.estate.telemetry_to(urlsplit(ingestion.url).port or 0)
        named["APPLICATIONINSIGHTS_CONNECTION_STRING"] = connection
        found = tuple(places.from_settings(named, "public"))
        sight.target = replace(sight.target, routes={}, places=found)
        for address in ("127.0.0.1", "20.61.96.10"):
            with patch.dict(sight.names.addresses, {INGESTION: address}):
                seen.append(await sight.seen())
    del sight.estate.network.routes[INGESTION]
    private, public = seen

    assert findings(private) == set()
    assert {(one.check, one.outcome) for one in private if one.subject == INGESTION} == {
        (Check.NAME, Outcome.HOLDS),
        (Check.TLS, Outcome.HOLDS),
    }
    assert findings(public) == {(Check.NAME, INGESTION)}
    assert ingestion.items == []


def _me(request: Request) -> bool:
    return request.url.path == "/api/me"


DOORS: list[tuple[str, Instead, set[tuple[Check, str]], str]] = [
    ("a door asks nobody", lambda request: JSONResponse({}) if _me(request) else None,
     {(Check.DOOR, "GET /api/me")}, "it answers nobody (200), forged identity headers (200)"),
    ("a door trusts what Easy Auth would say",
     lambda request: JSONResponse({})
     if _me(request) and "x-ms-client-principal" in request.headers else None,
     {(Check.DOOR, "GET /api/me")}, "it answers forged identity headers (200) before"),
    ("a door takes unsigned tokens",
     lambda request: JSONResponse({})
     if _me(request) and request.headers.get("authorization", "").endswith(".") else None,
     {(Check.DOOR, "GET /api/me")}, "it answers an unsigned token (200) before"),
    ("a door reads what is sent before it asks who comes",
     lambda request: Response(status_code=422)
     if (request.method, request.url.path) == ("POST", "/api/conversations") else None,
     {(Check.DOOR, "POST /api/conversations")}, "(422) before it asks who comes"),
    ("a door sends people elsewhere",
     lambda request: RedirectResponse("https://elsewhere.example/sign-in")
     if request.url.path == "/" else None,
     {(Check.DOOR, "GET /")}, "it answers nobody (307)"),
    ("the application is not ready",
     lambda request: Response(status_code=503) if request.url.path == "/readyz" else None,
     {(Check.READY, "")}, "it answers 503: its audit cannot be written, or no model is ready"),
    ("a chat is refused",
     lambda request: JSONResponse({"error": {"code": "429"}}, 429)
     if request.url.path.endswith("/completions") and _asks(request) else None,
     {(Check.CHAT, "")}, "a person was refused a chat: it answers 429 (429)"),
]  # fmt: skip


def _asks(request: Request) -> bool:
    """Return whether it is a question, and not somebody who knocks with an empty object."""
    return int(request.headers.get("content-length", "0")) > len("{}")


SOME = ("GET /", "GET /api/me", "POST /api/conversations", "POST /openai/v1/chat/completions")


@pytest.mark.parametrize(
    ("instead", "expected", "says"), [one[1:] for one in DOORS], ids=[one[0] for one in DOORS]
)
async def test_a_door_that_is_wrong_is_named_and_no_other(
    instead: Instead, expected: set[tuple[Check, str]], says: str, sight: Sight
) -> None:
    """The rest of the application answers as it does."""
    async with standing_in_front(sight.estate.url, instead) as front:
        sight.target = Target(
            url=front.url,
            routes={one: sight.target.routes[one] for one in SOME},
            elsewhere=ELSEWHERE,
            token=sight.target.token,
        )
        seen = await sight.seen()
        expected = {(check, subject or front.url) for check, subject in expected}

    assert findings(seen) == expected
    assert any(says in one.says for one in seen if one.outcome is Outcome.FINDING)


async def test_whoever_has_no_role_gets_no_chat(sight: Sight) -> None:
    """A token that is not taken is a finding; no token is something that was not seen."""
    sight.target = Target(url=sight.target.url, token="none")
    refused = await sight.seen()
    sight.target = replace(sight.target, token="")
    without = await sight.seen()

    assert findings(refused) == {(Check.CHAT, sight.target.url)}
    assert "a person was refused the models that one may ask: it answers 401" in next(
        one.says for one in refused if one.outcome is Outcome.FINDING
    )
    assert {one.check for one in without if one.outcome is Outcome.UNSEEN} == {
        Check.CHAT,
        Check.ASSUMPTION,
    }


async def test_what_a_proxy_resolves_is_not_seen(sight: Sight) -> None:
    """Nobody says of a name what only the proxy knows."""
    caller = Caller(Outbound(proxy=sight.estate.network.url, ca_bundle=sight.estate.tls.ca))
    seen = await from_inside(
        Target(url=sight.target.url, places=(Place("vault", f"https://{VAULT}/"),)),
        caller,
        None,
        lambda _: None,
    )
    (name,) = [one for one in seen if one.check is Check.NAME]

    assert name.outcome is Outcome.UNSEEN
    assert "SECURE_OPENAI_PROXY_DIRECT" in name.says
