"""Who comes is written down once an hour, and no request waits for it or fails with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from secure_openai import presence
from secure_openai.errors import StoreError
from secure_openai.presence import GROUP, INTERVAL, Presence
from secure_openai.store.sqlite.database import Database
from secure_openai.store.sqlite.sightings import SqliteSightingStore
from secure_openai.streams import Background
from secure_openai.types import Principal, PrincipalId, PrincipalKind

NOW = datetime(2030, 1, 2, tzinfo=UTC)
ANNA = Principal(PrincipalId("tenant", "anna"), PrincipalKind.PERSON, frozenset({"user"}), "Anna")


class Watched:
    """Presence over a real store, with a clock that is set."""

    def __init__(self, store: SqliteSightingStore) -> None:
        self.store, self.now, self._background = store, NOW, Background()
        self.presence = Presence(
            store,
            self._background,
            clock=lambda: self.now,
            monotonic=self._seconds,
        )

    def _seconds(self) -> float:
        return self.now.timestamp()

    async def note(self, principal: Principal, later: timedelta = timedelta()) -> datetime | None:
        """Note a principal some time after `NOW`; return when they were last seen then."""
        self.now = NOW + later
        self.presence.note(principal)
        await self._background.drain()
        seen = await self.store.get(principal.id)
        return seen.last if seen else None


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    """Presence over SQLite."""
    database = await Database.open(tmp_path / "data" / "test.db")
    yield Watched(SqliteSightingStore(database))
    await database.aclose()


async def test_once_an_hour_and_when_something_changed(watched: Watched) -> None:
    """A principal is written again after an hour, or at once with other roles."""
    minute = timedelta(minutes=1)

    assert await watched.note(ANNA) == NOW
    assert await watched.note(ANNA, INTERVAL - minute) == NOW
    assert await watched.note(ANNA, INTERVAL) == NOW + INTERVAL
    other = replace(ANNA, roles=frozenset())
    assert await watched.note(other, INTERVAL + minute) == NOW + INTERVAL + minute


async def test_a_store_that_is_away_is_no_problem(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is told, and the next request tries again."""

    async def away(principal: Principal, *, now: datetime) -> None:
        raise StoreError(f"{principal} {now}")

    with monkeypatch.context() as patched:
        patched.setattr(watched.store, "see", away)
        assert await watched.note(ANNA) is None
    assert await watched.note(ANNA) == NOW


async def test_who_comes_together_is_written_together(watched: Watched) -> None:
    """A crowd is a few writes, and one whose name cannot be stored takes nobody with it."""
    calls: list[int] = []
    real = watched.store.see

    async def counted(*principals: Principal, now: datetime) -> None:
        calls.append(len(principals))
        await real(*principals, now=now)

    watched.store.see = counted  # type: ignore[method-assign]
    people = [replace(ANNA, id=PrincipalId("tenant", f"{number}")) for number in range(GROUP + 50)]
    for one in people[1:]:
        watched.presence.note(one)
    assert await watched.note(people[0]) == NOW
    assert calls == [GROUP, 50]
    assert len((await watched.store.list(limit=1_000)).items) == len(people)

    calls.clear()
    hour = timedelta(hours=1)
    broken = replace(ANNA, id=PrincipalId("tenant", "broken"), name="\ud800")
    watched.presence.note(broken)
    assert await watched.note(people[1], hour) == NOW + hour
    assert calls == [2, 1, 1]
    assert await watched.store.get(broken.id) is None


async def test_what_is_remembered_is_bounded(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where many come, the one of longest ago is written again, and no other."""
    monkeypatch.setattr(presence, "REMEMBERED", 3)
    people = [replace(ANNA, id=PrincipalId("tenant", f"{number}")) for number in range(4)]
    for one in people:
        await watched.note(one)
    minute = timedelta(minutes=1)

    assert await watched.note(people[3], minute) == NOW
    assert await watched.note(people[0], minute) == NOW + minute
