"""Usage in SQLite: a reservation is one transaction on the only writer."""

from __future__ import annotations

import secrets
import sqlite3
from dataclasses import replace
from datetime import datetime, timedelta

from secure_openai.errors import Refused
from secure_openai.store.quota import DAYS_KEPT, Windows, refusal_of, standing_of, with_request
from secure_openai.store.sqlite.database import Database
from secure_openai.store.usage import Reservation, UsageTotals
from secure_openai.types import Decision, Limits, PrincipalId, ReservationId, Usage


class SqliteUsageStore:
    """Implements `UsageStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database
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
        windows = Windows.of(now)
        reservation = Reservation(
            id=ReservationId(secrets.token_hex(16)),
            principal=principal,
            deployment=deployment,
            tokens=tokens,
            made=now,
            expires=now + timedelta(seconds=lifetime),
        )

        def work(connection: sqlite3.Connection) -> Decision | UsageTotals:
            self._purge(connection, windows, now)
            totals = _totals(connection, principal, deployment, windows, now)
            refusal = refusal_of(totals, tokens, limits, now)
            if refusal is not None:
                # Returned and not raised: raising would undo the purge.
                return refusal
            for starts in (windows.minute, windows.day):
                connection.execute(
                    "INSERT INTO usage_window VALUES (?, ?, ?, 1, 0) ON CONFLICT"
                    " DO UPDATE SET requests = requests + 1",
                    (principal.key, deployment, starts),
                )
            connection.execute(
                "INSERT INTO reservation VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    reservation.id,
                    principal.key,
                    deployment,
                    windows.minute,
                    windows.day,
                    tokens,
                    reservation.expires.timestamp(),
                ),
            )
            return with_request(totals, tokens)

        decided = await self._database.write(work)
        if isinstance(decided, Decision):
            raise Refused(decided)
        return replace(reservation, standing=standing_of(decided, limits, now))

    def _purge(self, connection: sqlite3.Connection, windows: Windows, now: datetime) -> None:
        if self._purged == windows.day:
            return
        yesterday = Windows.of(now - timedelta(days=1)).day
        oldest = Windows.of(now - timedelta(days=DAYS_KEPT)).day
        # An expired reservation counts no more, but is kept a day: its answer may yet be settled.
        connection.execute(
            "DELETE FROM reservation WHERE expires <= ?", ((now - timedelta(days=1)).timestamp(),)
        )
        connection.execute(
            "DELETE FROM usage_window WHERE starts < ? OR (length(starts) > 10 AND starts < ?)",
            (oldest, yesterday),
        )
        self._purged = windows.day

    async def renew(self, reservation: Reservation, *, expires: datetime) -> None:
        """Keep a reservation alive for longer; nothing happens if it is gone."""
        await self._database.write(
            lambda connection: (
                connection.execute(
                    "UPDATE reservation SET expires = ? WHERE id = ?",
                    (expires.timestamp(), reservation.id),
                ).rowcount
            )
        )

    async def settle(self, reservation: Reservation, usage: Usage) -> None:
        """Put what was used in the place of what was reserved, in the windows of `made`."""
        windows = Windows.of(reservation.made)

        def work(connection: sqlite3.Connection) -> None:
            gone = connection.execute("DELETE FROM reservation WHERE id = ?", (reservation.id,))
            if gone.rowcount == 0:
                return
            for starts in (windows.minute, windows.day):
                connection.execute(
                    "UPDATE usage_window SET tokens = tokens + ?"
                    " WHERE owner = ? AND deployment = ? AND starts = ?",
                    (
                        usage.total_tokens,
                        reservation.principal.key,
                        reservation.deployment,
                        starts,
                    ),
                )

        await self._database.write(work)

    async def release(self, reservation: Reservation) -> None:
        """Give the tokens back: the model did no work."""
        await self._database.write(
            lambda connection: (
                connection.execute(
                    "DELETE FROM reservation WHERE id = ?", (reservation.id,)
                ).rowcount
            )
        )

    async def totals(
        self, principal: PrincipalId, deployment: str, *, now: datetime
    ) -> UsageTotals:
        """Return what counts at `now`."""
        windows = Windows.of(now)
        return await self._database.read(
            lambda connection: _totals(connection, principal, deployment, windows, now)
        )


def _totals(
    connection: sqlite3.Connection,
    principal: PrincipalId,
    deployment: str,
    windows: Windows,
    now: datetime,
) -> UsageTotals:
    key = (principal.key, deployment)
    counted = {
        starts: (requests, tokens)
        for starts, requests, tokens in connection.execute(
            "SELECT starts, requests, tokens FROM usage_window"
            " WHERE owner = ? AND deployment = ? AND starts IN (?, ?)",
            (*key, windows.minute, windows.day),
        )
    }
    alive, minute, day = connection.execute(
        "SELECT count(*), coalesce(sum(tokens) FILTER (WHERE minute = ?), 0),"
        " coalesce(sum(tokens) FILTER (WHERE day = ?), 0)"
        " FROM reservation WHERE owner = ? AND deployment = ? AND expires > ?",
        (windows.minute, windows.day, *key, now.timestamp()),
    ).fetchone()
    requests_this_minute, tokens_this_minute = counted.get(windows.minute, (0, 0))
    return UsageTotals(
        requests_this_minute=requests_this_minute,
        tokens_this_minute=tokens_this_minute + minute,
        tokens_today=counted.get(windows.day, (0, 0))[1] + day,
        concurrent=alive,
    )
