"""What whoever asks sees when Cosmos DB throttles, stalls, contradicts or is away."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from secure_openai.errors import (
    NotFound,
    OutcomeUnknown,
    PreconditionFailed,
    SecureOpenAIError,
    StorageFull,
    StoreError,
    TooLarge,
)
from secure_openai.outbound import Outbound
from secure_openai.store.cosmos import container as container_module
from secure_openai.store.cosmos import contention, database
from secure_openai.store.cosmos.container import Container, Create, Read
from secure_openai.store.cosmos.database import CosmosDatabase
from secure_openai.types import MessageStatus
from tests.cosmosdb.bridge import Bridge, Call, Fault
from tests.cosmosdb.estate import ACCOUNT, FixedCredential, make_certificate
from tests.cosmosdb.faults import UNDONE, always, every_second, first, throttled
from tests.store.cosmos.asking import ANNA, Asking, asking

OWNER = ANNA.id.key
ITEM = {"id": "one", "owner": OWNER}
EVERY = frozenset({"create", "read", "replace", "batch", "query", "delete", "upsert"})


@pytest.fixture
def container(cosmos: CosmosDatabase) -> Container:
    """Return a container."""
    return cosmos.container("conversations")


@pytest.fixture
async def desk(cosmos: CosmosDatabase, tmp_path: Path) -> AsyncIterator[Asking]:
    """Return where questions are asked."""
    async with asking(cosmos, tmp_path) as opened:
        yield opened


async def test_throttled_as_long_as_the_server_says(
    container: Container, bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that is throttled waits for the server's own figure, within a bound, and is done."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(container_module, "sleep", sleep)
    bridge.fault = first(throttled(1_150), number=2)
    await container.create(ITEM)
    bridge.fault = always(throttled(2_000))
    with pytest.raises(StoreError) as raised:
        await container.read("one", OWNER)

    assert waits == [1.15, 1.15, 2.0, 2.0]
    assert raised.value.retry_after == 2.0


async def test_no_credential(
    bridge: Bridge, database_name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Where no token can be had nothing is sent, and the log says no more than that."""

    class Refusing(FixedCredential):
        async def get_token(self, *_: str, **__: object) -> AccessToken:
            raise ClientAuthenticationError("secret reason")

    opened = CosmosDatabase(bridge.url, database_name, credential=Refusing())
    with pytest.raises(StoreError) as raised:
        await opened.container("conversations").create(ITEM)
    await opened.aclose()

    assert (type(raised.value), bridge.calls) == (StoreError, [])
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("fault", "error", "retry_after", "attempts"),
    [
        (throttled(60_000), StoreError, 60.0, 1),
        (Fault(status=403), StoreError, None, 1),
        (Fault(status=401), StoreError, None, 1),
        (Fault(status=404, headers={"x-ms-substatus": "1003"}), StoreError, None, 1),
        (Fault(status=403, headers={"x-ms-substatus": "1014"}), StorageFull, None, 1),
        (Fault(status=413), TooLarge, None, 1),
        (Fault(status=500), OutcomeUnknown, None, 1),
        (Fault(status=408), OutcomeUnknown, None, 1),
        (Fault(status=412), PreconditionFailed, None, 1),
        (Fault(status=404), NotFound, None, 1),
        (UNDONE, OutcomeUnknown, None, 1),
    ],
)
async def test_an_error_is_one_of_ours(
    container: Container,
    bridge: Bridge,
    fault: Fault,
    error: type[SecureOpenAIError],
    retry_after: float | None,
    attempts: int,
) -> None:
    """What the service says is translated, and a write that may have been done is not repeated."""
    bridge.fault = always(fault)
    with pytest.raises(SecureOpenAIError) as raised:
        await container.create(ITEM)

    assert type(raised.value) is error
    assert (raised.value.retry_after, len(bridge.calls)) == (retry_after, attempts)
    assert OWNER not in str(raised.value)


@pytest.mark.parametrize(
    "fault", [Fault(status=449), Fault(status=503), Fault(status=500), UNDONE, throttled(5)]
)
async def test_a_passing_fault(container: Container, bridge: Bridge, fault: Fault) -> None:
    """A read is tried again after any passing fault."""
    await container.create(ITEM)
    bridge.fault = first(fault, number=2, kinds=EVERY)
    assert await container.read("one", OWNER) is not None

    bridge.fault = first(fault, number=2, kinds=EVERY)
    assert await container.read_latest("one", OWNER) is not None
    bridge.fault = first(fault, number=2, kinds=EVERY)
    text = "SELECT * FROM c WHERE c.owner = @owner"
    assert len(await container.query(text, {"owner": OWNER}, partition=OWNER, limit=9)) == 1


async def test_throttled_inside_a_batch(container: Container, bridge: Bridge) -> None:
    """A batch that is throttled is tried again as a whole."""
    bridge.fault = first(throttled(5))

    await container.batch(OWNER, [Create(ITEM), Read("one")])
    assert [call.kind for call in bridge.calls] == ["batch"] * 2


