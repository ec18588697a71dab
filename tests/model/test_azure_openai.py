"""Azure OpenAI in both styles of address passes the contract, by our identity alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import openai
import pytest
from joserfc.jwk import RSAKey

from secure_openai.credential import credential_of
from secure_openai.credential_settings import CredentialSettings
from secure_openai.errors import CredentialMissing, CredentialUnavailable, DeploymentMissing
from secure_openai.model.azure_openai import AzureOpenAIModel
from secure_openai.model.interface import Model
from secure_openai.model.pool import Member, Pool
from secure_openai.model.scripted_server import DATED, Served, scripted_model_app
from secure_openai.outbound import Outbound
from secure_openai.testing.managed_identity import ManagedIdentity
from secure_openai.testing.model_contract import (
    ModelContract,
    all_events,
    embeddings_request,
    request,
    response_request,
    whole,
)
from secure_openai.types import CircuitState, Deployment, JsonObject
from tests.servers import listening, port_of, served

BEARER = "Bearer ours"


async def ours() -> str:
    """Return the credential."""
    return BEARER


@dataclass(frozen=True)
class Account:
    """A running account."""

    url: str
    served: Served


@pytest.fixture
async def account() -> AsyncIterator[Account]:
    """An account that takes our credential only."""
    bound = listening()
    app = scripted_model_app()
    app.state.served.bearer = BEARER
    async with served(app, bound):
        yield Account(f"http://127.0.0.1:{port_of(bound)}", app.state.served)


def model_at(account: Account, session: aiohttp.ClientSession, **more: Any) -> AzureOpenAIModel:
    """Return the adapter."""
    return AzureOpenAIModel(
        account.url + "/",
        [Deployment("scripted", "gpt-5.2")],
        session=session,
        **{"authorization": ours, **more},
    )


class TestCurrentStyle(ModelContract):
    """`/openai/v1/…`."""

    @pytest.fixture
    async def model(self, account: Account) -> AsyncIterator[Model]:
        """Return the adapter."""
        async with aiohttp.ClientSession() as session:
            yield model_at(account, session)


class TestDatedStyle(ModelContract):
    """`/openai/deployments/{name}/…?api-version=`."""

    @pytest.fixture
    async def model(self, account: Account) -> AsyncIterator[Model]:
        """Return the adapter."""
        async with aiohttp.ClientSession() as session:
            yield model_at(account, session, api_version=DATED)


async def ask_everything(model: Model) -> None:
    """Ask each operation once."""
    await all_events(model, "hello")
    await whole(model, response_request("hello", stream=False, store=True))
    await whole(model, embeddings_request("hello"))


@pytest.mark.parametrize(
    ("version", "paths", "named"),
    [
        (
            "",
            ["/openai/v1/chat/completions", "/openai/v1/responses", "/openai/v1/embeddings"],
            [True, True, True],
        ),
        (
            DATED,
            [
                f"/openai/deployments/scripted/chat/completions?api-version={DATED}",
                f"/openai/responses?api-version={DATED}",
                f"/openai/deployments/scripted/embeddings?api-version={DATED}",
            ],
            [False, True, False],
        ),
    ],
)
async def test_nothing_of_ours_goes_along(
    account: Account, version: str, paths: list[str], named: list[bool]
) -> None:
    """Address, headers and body are exactly these; nothing is kept there; who asks is not said."""
    async with aiohttp.ClientSession() as session:
        await ask_everything(model_at(account, session, api_version=version))
    seen = account.served.requests

    assert [one.path for one in seen] == paths
    assert [one.body.get("model") for one in seen] == ["scripted" if has else None for has in named]
    # An older version refuses the very word in a chat completion, and stores none.
    assert [one.body.get("store") for one in seen] == [None if version else False, False, None]
    for one in seen:
        assert {*one.headers} == {
            "accept",
            "accept-encoding",
            "authorization",
            "content-length",
            "content-type",
            "host",
            "user-agent",
            "x-ms-client-request-id",
        }
        assert one.headers["authorization"] == BEARER
        assert one.headers["x-ms-client-request-id"] == "test"
        assert one.headers["user-agent"] == "azure-secure-openai"


async def test_a_retired_model_names_its_successor(account: Account) -> None:
    """The table of models says what to deploy instead."""
    async with aiohttp.ClientSession() as session:
        with pytest.raises(DeploymentMissing, match=r"deploy gpt-5\.4 and"):
            await model_at(account, session).open(request("retired"))


async def test_an_address_that_is_none_is_told(account: Account) -> None:
    """A version that the account does not know is the settings' fault, and says so."""
    async with aiohttp.ClientSession() as session:
        model = model_at(account, session, api_version="1999-01-01")
        with pytest.raises(DeploymentMissing, match="API version"):
            await model.open(request("hello"))


