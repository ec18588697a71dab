"""Sessions by the clock: idle, absolute, and roles asked again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from secure_openai.errors import IdentityProviderUnavailable, SignInFailed, StorageFull
from secure_openai.identity.authorization import AuthorizationClient, SignedIn
from secure_openai.sessions import ROLES_GRACE, Sessions
from secure_openai.store.sqlite.database import Database
from secure_openai.store.sqlite.sessions import SqliteSessionStore
from secure_openai.types import Principal, PrincipalId, PrincipalKind, utc_now

UMA = Principal(PrincipalId("t", "uma"), PrincipalKind.PERSON, frozenset({"user"}), "Uma")


class Provider:
    """An identity provider that answers as told: faults that a real one cannot be asked for."""

    def __init__(self) -> None:
        self.answer: SignedIn | Exception = SignedIn(UMA, "refresh")
        self.asked = 0

    async def authorization_address(self, **parameters: str) -> str:
        """Return an address that shows what was asked."""
        return "https://login.example/?state=" + parameters["state"]

    async def redeem(self, **parameters: str) -> SignedIn:
        """Give the answer."""
        return self._give()

    async def refresh(self, refresh_token: str) -> SignedIn:
        """Give the answer, after letting others ask too."""
        self.asked += 1
        await asyncio.sleep(0.01)
        return self._give()

    def _give(self) -> SignedIn:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Desk:
    """Sessions with a clock that is set by hand."""

    def __init__(self, database: Database) -> None:
        self.now = utc_now()
        self.provider = Provider()
        self.sessions = Sessions(
            SqliteSessionStore(database, clock=lambda: self.now),
            cast("AuthorizationClient", cast("Any", self.provider)),
            public_url="https://chat.example",
            redirect_uri="https://chat.example/auth/callback",
            idle=timedelta(hours=1),
            absolute=timedelta(hours=12),
            roles_check=timedelta(hours=1),
            clock=lambda: self.now,
        )

    async def signed_in(self) -> str:
        """Sign in; return the cookie's value."""
        begun = await self.sessions.begin("/", None)
        value, _, _ = await self.sessions.finish(
            state=begun.address.split("state=")[1], code="code", browser=begun.browser
        )
        return value

    async def used_until(self, value: str, hours: float) -> Principal | None:
        """Use a session every ten minutes for a while; return whose it is in the end."""
        for _ in range(int(hours * 6)):
            self.now += timedelta(minutes=10)
            principal = await self.sessions.principal(value)
        return principal


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """Sessions over a real store."""
    database = await Database.open(tmp_path / "data" / "db")
    yield Desk(database)
    await database.aclose()


async def test_an_unused_session_ends(desk: Desk) -> None:
    """An hour unused is the end; a minute less is not."""
    value = await desk.signed_in()
    desk.now += timedelta(minutes=59)
    assert await desk.sessions.principal(value) == UMA
    desk.now += timedelta(minutes=60)
    assert await desk.sessions.principal(value) is None
    desk.now -= timedelta(minutes=60)
    assert await desk.sessions.principal(value) is None


