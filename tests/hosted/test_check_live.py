"""`secure-openai check --live`: each service by its name, and what is wrong when it is."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from secure_openai.credential_source import credential_for
from secure_openai.outbound import Outbound
from secure_openai.probes.asks import NOT_ASKED, Identity, asks_of
from secure_openai.probes.estate import answers_of
from secure_openai.probes.probe import Answer, Outcome, Prober
from secure_openai.settings import Settings
from secure_openai.tables import table
from tests.cosmosdb.estate import server_context
from tests.hosted.command import typed
from tests.hosted.estate import COSMOS, COSMOS_REGION, INGESTION, MODELS, Estate
from tests.ingestion import ingesting
from tests.servers import listening, port_of
from tests.store.azure.estate import STORAGE, VAULT
from tests.tls import make_tls

pytestmark = pytest.mark.process

KEEP = "Cosmos DB Built-in Data Contributor"
COMPLETE = "Cognitive Services OpenAI User"
SEAL_KEY = "Key Vault Crypto User"


async def check(
    estate: Estate, *options: str, **changes: str
) -> tuple[int, list[dict[str, Any]], str]:
    """Type the command; return its exit code, its rows or none, and what it says."""
    code, text = await typed(estate, "check", "--live", *options, **changes)
    return code, json.loads(text) if "--json" in options else [], text


class Names(AbstractResolver):
    """Resolves to what a test says; leads to the estate's ports all the same."""

    def __init__(self, addresses: dict[str, str], ports: dict[str, int]) -> None:
        self.addresses = addresses
        self.ports = ports

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the address of a name.

        Raises:
            OSError: It has none.
        """
        if host not in self.addresses:
            raise OSError("Name or service not known")
        return [
            ResolveResult(
                hostname=host,
                host=self.addresses[host],
                port=self.ports.get(host, port),
                family=family or socket.AF_INET,
                proto=0,
                flags=0,
            )
        ]

    async def close(self) -> None:
        """Do nothing."""


async def answers(
    estate: Estate,
    addresses: dict[str, str] | None = None,
    *,
    identity: Identity = Identity.WEB,
    **changes: str,
) -> list[Answer]:
    """Ask everything, by the proxy or directly where names resolve to these addresses."""
    resolver = None
    if addresses is not None:
        changes["SECURE_OPENAI_PROXY"] = ""
        resolver = Names({"localhost": "127.0.0.1", **addresses}, estate.network.routes)
    chosen = {**estate.settings(), **changes}
    with patch.dict(os.environ, chosen):
        settings = Settings.load(chosen)
        outbound = Outbound.of(settings)
        credential = credential_for(settings, outbound)
    assert credential is not None
    try:
        prober = Prober(outbound, credential.bearer, resolver=resolver)
        return await answers_of(settings, identity, prober)
    finally:
        await credential.close()


def said_of(found: list[Answer], outcome: Outcome) -> dict[str, str]:
    """Return what is said of each name with this outcome."""
    return {one.ask.host: one.says for one in found if one.outcome is outcome}


async def test_all_is_well(estate: Estate) -> None:
    """Each name with what it is for and the role that lets us in; exit code 0."""
    code, _, said = await check(estate)
    again, found, _ = await check(estate, "--json", FUNCTIONS_WORKER_RUNTIME="python")

    assert (code, again) == (0, 0), said
    assert "Everything answers as the web application needs it." in said
    for expected in (COSMOS, COSMOS_REGION, STORAGE, VAULT, *MODELS, "Key Vault Reader"):
        assert expected in said
    assert {row["host"] for row in found} == {"localhost", COSMOS, COSMOS_REGION, STORAGE, VAULT}
    assert {row["tls"] for row in found} == {"TLSv1.3"}
    assert {row["role"] for row in found if row["host"] == VAULT} == {SEAL_KEY}
    assert ("POST", f"/keys/{estate.vault.name}//verify") in estate.vault.asked
    assert {call.kind for call in estate.cosmos.calls} == {"delete"}


async def test_a_missing_role_is_named(estate: Estate) -> None:
    """Whoever refuses is told with the role that is missing and what it is for; exit code 1."""
    estate.cosmos.gate = lambda _: 403
    estate.vault.refuses = True
    code, _, said = await check(estate, "--as", "functions")

    assert code == 1
    assert f"container audit, {COSMOS}: our identity lacks the role {KEEP}: it is needed to" in said
    assert f"key of the seals, {VAULT}: our identity lacks the role {SEAL_KEY}: it is" in said
    assert "Traceback" not in said


async def test_a_refused_token_is_a_missing_role(estate: Estate) -> None:
    """Azure OpenAI says 401 to an identity without its role."""
    estate.identity.accepts = lambda *_: False  # type: ignore[method-assign]
    refused = said_of(await answers(estate), Outcome.REFUSED)

    assert refused.keys() == {COSMOS, *MODELS}
    assert f"lacks the role {COMPLETE}" in refused[MODELS[0]]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("AuthorizationPermissionMismatch", "lacks the role Storage Blob Data"),
        ("AuthorizationFailure", "its network refuses us, whatever our roles are"),
    ],
)
async def test_storage_says_who_refuses(estate: Estate, code: str, said: str) -> None:
    """A firewall and a missing role are both 403, and need different people."""

    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=403, headers={"x-ms-error-code": code}, text="<Error/>")

    app, bound = web.Application(), listening()
    app.router.add_route("*", "/{path:.*}", refuse)
    runner = web.AppRunner(app)
    await runner.setup()
    context = server_context(estate.tls.certificate, estate.tls.key)
    await web.SockSite(runner, bound, ssl_context=context).start()
    estate.network.routes[STORAGE] = port_of(bound)
    try:
        found = await answers(estate)
    finally:
        await runner.cleanup()

    assert [one.ask.service for one in found if said in one.says] == [
        "seals",
        "exports",
        "exports, to write",
        "attachments",
        "attachments, to write",
    ]


async def test_what_is_not_there_is_named(estate: Estate) -> None:
    """A database and a container that Terraform has not made are missing, not refused."""
    found = await answers(
        estate,
        SECURE_OPENAI_COSMOS_DATABASE="staging",
        SECURE_OPENAI_SEALS_CONTAINER="seals-nowhere",
    )
    missing = [one.says for one in found if one.outcome is Outcome.MISSING]

    assert "there is no container seals-nowhere" in missing
    assert "there is no container audit in the database staging" in missing


@pytest.mark.parametrize(
    ("fault", "outcome", "said"),
    [
        (
            lambda one: setattr(one.network, "away", True),
            Outcome.UNREACHABLE,
            "cannot be reached",
        ),
        (
            lambda one: setattr(one.identity, "failing", 400),
            Outcome.NO_TOKEN,
            "gives no token to our managed identity",
        ),
    ],
    ids=["proxy", "identity"],
)
async def test_nobody_answers(
    estate: Estate, fault: Callable[[Estate], None], outcome: Outcome, said: str
) -> None:
    """A proxy that leads nowhere and an identity without tokens are told apart."""
    fault(estate)
    found = said_of(await answers(estate), outcome)

    assert found.keys() == {COSMOS, STORAGE, VAULT, *MODELS}
    assert all(said in one for one in found.values())


async def test_a_certificate_of_nobody(estate: Estate, tmp_path: Path) -> None:
    """Whoever answers with a certificate that nobody vouches for is told as that."""
    stranger = make_tls(tmp_path, "localhost")
    found = await answers(estate, SECURE_OPENAI_CA_BUNDLE=str(stranger.ca))

    assert {one.outcome for one in found} == {Outcome.UNTRUSTED}
    assert all("its certificate is not trusted (" in one.says for one in found)
    assert estate.cosmos.calls == []


async def test_telemetry_is_reached_and_given_nothing(estate: Estate) -> None:
    """What takes nothing but telemetry is asked whether it answers, without a token."""
    with ingesting(estate.tls) as ingestion:
        place = estate.telemetry_to(urlsplit(ingestion.url).port or 0)
        found = await answers(estate, APPLICATIONINSIGHTS_CONNECTION_STRING=place)
    estate.network.routes.pop(INGESTION)
    gone = await answers(estate, APPLICATIONINSIGHTS_CONNECTION_STRING=place)

    assert {one.outcome for one in found} == {Outcome.GOOD}
    assert INGESTION in {one.ask.host for one in found}
    assert (ingestion.tokens, ingestion.items) == ([""], [])
    assert said_of(gone, Outcome.UNREACHABLE).keys() == {INGESTION}


async def test_a_laptop_has_nothing_to_ask(estate: Estate) -> None:
    """Settings that ask nothing of Azure are told so, as something that cannot be run."""
    laptop = {
        **dict.fromkeys(estate.settings(), ""),
        "SECURE_OPENAI_CLOUD": "public",
        "SECURE_OPENAI_MODEL_SOURCE": "scripted",
        "SECURE_OPENAI_PUBLIC_URL": "http://localhost:1",
        "SECURE_OPENAI_AUTHORITY": "http://localhost:2/t/v2.0",
        "SECURE_OPENAI_TENANT_ID": "t",
        "SECURE_OPENAI_CLIENT_ID": "c",
        "SECURE_OPENAI_CA_BUNDLE": str(estate.tls.ca),
    }
    code, _, said = await check(estate, **laptop)

    assert code == 2
    assert "Nothing here asks Azure" in said


async def test_a_name_that_is_not_known(estate: Estate) -> None:
    """A network without the private zone is told which zone it needs; so is a region's name."""
    found = await answers(estate, {COSMOS: "127.0.0.1"}, identity=Identity.FUNCTIONS)
    good = [one for one in found if one.outcome is Outcome.GOOD and one.ask.host == COSMOS]
    unknown = said_of(found, Outcome.NO_NAME)

    assert {one.way for one in good} == {"private"}
    assert unknown.keys() == {COSMOS_REGION, STORAGE, VAULT}
    assert "link to the private DNS zone privatelink.vaultcore.azure.net" in unknown[VAULT]
    assert "privatelink.blob.core.windows.net" in unknown[STORAGE]
    assert "privatelink.documents.azure.com" in unknown[COSMOS_REGION]
    assert estate.identity.asked == [f"https://{COSMOS}"]


async def test_a_public_address_gets_nothing(estate: Estate) -> None:
    """A name that leads out of the estate is a finding; no token goes there."""
    found = await answers(estate, {COSMOS: "20.61.96.10"})
    public = [one for one in found if one.outcome is Outcome.PUBLIC]

    assert {(one.ask.host, one.way, one.addresses) for one in public} == {
        (COSMOS, "public", ("20.61.96.10",))
    }
    assert "privatelink.documents.azure.com" in public[0].says
    assert estate.identity.asked == []


async def test_every_need_is_asked_for(estate: Estate) -> None:
    """Each row of the table of roles is asked for, or is one of those that nothing asks for."""
    settings = Settings.load(estate.settings())
    asked = {ask.need for identity in Identity for ask in asks_of(settings, identity)} - {""}

    assert set(table("roles")) - NOT_ASKED == asked
    for identity in Identity:
        for ask in asks_of(settings, identity):
            assert not ask.need or identity in table("roles")[ask.need]["identities"]
