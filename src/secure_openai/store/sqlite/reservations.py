"""Reservations made, settled and released by the group: one look and one write for all that wait.

Whoever comes while a group is written waits for the next one. What gives tokens back is applied
before what takes them, and each reservation is decided knowing all before it, so a group decides
as its members one after the other would.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple, TypeAlias

from secure_openai.errors import StoreError
from secure_openai.store.quota import Windows, refusal_of, standing_of, with_request
from secure_openai.store.sqlite.database import Database
from secure_openai.store.usage import Reservation, UsageTotals
from secure_openai.streams import Within
from secure_openai.types import Decision, Limits, PrincipalId, Usage

GROUP = 256
"""How many are written at once."""

DELAY_SECONDS = 0.02
"""How long what gives back may wait for company. What takes ends the wait."""


class Taking(NamedTuple):
    """A reservation to be decided."""

    reservation: Reservation
    limits: Limits


class Giving(NamedTuple):
    """A reservation to be settled, or released where nothing was used."""

    reservation: Reservation
    usage: Usage | None


Change: TypeAlias = Taking | Giving
Outcome: TypeAlias = Reservation | Decision | None


class _Waiting(NamedTuple):
    change: Change
    future: asyncio.Future[Outcome]


class Reservations:
    """The queue of changes of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queue: list[_Waiting] = []
        self._hurry = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def change(self, change: Change) -> Outcome:
        """Return what became of a change, once it survives the process.

        A reservation is returned with its standing, or the decision that refuses it.

        Raises:
            StoreError: The database cannot be written.
        """
        waiting = _Waiting(change, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        if isinstance(change, Taking):
            self._hurry.set()
        if self._task is None or self._task.done():
            self._task = asyncio.ensure_future(self._run())
        return await waiting.future

    async def _run(self) -> None:
        while self._queue:
            if not self._hurry.is_set():
                try:
                    with Within(DELAY_SECONDS):
                        await self._hurry.wait()
                except TimeoutError:
                    pass
            # Whatever else came with the same turn of the loop goes along.
            await asyncio.sleep(0)
            group, self._queue = self._queue[:GROUP], self._queue[GROUP:]
            if not any(isinstance(one.change, Taking) for one in self._queue):
                self._hurry.clear()
            if not await self._written(group) and len(group) > 1:
                for one in group:
                    await self._written([one])

    async def _written(self, group: list[_Waiting]) -> bool:
        """Write a group and tell those who wait, or return that each had better go alone."""
        changes = [one.change for one in group]
        try:
            outcomes = await self._database.write(
                lambda connection: carried_out(connection, changes)
            )
        except Exception as error:
            if len(group) > 1 and not isinstance(error, StoreError):
                return False
            for one in group:
                if not one.future.done():
                    one.future.set_exception(error)
            return True
        for one, outcome in zip(group, outcomes, strict=True):
            if not one.future.done():
                one.future.set_result(outcome)
        return True


def carried_out(connection: sqlite3.Connection, changes: Sequence[Change]) -> list[Outcome]:
    """Carry changes out; return what became of each."""
    _give(connection, [one for one in changes if isinstance(one, Giving)])
    taken = _take(connection, [one for one in changes if isinstance(one, Taking)])
    return [next(taken) if isinstance(one, Taking) else None for one in changes]


def _give(connection: sqlite3.Connection, changes: Sequence[Giving]) -> None:
    if not changes:
        return
    asked = {one.reservation.id: one for one in changes}
    held = connection.execute(
        "DELETE FROM reservation WHERE id IN (SELECT value FROM json_each(?)) RETURNING id",
        (json.dumps(list(asked)),),
    ).fetchall()
    windows: Counter[tuple[str, str, str]] = Counter()
    prompts: Counter[tuple[str, str, str]] = Counter()
    answers: Counter[tuple[str, str, str]] = Counter()
    for (identifier,) in held:
        one = asked[identifier]
        if one.usage is None:
            continue
        key = (one.reservation.principal.key, one.reservation.deployment)
        made = Windows.of(one.reservation.made)
        for starts in (made.minute, made.day):
            windows[*key, starts] += one.usage.total_tokens
        prompts[*key, made.day] += one.usage.prompt_tokens
        answers[*key, made.day] += one.usage.completion_tokens
    connection.executemany(
        "UPDATE usage_window SET tokens = tokens + ?"
        " WHERE owner = ? AND deployment = ? AND starts = ?",
        [(tokens, *key) for key, tokens in windows.items()],
    )
    connection.executemany(
        "INSERT INTO usage_day VALUES (?, ?, ?, 1, ?, ?) ON CONFLICT DO UPDATE SET"
        " prompt_tokens = prompt_tokens + excluded.prompt_tokens,"
        " completion_tokens = completion_tokens + excluded.completion_tokens",
        [(*key, prompts[key], answers[key]) for key in prompts],
    )


def _take(connection: sqlite3.Connection, changes: Sequence[Taking]) -> Iterator[Outcome]:
    known: dict[tuple[PrincipalId, str, Windows], UsageTotals] = {}
    admitted: list[tuple[Reservation, Windows]] = []
    outcomes: list[Outcome] = []
    for one in changes:
        reservation, now = one.reservation, one.reservation.made
        windows = Windows.of(now)
        key = (reservation.principal, reservation.deployment, windows)
        if key not in known:
            known[key] = totals_of(connection, *key, now)
        refusal = refusal_of(known[key], reservation.tokens, one.limits, now)
        if refusal is not None:
            outcomes.append(refusal)
            continue
        known[key] = with_request(known[key], reservation.tokens)
        admitted.append((reservation, windows))
        standing = standing_of(known[key], one.limits, now)
        outcomes.append(replace(reservation, standing=standing))
    _write_admitted(connection, admitted)
    return iter(outcomes)


def _write_admitted(
    connection: sqlite3.Connection, admitted: Sequence[tuple[Reservation, Windows]]
) -> None:
    made = Counter(
        (one.principal.key, one.deployment, starts)
        for one, windows in admitted
        for starts in (windows.minute, windows.day)
    )
    connection.executemany(
        "INSERT INTO usage_window VALUES (?, ?, ?, ?, 0) ON CONFLICT"
        " DO UPDATE SET requests = requests + excluded.requests",
        [(*key, count) for key, count in made.items()],
    )
    days = Counter((one.principal.key, one.deployment, windows.day) for one, windows in admitted)
    connection.executemany(
        "INSERT INTO usage_day VALUES (?, ?, ?, ?, 0, 0) ON CONFLICT"
        " DO UPDATE SET requests = requests + excluded.requests",
        [(*key, count) for key, count in days.items()],
    )
    connection.executemany(
        "INSERT INTO reservation VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (
                one.id,
                one.principal.key,
                one.deployment,
                windows.minute,
                windows.day,
                one.tokens,
                one.expires.timestamp(),
            )
            for one, windows in admitted
        ],
    )


def totals_of(
    connection: sqlite3.Connection,
    principal: PrincipalId,
    deployment: str,
    windows: Windows,
    now: datetime,
) -> UsageTotals:
    """Return what counts at `now`, reservations that are alive included."""
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
    requests_today, tokens_today = counted.get(windows.day, (0, 0))
    return UsageTotals(
        requests_this_minute=requests_this_minute,
        tokens_this_minute=tokens_this_minute + minute,
        tokens_today=tokens_today + day,
        concurrent=alive,
        requests_today=requests_today,
    )
