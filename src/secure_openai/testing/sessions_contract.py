"""What every `SessionStore` promises; subclass it and provide the fixture `store`."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

from secure_openai.store.sessions import PendingSignIn, Session, SessionStore
from secure_openai.types import Principal, PrincipalId, PrincipalKind, utc_now

NOW = utc_now().replace(microsecond=0)
ANNA = Principal(
    PrincipalId("tenant", "anna"),
    PrincipalKind.PERSON,
    frozenset({"user"}),
    name="Anna",
    username="anna@example.com",
    client_id="client",
)
BEN = replace(ANNA, id=PrincipalId("tenant", "ben"))


def pending(state: str = "state", *, minutes: float = 10) -> PendingSignIn:
    """Return a pending sign-in that ends in `minutes`."""
    return PendingSignIn(
        state, "browser", "nonce", "verifier", "/chat", NOW + timedelta(minutes=minutes)
    )


def session(key: str = "key", *, principal: Principal = ANNA, hours: float = 12) -> Session:
    """Return a session that ends in `hours`."""
    return Session(
        id_hash=key,
        principal=principal,
        created=NOW,
        last_seen=NOW,
        expires=NOW + timedelta(hours=hours),
        roles_checked=NOW,
        refresh_token="refresh",  # noqa: S106 - no secret
    )


class SessionStoreContract:
    """The promises of `SessionStore`."""

    async def test_unknown_state(self, store: SessionStore) -> None:
        """A state that was never given out is answered with nothing."""
        await store.begin_sign_in(pending("known"))

        assert await store.take_sign_in("invented", now=NOW) is None

    async def test_state_works_once(self, store: SessionStore) -> None:
        """Of fifty takers of one state at once, exactly one gets it."""
        await store.begin_sign_in(pending())

        taken = await asyncio.gather(*(store.take_sign_in("state", now=NOW) for _ in range(50)))

        assert [item for item in taken if item is not None] == [pending()]
        assert await store.take_sign_in("state", now=NOW) is None

    async def test_expired_state(self, store: SessionStore) -> None:
        """A sign-in that took too long is refused, and is gone."""
        await store.begin_sign_in(pending())

        assert await store.take_sign_in("state", now=NOW + timedelta(minutes=10)) is None
        assert await store.take_sign_in("state", now=NOW) is None

    async def test_several_pending(self, store: SessionStore) -> None:
        """Two tabs of one browser can sign in at once."""
        await store.begin_sign_in(pending("one"))
        await store.begin_sign_in(pending("two"))

        assert await store.take_sign_in("one", now=NOW) == pending("one")
        assert await store.take_sign_in("two", now=NOW) == pending("two")

    async def test_session_comes_back(self, store: SessionStore) -> None:
        """A session comes back as it was put, and is unknown under any other key."""
        await store.put(session())

        assert await store.get("key") == session()
        assert await store.get("KEY") is None

    async def test_expired_session_is_returned(self, store: SessionStore) -> None:
        """An expired session is returned: whoever asks decides and can say so."""
        old = session(hours=-1)
        await store.put(old)

        assert await store.get("key") == old

    async def test_touch(self, store: SessionStore) -> None:
        """Touching records the time and nothing else."""
        later = NOW + timedelta(minutes=5)
        await store.put(session())
        await store.touch("key", last_seen=later)

        assert await store.get("key") == replace(session(), last_seen=later)

    async def test_update_roles(self, store: SessionStore) -> None:
        """What the identity provider confirmed replaces what was believed."""
        later = NOW + timedelta(minutes=60)
        anna = replace(ANNA, roles=frozenset({"admin", "user"}), name=None)
        await store.put(session())
        await store.update_roles("key", anna, roles_checked=later, refresh_token=None)

        assert await store.get("key") == replace(
            session(), principal=anna, roles_checked=later, refresh_token=None
        )

    async def test_revoked_stays_revoked(self, store: SessionStore) -> None:
        """Neither a touch nor new roles bring a revoked session back."""
        await store.put(session("one"))
        await store.put(session("two"))
        await store.put(session("ben", principal=BEN))

        assert await store.revoke(ANNA.id) == 2
        await store.touch("one", last_seen=NOW)
        await store.update_roles("two", ANNA, roles_checked=NOW, refresh_token=None)

        assert [await store.get(key) for key in ("one", "two")] == [None, None]
        assert await store.get("ben") == session("ben", principal=BEN)
        assert await store.revoke(ANNA.id) == 0

    async def test_revoke_in_a_crowd(self, store: SessionStore) -> None:
        """A session revoked while others touch it is gone afterwards."""
        await store.put(session())
        await asyncio.gather(
            *(store.touch("key", last_seen=NOW + timedelta(seconds=n)) for n in range(20)),
            store.revoke(ANNA.id),
            *(
                store.update_roles("key", ANNA, roles_checked=NOW, refresh_token=None)
                for _ in range(20)
            ),
        )

        assert await store.get("key") is None

    async def test_delete(self, store: SessionStore) -> None:
        """A session ends once; ending it twice is no error and touches no other."""
        await store.put(session("one"))
        await store.put(session("two"))
        await store.delete("one")
        await store.delete("one")

        assert await store.get("one") is None
        assert await store.get("two") == session("two")

    async def test_purge(self, store: SessionStore) -> None:
        """Purging drops sessions past their end or unused for too long, and keeps the others."""
        await store.put(session("alive"))
        await store.put(session("ended", hours=-1))
        await store.put(replace(session("idle"), last_seen=NOW - timedelta(hours=2)))

        assert await store.purge(now=NOW, idle_since=NOW - timedelta(hours=1)) == 2
        assert [await store.get(key) for key in ("ended", "idle")] == [None, None]
        assert await store.get("alive") == session("alive")

    async def test_of(self, store: SessionStore) -> None:
        """A principal's sessions are listed, nobody else's, and none that has been ended."""
        mine = [session("one"), replace(session("two"), created=NOW + timedelta(seconds=1))]
        for one in (*mine, session("his", principal=BEN), session("ended")):
            await store.put(one)
        await store.delete("ended")

        assert list(await store.of(ANNA.id)) == mine
        await store.revoke(ANNA.id)
        assert list(await store.of(ANNA.id)) == []
        assert [one.id_hash for one in await store.of(BEN.id)] == ["his"]
