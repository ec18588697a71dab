"""Sessions in Cosmos DB."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest

from secure_openai.errors import StoreError
from secure_openai.store.cosmos import sessions
from secure_openai.store.cosmos.database import CosmosDatabase
from secure_openai.store.cosmos.sessions import BUCKET_SIZE, CosmosSessionStore
from secure_openai.testing.sessions_contract import (
    ANNA,
    BEN,
    NOW,
    SessionStoreContract,
    pending,
    session,
)
from secure_openai.types import JsonObject
from tests.cosmosdb.bridge import Bridge, Call, Fault
from tests.cosmosdb.faults import UNANSWERED, UNDONE, first


@pytest.fixture
def store(cosmos: CosmosDatabase) -> CosmosSessionStore:
    """Return the store under test, at the contract's time however long the tests have run."""
    return at_the_time(cosmos)


def at_the_time(cosmos: CosmosDatabase) -> CosmosSessionStore:
    """Return a store whose clock stands at the contract's time."""
    return CosmosSessionStore(cosmos, clock=lambda: NOW)


class TestCosmosSessionStore(SessionStoreContract):
    """The contract, on Cosmos DB."""


async def kept(cosmos: CosmosDatabase, kind: str) -> list[JsonObject]:
    """Return the items of a kind."""
    return await cosmos.container("sessions").query(
        "SELECT * FROM c WHERE c.kind = @kind", {"kind": kind}, limit=10_000
    )


async def test_unknown_members_survive(store: CosmosSessionStore, cosmos: CosmosDatabase) -> None:
    """Members that only a later program knows survive a touch and new roles."""
    await store.put(session())
    (item,) = await kept(cosmos, "session")
    later = {**item, "later": 1, "session": {**item["session"], "later": 2, "version": 7}}
    await cosmos.container("sessions").upsert(later)

    await store.touch("key", last_seen=NOW + timedelta(minutes=1))
    await store.update_roles("key", ANNA, roles_checked=NOW, refresh_token=None)

    (item,) = await kept(cosmos, "session")
    assert (item["later"], item["session"]["later"], item["session"]["version"]) == (1, 2, 7)


async def test_time_to_live(
    store: CosmosSessionStore, cosmos: CosmosDatabase, bridge: Bridge
) -> None:
    """Each item says itself when it may go: an hour after a session, with the last sign-in."""
    await store.put(session(hours=2))
    await store.touch("key", last_seen=NOW)
    await store.begin_sign_in(pending(minutes=10))

    def hours(number: float) -> None:
        bridge.now = lambda: time.time() + number * 3600

    hours(0.1)
    assert len(await kept(cosmos, "sign_ins")) == 1
    hours(0.2)
    assert await kept(cosmos, "sign_ins") == []
    hours(2.9)
    assert await store.get("key") is not None
    hours(3.1)
    assert await store.get("key") is None
    assert len(await kept(cosmos, "register")) == 1