async def test_without_a_credential_nothing_is_sent(account: Account) -> None:
    """Where Azure gives us no token nobody is ready, and nothing is held against the accounts."""

    async def none() -> str:
        raise CredentialUnavailable("Azure gives no token to our managed identity.")

    async def foreign() -> str:
        return "Bearer somebody else's"

    async with aiohttp.ClientSession() as session:
        model = model_at(account, session, authorization=none)
        pool = Pool([Member("a", 0, model), Member("b", 0, model)])
        for _ in range(5):
            with pytest.raises(CredentialMissing, match="no token"):
                await pool.open(request("hello"))
        assert {one.state for one in pool.health()} == {CircuitState.CLOSED}
        assert not await pool.ready()
        assert not account.served.requests
        assert not await model_at(account, session, authorization=foreign).ready()


async def test_the_identity_of_the_host_is_what_is_sent(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token that App Service's endpoint gives for Azure OpenAI reaches the account."""
    identity, bound = ManagedIdentity(RSAKey.generate_key(2048, {"kid": "k"})), listening()
    for name, value in identity.environment(f"http://127.0.0.1:{port_of(bound)}").items():
        monkeypatch.setenv(name, value)
    settings = CredentialSettings.load()
    account.served.bearer = None
    async with served(identity.app(), bound), Outbound.of(settings).session() as session:
        credential = credential_of(settings, Outbound.of(settings))

        async def bearer() -> str:
            return await credential.bearer(settings.cloud_facts.model_scope)

        model = model_at(account, session, authorization=bearer)
        await all_events(model, "hello")
        expected = await bearer()
        await credential.close()

    assert identity.asked == ["https://cognitiveservices.azure.com"]
    assert account.served.requests[0].headers["authorization"] == expected


HELLO: list[Any] = [{"role": "user", "content": "hello there"}]


@pytest.mark.parametrize("dated", [False, True])
async def test_the_server_speaks_as_azure_does(account: Account, dated: bool) -> None:
    """OpenAI's own package reads every answer of the stand-in, in both styles."""
    token = BEARER.removeprefix("Bearer ")
    sdk: openai.AsyncOpenAI = (
        openai.AsyncAzureOpenAI(
            azure_endpoint=account.url, azure_ad_token=token, api_version=DATED, max_retries=0
        )
        if dated
        else openai.AsyncOpenAI(base_url=f"{account.url}/openai/v1", api_key=token, max_retries=0)
    )
    async with sdk:
        chat = await sdk.chat.completions.create(model="scripted", messages=HELLO)
        stream = await sdk.chat.completions.create(model="scripted", messages=HELLO, stream=True)
        chunks = [chunk async for chunk in stream]
        response = await sdk.responses.create(model="scripted", input="hello there")
        streamed = await sdk.responses.create(model="scripted", input="hello there", stream=True)
        events = [event async for event in streamed]
        vectors = await sdk.embeddings.create(model="scripted", input=["one", "three"])
        censored = await sdk.responses.create(model="scripted", input="censor 2")
        with pytest.raises(openai.BadRequestError) as blocked:
            await sdk.chat.completions.create(
                model="scripted", messages=[{"role": "user", "content": "filter"}]
            )

    said = "You said: hello there"
    assert chat.choices[0].message.content == said
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == said
    assert response.output_text == said
    assert events[-1].type == "response.completed"
    assert events[-1].response.output_text == said
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert [round(one, 2) for one in vectors.data[1].embedding][:2] == [0.05, 0.06]
    assert censored.incomplete_details is not None
    assert censored.incomplete_details.reason == "content_filter"
    error: JsonObject = dict(blocked.value.body)  # type: ignore[call-overload]
    assert error["innererror"]["content_filter_result"]["jailbreak"]["filtered"] is True