async def test_a_full_disk_signs_nobody_out(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be noted as used goes on, and ends when it would have been idle."""

    async def full(*arguments: Any, **options: Any) -> None:
        raise StorageFull

    value = await desk.signed_in()
    monkeypatch.setattr(desk.sessions._store, "touch", full)

    assert await desk.used_until(value, 0.8) == UMA
    assert await desk.used_until(value, 0.4) is None


async def test_a_used_session_ends_too(desk: Desk) -> None:
    """Twelve hours are the end, however much it is used."""
    value = await desk.signed_in()

    assert await desk.used_until(value, 11.9) == UMA
    assert await desk.used_until(value, 0.2) is None


async def test_roles_are_asked_again_once_for_all(desk: Desk) -> None:
    """After an hour the provider is asked once, however many requests wait, and believed."""
    value = await desk.signed_in()
    await desk.used_until(value, 0.9)
    promoted = replace(UMA, roles=frozenset({"user", "admin"}))
    desk.provider.answer = SignedIn(promoted, "next")
    desk.now += timedelta(minutes=10)
    found = await asyncio.gather(*(desk.sessions.principal(value) for _ in range(20)))

    assert set(found) == {promoted}
    assert desk.provider.asked == 1
    assert await desk.sessions.principal(value) == promoted
    assert desk.provider.asked == 1


@pytest.mark.parametrize(
    "answer",
    [
        SignInFailed("refused"),
        SignedIn(replace(UMA, id=PrincipalId("t", "someone-else")), "next"),
    ],
)
async def test_a_refusal_of_the_provider_ends_the_session(
    desk: Desk, answer: SignedIn | Exception
) -> None:
    """Someone disabled, or suddenly someone else, is signed out."""
    value = await desk.signed_in()
    await desk.used_until(value, 0.9)
    desk.provider.answer = answer
    desk.now += timedelta(minutes=10)

    assert await desk.sessions.principal(value) is None
    desk.provider.answer = SignedIn(UMA, "next")
    assert await desk.sessions.principal(value) is None


async def test_without_a_refresh_token_the_session_lives_an_hour(desk: Desk) -> None:
    """What cannot be asked again is not believed for longer."""
    desk.provider.answer = SignedIn(UMA, None)
    value = await desk.signed_in()

    assert await desk.used_until(value, 0.9) == UMA
    assert await desk.used_until(value, 0.2) is None


async def test_an_absent_provider_is_forgiven_for_a_while(desk: Desk) -> None:
    """Within the grace the old roles hold; after it nobody passes, and nobody is signed out."""
    value = await desk.signed_in()
    await desk.used_until(value, 0.9)
    desk.provider.answer = IdentityProviderUnavailable("away")
    desk.now += timedelta(minutes=12)
    assert await desk.sessions.principal(value) == UMA
    desk.now += ROLES_GRACE
    with pytest.raises(IdentityProviderUnavailable):
        await desk.sessions.principal(value)
    desk.provider.answer = SignedIn(UMA, "next")
    assert await desk.sessions.principal(value) == UMA


async def test_a_pending_sign_in_expires(desk: Desk) -> None:
    """Eleven minutes are too long to choose."""
    begun = await desk.sessions.begin("/", None)
    desk.now += timedelta(minutes=11)
    with pytest.raises(SignInFailed):
        await desk.sessions.finish(
            state=begun.address.split("state=")[1], code="code", browser=begun.browser
        )


async def test_a_browser_keeps_its_value_and_a_forged_one_is_replaced(desk: Desk) -> None:
    """Several sign-ins of one browser share its value; nonsense is not taken over."""
    begun = await desk.sessions.begin("/", None)

    assert (await desk.sessions.begin("/", begun.browser)).browser == begun.browser
    for forged in ("", "short", "x" * 500):
        assert (await desk.sessions.begin("/", forged)).browser != forged


async def test_what_has_ended_is_purged(desk: Desk) -> None:
    """Ended sessions leave the store."""
    await desk.signed_in()
    assert await desk.sessions.purge() == 0
    desk.now += timedelta(hours=2)
    assert await desk.sessions.purge() == 1


async def test_a_session_ended_during_the_check_stays_ended(desk: Desk) -> None:
    """Revoking while the provider is being asked wins: whoever waits is signed out."""
    value = await desk.signed_in()
    await desk.used_until(value, 0.9)
    desk.now += timedelta(minutes=10)
    waiting = asyncio.ensure_future(desk.sessions.principal(value))
    await asyncio.sleep(0)
    assert await desk.sessions.revoke(UMA.id) == 1

    assert await waiting is None


async def test_sign_out_needs_no_provider(desk: Desk) -> None:
    """With the provider away and a role check due, ending a session ends it and says whose."""
    value = await desk.signed_in()
    desk.now += timedelta(minutes=70)
    desk.provider.answer = IdentityProviderUnavailable("away")

    assert await desk.sessions.end(value) == UMA
    assert await desk.sessions.principal(value) is None


async def test_too_many_pending_sign_ins_push_out_the_oldest(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever only begins sign-ins fills nothing: a bounded number is remembered."""
    monkeypatch.setattr("secure_openai.store.sqlite.sessions.MOST_PENDING", 3)
    begun = []
    for _ in range(5):
        desk.now += timedelta(seconds=1)
        begun.append(await desk.sessions.begin("/", None))

    with pytest.raises(SignInFailed):
        await desk.sessions.finish(
            state=begun[0].address.split("state=")[1], code="c", browser=begun[0].browser
        )
    await desk.sessions.finish(
        state=begun[4].address.split("state=")[1], code="c", browser=begun[4].browser
    )
