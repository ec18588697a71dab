"""Usage in SQLite: what is reserved and settled at the same time is one transaction."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import lru_cache

from secure_openai.errors import Refused, StoreError
from secure_openai.fresh_ids import fresh_id
from secure_openai.store.continuation import token, values_of
from secure_openai.store.quota import DAYS_KEPT, Windows
from secure_openai.store.sqlite.changes import Giving, Renewing, Taking, key_of
from secure_openai.store.sqlite.database import Database
from secure_openai.store.sqlite.reservations import Reservations
from secure_openai.store.sqlite.usage_reading import COLUMNS, DAYS, day_of, days_of, totals_of
from secure_openai.store.usage import Reservation, UsageDay, UsageTotals
from secure_openai.types import Decision, Limits, Page, PrincipalId, ReservationId, Usage


class SqliteUsageStore:
    """Implements `UsageStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reservations = Reservations(database)
        self._purged = ""

    async def reserve(
        self,
        principal: PrincipalId,
        deployment: str,
        *,
        tokens: int,
        limits: Limits,
        now: datetime,
        lifetime: float,
    ) -> Reservation:
        """Set quota aside, or refuse."""
        seconds = now.timestamp()
        windows = Windows.at(seconds)
        if self._purged != windows.day:
            await self._purge(now)
        key, identifier = key_of(principal, deployment), ReservationId(fresh_id())
        decided = await self._reservations.take(
            Taking(key, identifier, tokens, limits, windows, seconds, seconds + lifetime)
        )
        if isinstance(decided, Decision):
            raise Refused(decided)
        expires = now + _lasting(lifetime)
        return Reservation(identifier, principal, deployment, tokens, now, expires, decided)

    async def _purge(self, now: datetime) -> None:
        """Drop what is too old, once in a day."""
        self._purged = Windows.of(now).day
        yesterday = Windows.of(now - timedelta(days=1)).day
        oldest = Windows.of(now - timedelta(days=DAYS_KEPT)).day

        def work(connection: sqlite3.Connection) -> None:
            # An expired reservation counts no more, but is kept a day: its answer may yet be
            # settled.
            connection.execute(
                "DELETE FROM reservation WHERE expires <= ?",
                ((now - timedelta(days=1)).timestamp(),),
            )
            connection.execute("DELETE FROM usage_total WHERE day < ?", (oldest,))
            # What a program before counts stands in the totals too: it needs its own day's alone.
            connection.execute("DELETE FROM usage_day WHERE day < ?", (yesterday,))
            connection.execute("DELETE FROM usage_window WHERE starts < ?", (yesterday,))

        await self._reservations.alone(work)

    async def aclose(self) -> None:
        """Leave tables that say everything, if they can be written."""
        await self._reservations.aclose()

    async def _fold(self) -> None:
        """Let the tables say everything, if they can be written."""
        with suppress(StoreError):
            await self._reservations.alone(lambda _: None)

    async def renew(self, reservation: Reservation, *, expires: datetime) -> None:
        """Keep a reservation alive for longer; nothing happens if it is gone."""
        await self._reservations.give(Renewing.until(expires, reservation))

    def settle(self, reservation: Reservation, usage: Usage) -> asyncio.Future[None]:
        """Put what was used in the place of what was reserved, in the windows of `made`."""
        return self._reservations.give(Giving.back(reservation, usage))

    def release(self, reservation: Reservation) -> asyncio.Future[None]:
        """Give the tokens back: the model did no work."""
        return self._reservations.give(Giving.back(reservation, None))

    async def totals(
        self, principal: PrincipalId, deployment: str, *, now: datetime
    ) -> UsageTotals:
        """Return what counts at `now`."""
        key, windows = key_of(principal, deployment), Windows.of(now)
        await self._reservations.written()
        return await self._database.read(
            lambda connection: totals_of(connection, key, windows, now)
        )

    async def of(self, principal: PrincipalId) -> Sequence[UsageDay]:
        """Return what a principal used, by day and deployment."""
        await self._reservations.written()
        return await self._database.read(lambda connection: days_of(connection, principal))

    async def roll_up(self, *, now: datetime) -> int:  # noqa: ARG002 - the interface's
        """Bring nothing up to date but the tables: the totals are kept with each fold."""
        return await self._reservations.alone(lambda _: 0)

    async def day(
        self, day: str, *, limit: int = 100, continuation: str | None = None
    ) -> Page[UsageDay]:
        """Return the totals of a UTC day, by principal and deployment."""
        if continuation is None:
            # As much of what came after the last roll-up as the disk lets us add.
            await self._fold()
        place = ("usage", day)
        after = values_of(continuation, place, _plausible) or ("", "")
        rows = await self._database.read(
            lambda connection: connection.execute(
                f"SELECT {COLUMNS} FROM usage_total WHERE day = ? AND (owner, deployment) > (?, ?)"
                " ORDER BY owner, deployment LIMIT ?",
                (day, *after, limit + 1),
            ).fetchall()
        )
        items = [day_of(row) for row in rows[:limit]]
        return Page(items, token(place, rows[limit - 1][:2]) if len(rows) > limit else None)

    async def erase(self, principal: PrincipalId, *, until: str) -> int:
        """Drop what is counted of a principal's days up to `until`."""

        def work(connection: sqlite3.Connection) -> int:
            key = (principal.key, until)
            days = (
                f"DELETE FROM usage_total WHERE (day, owner, deployment) IN ({DAYS} SELECT"
                " day, owner, deployment FROM days CROSS JOIN usage_total USING (day)"
                " WHERE owner = ? AND day <= ?)"
            )
            held = "DELETE FROM reservation WHERE owner = ? AND day <= ?"
            erased = sum(connection.execute(one, key).rowcount for one in (days, held))
            # What a program before has counted of them stands in the totals too.
            connection.execute("DELETE FROM usage_day WHERE owner = ? AND day <= ?", key)
            connection.execute(
                "DELETE FROM usage_window WHERE owner = ? AND substr(starts, 1, 10) <= ?", key
            )
            return erased

        return await self._reservations.alone(work)


@lru_cache(maxsize=16)
def _lasting(seconds: float) -> timedelta:
    """Return a time that many reservations last."""
    return timedelta(seconds=seconds)


def _plausible(values: list[object]) -> bool:
    """Return whether a page of totals could end so: at an owner and a deployment."""
    return [type(value) for value in values] == [str, str]
