"""Sessions and pending sign-ins in Cosmos DB.

A *session* is an item under the hash of its cookie; its time-to-live removes it some time after its
end, which whoever reads it checks too. A principal's sessions are named in a *register*, one item a
principal, with a count of its revocations:

- *put* reads the register, stores the session, and names it in the register, by a conditional
  write. If a revocation was counted in between, the session is removed again.
- *revoke* counts itself in the register first, by a conditional write, and then removes every
  session that the register names.

So a session whose `put` had returned before `revoke` was called is gone when `revoke` returns, and
one whose `put` was still under way when the revocation was counted is not left behind. A process
that dies inside `put` may leave a session that no register names: nobody was ever given its
cookie, and its time-to-live ends it. A revocation that fails half-way names what is left: revoke
again.

Sign-ins under way lie in a fixed number of *buckets* of a fixed size, so that whoever only begins
sign-ins fills nothing but those. A state is taken by the conditional write that removes it: once.
"""

from __future__ import annotations

import asyncio
import hashlib
import zlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from secure_openai.errors import AlreadyStored, NotFound, PreconditionFailed
from secure_openai.store.cosmos.container import ETAG
from secure_openai.store.cosmos.contention import contended, until_decided
from secure_openai.store.cosmos.database import CosmosDatabase
from secure_openai.store.documents import VERSION, merged, time_of, time_text
from secure_openai.store.session_documents import (
    session_document,
    session_of,
    sign_in_document,
    sign_in_of,
)
from secure_openai.store.sessions import PendingSignIn, Session
from secure_openai.types import Clock, JsonObject, Principal, PrincipalId, utc_now

BUCKETS = 1_000
BUCKET_SIZE = 10
"""Sign-ins under way that are remembered at once: 10,000 in all. In a full bucket the oldest gives
way, as it would in a full list."""

MOST_SESSIONS = 200
"""Sessions that a principal has at once; another one ends the oldest."""

GRACE_SECONDS = 3_600
"""How much longer an ended session stays, so that its owner can be told that it has ended."""

REGISTER_SECONDS = 86_400
"""How much longer a register stays than the sessions that it names."""

PURGED_AT_ONCE = 100

ENDED = (
    "SELECT c.id, c._etag FROM c WHERE c.kind = 'session'"
    " AND (c.expires <= @now OR c.last_seen < @idle_since)"
)


