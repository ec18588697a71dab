"""Usage in SQLite: a reservation is one transaction on the only writer."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from secure_openai.errors import Refused
from secure_openai.fresh_ids import fresh_id
from secure_openai.store.continuation import token, values_of
from secure_openai.store.quota import DAYS_KEPT, Windows, refusal_of, standing_of, with_request
from secure_openai.store.sqlite.database import Database
from secure_openai.store.usage import Reservation, UsageDay, UsageTotals
from secure_openai.types import Decision, Limits, Page, PrincipalId, ReservationId, Usage

COLUMNS = "owner, deployment, day, requests, prompt_tokens, completion_tokens"


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
            id=ReservationId(fresh_id()),
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
                "INSERT INTO usage_day VALUES (?, ?, ?, 1, 0, 0) ON CONFLICT"
                " DO UPDATE SET requests = requests + 1",
                (principal.key, deployment, windows.day),
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
        connection.execute("DELETE FROM usage_day WHERE day < ?", (oldest,))
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
            connection.execute(
                "INSERT INTO usage_day VALUES (?, ?, ?, 1, ?, ?) ON CONFLICT DO UPDATE SET"
                " prompt_tokens = prompt_tokens + excluded.prompt_tokens,"
                " completion_tokens = completion_tokens + excluded.completion_tokens",
                (
                    reservation.principal.key,
                    reservation.deployment,
                    windows.day,
                    usage.prompt_tokens,
                    usage.completion_tokens,
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

    async def of(self, principal: PrincipalId) -> Sequence[UsageDay]:
        """Return what a principal used, by day and deployment."""
        rows = await self._database.read(
            lambda connection: connection.execute(
                f"SELECT {COLUMNS} FROM usage_day WHERE owner = ? ORDER BY day, deployment",
                (principal.key,),
            ).fetchall()
        )
        return [_day(row) for row in rows]

    async def roll_up(self, *, now: datetime) -> int:  # noqa: ARG002 - the interface's
        """Add to the totals what a program that kept none has counted; ours keeps them itself."""
        return await self._database.write(
            lambda connection: (
                connection.execute(
                    "INSERT INTO usage_day SELECT owner, deployment, starts, requests, 0, tokens"
                    " FROM usage_window WHERE length(starts) = 10 ON CONFLICT DO UPDATE SET"
                    " requests = max(requests, excluded.requests),"
                    " completion_tokens ="
                    " max(completion_tokens, excluded.completion_tokens - prompt_tokens)"
                    " WHERE excluded.requests > requests"
                    " OR excluded.completion_tokens > prompt_tokens + completion_tokens"
                ).rowcount
            )
        )

    async def day(
        self, day: str, *, limit: int = 100, continuation: str | None = None
    ) -> Page[UsageDay]:
        """Return the totals of a UTC day, by principal and deployment."""
        place = ("usage", day)
        after = values_of(continuation, place, _plausible) or ("", "")
        rows = await self._database.read(
            lambda connection: connection.execute(
                f"SELECT {COLUMNS} FROM usage_day WHERE day = ? AND (owner, deployment) > (?, ?)"
                " ORDER BY owner, deployment LIMIT ?",
                (day, *after, limit + 1),
            ).fetchall()
        )
        items = [_day(row) for row in rows[:limit]]
        return Page(items, token(place, rows[limit - 1][:2]) if len(rows) > limit else None)

    async def erase(self, principal: PrincipalId, *, until: str) -> int:
        """Drop what is counted of a principal's days up to `until`."""

        def work(connection: sqlite3.Connection) -> int:
            dropped = connection.execute(
                "DELETE FROM usage_window WHERE owner = ? AND substr(starts, 1, 10) <= ?",
                (principal.key, until),
            ).rowcount
            dropped += connection.execute(
                "DELETE FROM reservation WHERE owner = ? AND day <= ?", (principal.key, until)
            ).rowcount
            return (
                dropped
                + connection.execute(
                    "DELETE FROM usage_day WHERE owner = ? AND day <= ?", (principal.key, until)
                ).rowcount
            )

        return await self._database.write(work)


def _day(row: tuple[str, str, str, int, int, int]) -> UsageDay:
    owner, deployment, day, requests, prompt, completion = row
    return UsageDay(PrincipalId.parse(owner), deployment, day, requests, prompt, completion)


def _plausible(values: list[object]) -> bool:
    """Return whether a page of totals could end so: at an owner and a deployment."""
    return len(values) == 2 and all(isinstance(value, str) for value in values)  # noqa: PLR2004


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