async def test_begun_sign_ins_are_bounded(
    store: CosmosSessionStore, cosmos: CosmosDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beginning drops those that expired, then the oldest of too many, and never another's end."""
    monkeypatch.setattr(sessions, "BUCKETS", 2)
    await store.begin_sign_in(pending("old", minutes=-10))
    for number in range(3 * BUCKET_SIZE):
        await store.begin_sign_in(pending(str(number), minutes=10 + number))

    buckets = await kept(cosmos, "sign_ins")
    states = [state for bucket in buckets for state in bucket["pending"]]
    assert [len(bucket["pending"]) for bucket in buckets] == [BUCKET_SIZE] * 2
    assert "old" not in states
    for bucket in buckets:
        numbers = sorted(int(state) for state in bucket["pending"])
        here = [n for n in range(3 * BUCKET_SIZE) if _bucket(str(n)) == bucket["id"]]
        assert numbers == here[-BUCKET_SIZE:]


def _bucket(state: str) -> str:
    return sessions._bucket_key(state)


async def test_a_principals_sessions_are_bounded(
    store: CosmosSessionStore, cosmos: CosmosDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One session more than a principal may have ends the oldest, and none of another's."""
    monkeypatch.setattr(sessions, "MOST_SESSIONS", 3)
    await store.put(session("ben", principal=BEN))
    for number in range(5):
        await store.put(session(str(number), hours=12 + number))

    assert [await store.get(str(n)) is None for n in range(5)] == [True, True, False, False, False]
    assert await store.get("ben") is not None
    assert await store.revoke(ANNA.id) == 3


@pytest.mark.parametrize("held", [1, 2, 3], ids=["before", "stored", "named"])
async def test_revoked_while_it_is_put(
    store: CosmosSessionStore, bridge: Bridge, cosmos: CosmosDatabase, held: int
) -> None:
    """A revocation that is counted while a session is being put leaves no live session."""
    hold = asyncio.Event()
    bridge.calls.clear()
    bridge.fault = lambda _: Fault(until=hold) if len(bridge.calls) == held else None
    putting = asyncio.ensure_future(store.put(session()))
    while len(bridge.calls) < held:
        await asyncio.sleep(0.01)

    await at_the_time(cosmos).revoke(ANNA.id)
    hold.set()
    await putting

    # Held before anything was read, it is put after the revocation.
    assert (await store.get("key") is None) == (held > 1)
    assert await store.revoke(ANNA.id) == (0 if held > 1 else 1)


async def test_a_revocation_that_fails_half_way(store: CosmosSessionStore, bridge: Bridge) -> None:
    """What a revocation could not remove is removed by the next."""
    for number in range(5):
        await store.put(session(str(number)))
    deletions: list[Call] = []

    def plan(call: Call) -> Fault | None:
        if call.kind == "delete":
            deletions.append(call)
        return Fault(status=400) if call.kind == "delete" and len(deletions) > 2 else None

    bridge.fault = plan
    with pytest.raises(StoreError):
        await store.revoke(ANNA.id)
    bridge.fault = lambda _: None

    assert await store.revoke(ANNA.id) == 3
    assert [await store.get(str(number)) for number in range(5)] == [None] * 5


@pytest.mark.parametrize("fault", [UNANSWERED, UNDONE], ids=["unanswered", "undone"])
@pytest.mark.parametrize("call", ["begin", "put", "touch", "delete", "revoke"])
async def test_a_broken_connection(
    store: CosmosSessionStore, bridge: Bridge, call: str, fault: Fault
) -> None:
    """A write whose answer was lost is done, and a session that is gone stays so."""
    await store.put(session("there"))
    bridge.fault = first(fault)

    match call:
        case "begin":
            await store.begin_sign_in(pending())
            assert await store.take_sign_in("state", now=NOW) == pending()
        case "put":
            await store.put(session())
            assert await store.get("key") == session()
            assert await store.revoke(ANNA.id) == 2
        case "touch":
            await store.touch("there", last_seen=NOW + timedelta(minutes=1))
            assert (await store.get("there")).last_seen > NOW  # type: ignore[union-attr]
        case "delete":
            await store.delete("there")
            assert await store.get("there") is None
        case _:
            await store.revoke(ANNA.id)
            assert await store.get("there") is None


async def test_a_state_whose_taker_was_not_answered(
    store: CosmosSessionStore, bridge: Bridge
) -> None:
    """A state that may have been taken is given to nobody: the sign-in begins anew."""
    await store.begin_sign_in(pending())
    bridge.fault = first(UNANSWERED)

    assert await store.take_sign_in("state", now=NOW) is None
    assert await store.take_sign_in("state", now=NOW) is None

    await store.begin_sign_in(pending("undone"))
    bridge.fault = first(UNDONE)
    assert await store.take_sign_in("undone", now=NOW) == pending("undone")