async def test_no_answer(
    bridge: Bridge, database_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that nobody answers ends in time, and a write may have been done."""
    monkeypatch.setattr(database, "READ_SECONDS", 0.1)
    opened = CosmosDatabase(bridge.url, database_name, credential=FixedCredential())
    container = opened.container("conversations")
    await container.read("one", OWNER)
    bridge.fault = always(Fault(seconds=0.5, done=True, broken=True))

    with pytest.raises(OutcomeUnknown):
        await container.create(ITEM)
    monkeypatch.setattr(container_module, "CALL_SECONDS", 0.3)
    with pytest.raises(StoreError):
        await container.read("one", OWNER)
    bridge.fault = lambda _: None
    monkeypatch.undo()
    async with asyncio.timeout(60):
        while await container.read("one", OWNER) is None:
            await asyncio.sleep(0.05)
    await opened.aclose()


async def test_away_at_the_start(bridge: Bridge, database_name: str) -> None:
    """A database that is away when it is first asked is there as soon as it comes back."""
    opened = CosmosDatabase(bridge.url, database_name, credential=FixedCredential())
    container = opened.container("conversations")
    async with bridge.vanished():
        for _ in range(2):
            with pytest.raises(StoreError):
                await container.read("one", OWNER)

    assert await container.read("one", OWNER) is None
    await opened.aclose()


async def test_only_who_proves_itself(
    bridge: Bridge,
    database_name: str,
    certificate: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A server whose certificate nobody vouches for is asked nothing."""
    resolve = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *more, **others: resolve(
            "127.0.0.1" if host == ACCOUNT else host, *more, **others
        ),
    )
    bridge.url = bridge.url.replace("127.0.0.1", ACCOUNT)
    for trusted, asked in ((None, 0), (make_certificate(tmp_path), 0), (certificate, 1)):
        opened = CosmosDatabase(
            bridge.url,
            database_name,
            credential=FixedCredential(),
            outbound=Outbound(ca_bundle=trusted),
        )
        with suppress(StoreError):
            await opened.container("conversations").read("one", OWNER)
        assert len(bridge.calls) == asked
        await opened.aclose()


async def test_every_second_call_is_throttled(desk: Asking, bridge: Bridge) -> None:
    """While every second call is throttled, questions are answered, kept whole and charged once."""
    bridge.fault = every_second(throttled(2))
    conversation = await desk.conversations.create(ANNA.id, title="x")
    for number in range(5):
        _, finished = await desk.ask(conversation.id, f"Question {number}")
        assert finished.problem is None

    bridge.fault = lambda _: None
    messages = (await desk.conversations.messages(ANNA.id, conversation.id)).items
    assert [message.status for message in messages] == [MessageStatus.COMPLETE] * 10
    assert [message.text for message in messages[::2]] == [f"Question {n}" for n in range(5)]
    assert all(message.usage for message in messages[1::2])


async def test_contradicted_again_and_again(
    desk: Asking, bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A storm of conflicts is outlasted; one without an end is told, and nothing is half-stored."""
    conversation = await desk.conversations.create(ANNA.id, title="x")
    bridge.fault = first(Fault(status=412), number=12)
    assert (await desk.ask(conversation.id, "Hello"))[1].problem is None

    monkeypatch.setattr(contention, "ATTEMPTS", 4)
    bridge.fault = first(Fault(status=412), number=1_000_000)
    with pytest.raises(StoreError) as raised:
        await desk.ask(conversation.id, "Again")
    assert raised.value.retry_after == 1.0
    bridge.fault = lambda _: None
    assert len((await desk.conversations.messages(ANNA.id, conversation.id)).items) == 2


async def test_vanishes_and_returns(desk: Asking, bridge: Bridge) -> None:
    """While the store is away a question is refused with a sentence; afterwards all is there."""
    conversation = await desk.conversations.create(ANNA.id, title="x")
    await desk.ask(conversation.id, "before")
    async with bridge.vanished():
        for _ in range(3):
            with pytest.raises(StoreError) as raised:
                await desk.ask(conversation.id, "while away")
            assert raised.value.http_status == 503
    await desk.ask(conversation.id, "after")

    messages = (await desk.conversations.messages(ANNA.id, conversation.id)).items
    assert [message.text for message in messages[::2]] == ["before", "after"]


async def test_vanishes_after_the_question(desk: Asking, bridge: Bridge) -> None:
    """What was typed is kept when the store goes away while the model answers."""
    conversation = await desk.conversations.create(ANNA.id, title="x")
    batches: list[Call] = []

    def plan(call: Call) -> Fault | None:
        if call.kind == "batch":
            batches.append(call)
        return Fault(status=503) if len(batches) > 1 or (batches and call.kind == "read") else None

    bridge.fault = plan
    begun, finished = await desk.ask(conversation.id, "typed")
    bridge.fault = lambda _: None

    assert isinstance(finished.problem, StoreError)
    question, answer = (await desk.conversations.messages(ANNA.id, conversation.id)).items
    assert (question.text, question) == ("typed", begun.question)
    assert answer.lease_expires is not None
    assert answer.status_at(answer.lease_expires) is MessageStatus.INTERRUPTED