class CosmosSessionStore:
    """Implements `SessionStore`."""

    def __init__(self, database: CosmosDatabase, *, clock: Clock = utc_now) -> None:
        self._container = database.container("sessions")
        self._clock = clock

    async def begin_sign_in(self, pending: PendingSignIn) -> None:
        """Remember a pending sign-in."""
        key = _bucket_key(pending.state_hash)
        document = {**sign_in_document(pending), "expires": time_text(pending.expires)}

        async def attempt() -> None:
            bucket = await self._container.read_latest(key, key)
            under_way = self._not_expired((bucket or {}).get("pending", {}))
            under_way.pop(pending.state_hash, None)
            while len(under_way) >= BUCKET_SIZE:
                under_way.pop(min(under_way, key=lambda state: str(under_way[state]["expires"])))
            await self._write_bucket(key, bucket, {**under_way, pending.state_hash: document})

        await until_decided(attempt)

    async def take_sign_in(self, state_hash: str, *, now: datetime) -> PendingSignIn | None:
        """Return a pending sign-in and forget it, in one step."""
        key = _bucket_key(state_hash)

        async def attempt() -> PendingSignIn | None:
            bucket = await self._container.read_latest(key, key)
            under_way = dict((bucket or {}).get("pending", {}))
            document = under_way.pop(state_hash, None)
            if document is None:
                # Also where an attempt before has removed it and nobody said so: who cannot be
                # sure of having taken it has not, and the sign-in begins anew.
                return None
            await self._write_bucket(key, bucket, self._not_expired(under_way))
            expires = datetime.fromisoformat(document["expires"])
            return None if expires <= now else sign_in_of(state_hash, expires, document)

        return await until_decided(attempt)

    def _not_expired(self, under_way: JsonObject) -> JsonObject:
        now = self._clock()
        return {
            state: document
            for state, document in under_way.items()
            if datetime.fromisoformat(document["expires"]) > now
        }

    async def _write_bucket(
        self, key: str, bucket: JsonObject | None, under_way: JsonObject
    ) -> None:
        last = max(
            (datetime.fromisoformat(one["expires"]) for one in under_way.values()),
            default=self._clock(),
        )
        item = {
            **(bucket or {"id": key, "kind": "sign_ins", "version": VERSION}),
            "pending": under_way,
            "ttl": self._seconds_until(last) + 1,
        }
        with contended(AlreadyStored, NotFound):
            if bucket is None:
                await self._container.create(item)
            else:
                await self._container.replace(item, etag=bucket[ETAG])

    async def put(self, session: Session) -> None:
        """Store a session under its `id_hash`."""
        owner = session.principal.id
        begun: JsonObject | None = await self._register(owner)
        revocations = (begun or {})["revocations"]
        await self._container.upsert(self._item(session))

        async def attempt() -> bool:
            nonlocal begun
            register, begun = begun or await self._register(owner), None
            if register["revocations"] != revocations:
                return False
            if session.id_hash not in register["sessions"]:
                named, dropped = self._named(register, session)
                await asyncio.gather(*(self.delete(id_hash) for id_hash in dropped))
                await self._write_register(register, named)
            return True

        if not await until_decided(attempt):
            await self.delete(session.id_hash)

    def _item(self, session: Session) -> JsonObject:
        return {
            "id": _session_key(session.id_hash),
            "kind": "session",
            "principal": session.principal.id.key,
            "session": session_document(session),
            **self._ends(session),
        }

    def _ends(self, session: Session) -> JsonObject:
        """Return the members of a session's item that say when it goes."""
        return {
            "last_seen": time_text(session.last_seen),
            "expires": time_text(session.expires),
            "ttl": self._seconds_until(session.expires) + GRACE_SECONDS,
        }

    def _seconds_until(self, end: datetime) -> int:
        return max(0, int((end - self._clock()).total_seconds()))

    async def _register(self, owner: PrincipalId) -> JsonObject:
        """Return a principal's register; one without an etag if there is none yet."""
        key = _register_key(owner)
        blank = {
            "id": key,
            "kind": "register",
            "principal": owner.key,
            "version": VERSION,
            "revocations": 0,
            "sessions": {},
        }
        return await self._container.read_latest(key, key) or blank

    def _named(self, register: JsonObject, session: Session) -> tuple[JsonObject, list[str]]:
        """Return what the register names once it names a session too, and what gives way to it."""
        now = str(time_text(self._clock()))
        named = {key: ends for key, ends in register["sessions"].items() if ends > now}
        named[session.id_hash] = time_text(session.expires)
        dropped = sorted(named, key=lambda key: str(named[key]))[:-MOST_SESSIONS]
        return {key: ends for key, ends in named.items() if key not in dropped}, dropped

    async def _write_register(
        self, register: JsonObject, named: JsonObject, *, revoked: int = 0
    ) -> None:
        last = max((time_of(ends) or self._clock() for ends in named.values()), default=None)
        item = {
            **register,
            "sessions": named,
            "revocations": register["revocations"] + revoked,
            "ttl": self._seconds_until(last or self._clock()) + REGISTER_SECONDS,
        }
        with contended(AlreadyStored, NotFound):
            if ETAG in register:
                await self._container.replace(item, etag=register[ETAG])
            else:
                await self._container.create(item)

    async def get(self, id_hash: str) -> Session | None:
        """Return the session, expired or not, or `None`."""
        key = _session_key(id_hash)
        item = await self._container.read_latest(key, key)
        return None if item is None else session_of(id_hash, item["session"])

    async def touch(self, id_hash: str, *, last_seen: datetime) -> None:
        """Record use."""
        await self._change(id_hash, last_seen=last_seen)

    async def update_roles(
        self,
        id_hash: str,
        principal: Principal,
        *,
        roles_checked: datetime,
        refresh_token: str | None,
    ) -> bool:
        """Record what the identity provider confirmed; return whether the session was there."""
        return await self._change(
            id_hash,
            principal=principal,
            roles_checked=roles_checked,
            refresh_token=refresh_token,
        )

    async def _change(self, id_hash: str, **members: object) -> bool:
        """Write members of a session; one that is gone does not come back."""
        key = _session_key(id_hash)

        async def attempt() -> bool:
            item = await self._container.read_latest(key, key)
            if item is None:
                return False
            session: Session = replace(session_of(id_hash, item["session"]), **members)  # type: ignore[arg-type]
            document = merged(item["session"], session_document(session))
            try:
                with contended():
                    await self._container.replace(
                        {**item, "session": document, **self._ends(session)}, etag=item[ETAG]
                    )
            except NotFound:
                return False
            return True

        return await until_decided(attempt)

    async def delete(self, id_hash: str) -> None:
        """End a session."""
        await self._removed(_session_key(id_hash))

    async def _removed(self, key: str, etag: str | None = None) -> bool:
        """Remove an item; return whether it was there, and as it was read."""
        try:
            await self._container.delete(key, key, etag=etag)
        except (NotFound, PreconditionFailed):
            return False
        return True

    async def revoke(self, principal: PrincipalId) -> int:
        """End every session of a principal at once."""

        async def count() -> list[str]:
            register = await self._register(principal)
            await self._write_register(register, register["sessions"], revoked=1)
            return list(register["sessions"])

        revoked = await until_decided(count)
        removed = await asyncio.gather(*(self._removed(_session_key(one)) for one in revoked))

        async def unname() -> None:
            register = await self._register(principal)
            named = {key: ends for key, ends in register["sessions"].items() if key not in revoked}
            if named != register["sessions"]:
                await self._write_register(register, named)

        await until_decided(unname)
        return sum(removed)

    async def of(self, principal: PrincipalId) -> Sequence[Session]:
        """Return a principal's sessions, oldest first."""
        register = await self._register(principal)
        named = await asyncio.gather(*(self.get(id_hash) for id_hash in register["sessions"]))
        return sorted(
            (session for session in named if session is not None),
            key=lambda session: session.created,
        )

    async def purge(self, *, now: datetime, idle_since: datetime) -> int:
        """Drop what has ended; of sign-ins, the time-to-live does."""
        count = 0
        while True:
            ended = await self._container.query(
                ENDED,
                {"now": time_text(now), "idle_since": time_text(idle_since)},
                limit=PURGED_AT_ONCE,
            )
            # One that was used since it was found is not removed.
            removed = await asyncio.gather(
                *(self._removed(item["id"], item[ETAG]) for item in ended)
            )
            count += sum(removed)
            if not any(removed):
                return count


def _session_key(id_hash: str) -> str:
    return f"session.{id_hash}"


def _register_key(owner: PrincipalId) -> str:
    # A principal's key holds a slash, which an id may not.
    return f"register.{hashlib.sha256(owner.key.encode()).hexdigest()}"


def _bucket_key(state_hash: str) -> str:
    return f"sign_ins.{zlib.crc32(state_hash.encode()) % BUCKETS}"
