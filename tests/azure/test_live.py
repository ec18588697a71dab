"""The adapters on a real estate: `make test-azure`, after `terraform apply`."""

from __future__ import annotations

import asyncio
import json
import secrets
from dataclasses import replace
from datetime import timedelta

import aiohttp
import pytest

from secure_openai.assembly import model_of
from secure_openai.credential import Credential
from secure_openai.errors import NotFound, PreconditionFailed, Refused, StoreError
from secure_openai.jobs.seal import seal
from secure_openai.outbound import Outbound
from secure_openai.probes.asks import Identity
from secure_openai.probes.estate import answers_of
from secure_openai.probes.probe import Outcome, Prober
from secure_openai.settings import ModelSource, Settings
from secure_openai.store.azure.blobs import AzureBlobs
from secure_openai.store.verification import verify
from secure_openai.stores import Stores, open_stores
from secure_openai.testing.audit_contract import event
from secure_openai.testing.conversations_contract import message_in
from secure_openai.testing.model_contract import request
from secure_openai.testing.sessions_contract import session
from secure_openai.testing.usage_contract import LIMITS
from secure_openai.types import Operation, Principal, PrincipalId, Usage, utc_now
from tests.azure.conftest import charged


async def test_every_service_answers(settings: Settings, credential: Credential) -> None:
    """`check --live` finds nothing: private names, TLS, and every role of the web application."""
    prober = Prober(Outbound.of(settings), credential.bearer)
    found = await answers_of(settings, Identity.WEB, prober)

    assert [(one.ask.service, one.says) for one in found if one.outcome is not Outcome.GOOD] == []


async def test_conversations(stores: Stores, somebody: PrincipalId) -> None:
    """Kept in order, found by their owner alone, changed under their etag, and deleted wholly."""
    kept = stores.conversations
    conversation = await kept.create(somebody, title="live")
    with charged("a question and the beginning of its answer"):
        await kept.append(
            somebody, message_in(conversation, "one"), message_in(conversation, "two")
        )
    with charged("a list of conversations"):
        listed = (await kept.list(somebody, limit=10)).items
    with charged("a conversation, opened"):
        await kept.get(somebody, conversation.id)
        messages = (await kept.messages(somebody, conversation.id, limit=10)).items
    renamed = await kept.change(somebody, conversation.id, title="again", etag=listed[0].etag)
    with pytest.raises(PreconditionFailed):
        await kept.change(somebody, conversation.id, title="stale", etag=listed[0].etag)
    with pytest.raises(NotFound):
        await kept.get(replace(somebody, oid="somebody-else"), conversation.id)
    with charged("a conversation, deleted"):
        await kept.delete(somebody, conversation.id, etag=renamed.etag)

    assert [one.title for one in listed] == ["live"]
    assert [one.text for one in messages] == ["one", "two"]
    assert (await kept.list(somebody, limit=10)).items == []


async def test_quota_is_shared_exactly(
    settings: Settings, credential: Credential, stores: Stores, somebody: PrincipalId
) -> None:
    """Two instances at once admit no more than there is."""
    limits = replace(
        LIMITS, requests_per_minute=1_000, tokens_per_minute=1_000, tokens_per_day=1_000
    )
    granted = 0

    async def spend(one: Stores) -> None:
        nonlocal granted
        for _ in range(15):
            now = utc_now()
            try:
                reservation = await one.usage.reserve(
                    somebody, "live", tokens=50, limits=limits, now=now, lifetime=60
                )
            except Refused:
                return
            granted += 50
            await one.usage.settle(reservation, Usage(20, 30))

    with charged("reservations and settlements, up to 20 of two instances"):
        async with open_stores(
            settings, outbound=Outbound.of(settings), credential=credential
        ) as other:
            await asyncio.gather(spend(stores), spend(other))
    totals = await stores.usage.totals(somebody, "live", now=utc_now())

    assert 700 <= granted <= 1_000
    assert totals.tokens_today >= granted


async def test_sessions_are_one_on_all(
    settings: Settings, credential: Credential, stores: Stores, somebody: PrincipalId
) -> None:
    """What one instance begins another knows, and a revocation ends it on both."""
    now = utc_now()
    template = session(secrets.token_hex(32))
    begun = replace(
        template,
        principal=replace(template.principal, id=somebody),
        created=now,
        last_seen=now,
        roles_checked=now,
        expires=now + timedelta(minutes=5),
    )
    async with open_stores(
        settings, outbound=Outbound.of(settings), credential=credential
    ) as other:
        with charged("a session, begun"):
            await stores.sessions.put(begun)
        with charged("a request's session"):
            known = await other.sessions.get(begun.id_hash)
        ended = await other.sessions.revoke(somebody)
        after = await stores.sessions.get(begun.id_hash)

    assert known is not None
    assert isinstance(known.principal, Principal)
    assert (known.principal.id, ended, after) == (somebody, 1, None)


async def test_the_audit_is_sealed(stores: Stores) -> None:
    """A chain of this process verifies under a seal that the vault's key signed."""
    for number in range(3):
        stores.audit.append(event(number, at=utc_now()))
    with charged("three audit records"):
        await stores.audit.flush()
    made = await seal(stores.audit, stores.seals, stores.signer)
    keys = await stores.signer.public_keys()
    report = await verify(stores.audit, stores.seals.all(keys))

    assert report.found == ()
    assert report.sealed >= 3
    assert made.number >= 1


async def test_what_lies_beside_the_seals_stays(settings: Settings, credential: Credential) -> None:
    """The container's policy refuses to delete and to write over what was put there."""
    blobs = AzureBlobs(
        settings.blob_url,
        settings.seals_container,
        credential=credential,
        outbound=Outbound.of(settings),
    )
    name = f"live-suite-{secrets.token_hex(8)}.txt"
    try:
        await blobs.put(name, b"kept")
        with pytest.raises(StoreError, match="immutable"):
            await blobs.delete(name)
        with pytest.raises(StoreError, match="immutable"):
            await blobs.put(name, b"changed", replace=True)
        assert await blobs.get(name) == b"kept"
    finally:
        await blobs.aclose()


async def test_every_deployment_answers(settings: Settings, credential: Credential) -> None:
    """Each deployment of the pool answers a short question, streamed."""
    if settings.model_source is not ModelSource.AZURE:
        pytest.skip("these settings name no accounts of Azure OpenAI")
    outbound = Outbound.of(settings)
    async with outbound.session() as http:
        model = model_of(settings, http, outbound=outbound, credential=credential)
        answered: dict[str, str] = {}
        for deployment in model.deployments:
            if Operation.CHAT_COMPLETIONS not in deployment.parameters.operations:
                continue
            asked = replace(request("Say yes.", stream=True), deployment=deployment.name)
            response = await model.open(asked)
            text = ""
            async for item in response.events():
                for choice in item.parsed.get("choices") or []:
                    text += (choice.get("delta") or {}).get("content") or ""
            await response.aclose()
            answered[deployment.name] = text
        await model.aclose()

    assert answered
    assert all(answered.values()), json.dumps(answered)


async def test_the_application_is_ready(settings: Settings) -> None:
    """The slot's web application serves: it says so to anybody who reaches it."""
    outbound = Outbound.of(settings)
    async with (
        outbound.session(settings.public_url) as http,
        http.get(
            f"{settings.public_url}/readyz", timeout=aiohttp.ClientTimeout(total=60)
        ) as answer,
    ):
        assert (answer.status, await answer.json()) == (200, {"status": "ready"})
