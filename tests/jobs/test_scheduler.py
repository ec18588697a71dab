"""The scheduler of a process that runs its own jobs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from secure_openai.assembly import Assembly, assemble
from secure_openai.jobs import scheduler
from secure_openai.jobs.catalogue import JOBS
from secure_openai.jobs.scheduler import START, scheduled
from secure_openai.settings import Settings
from secure_openai.types import JsonObject

BEGAN = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


def settings_of(folder: Path) -> Settings:
    """Return a laptop's settings."""
    return Settings.load(
        {},
        public_url="http://localhost:1",
        authority="http://localhost:1/t/v2.0",
        tenant_id="t",
        client_id="c",
        data=folder,
        model_source="scripted",
    )


@pytest.fixture
async def assembly(tmp_path: Path) -> AsyncIterator[Assembly]:
    """Open everything."""
    async with assemble(settings_of(tmp_path / "data")) as opened:
        yield opened


class Clock:
    """A clock that tells the next minute whenever it is asked, up to an end."""

    def __init__(self) -> None:
        self.now = BEGAN

    def __call__(self) -> datetime:
        """Return the time."""
        self.now += timedelta(minutes=1)
        return self.now


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Count runs in place of doing them, and let no time pass; the last job never works."""
    names: list[str] = []

    def counted(name: str) -> Callable[[Assembly], Awaitable[JsonObject]]:
        async def work(_: Assembly) -> JsonObject:
            names.append(name)
            if name == "retention":
                raise RuntimeError
            return {}

        return work

    async def at_once(_: float) -> None:
        await asyncio.sleep(0)

    jobs = {name: replace(job, work=counted(name)) for name, job in JOBS.items()}
    monkeypatch.setattr(scheduler, "JOBS", jobs)
    monkeypatch.setattr(scheduler, "sleep", at_once)
    return names


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something to be so."""
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0)


async def test_functions_run_them_in_azure(assembly: Assembly, ran: list[str]) -> None:
    """Where Cosmos DB is, the web process runs no job and makes no seal: functions do."""
    # Read only: what else such settings ask for does not matter here.
    elsewhere = assembly.settings.model_copy(update={"cosmos_url": "https://x.documents.azure.com"})

    async with scheduled(replace(assembly, settings=elsewhere), clock=Clock()):
        for _ in range(200):
            await asyncio.sleep(0)

    assert ran == []
    assert not (assembly.settings.data / "seals").exists()


async def test_each_runs_soon_and_then_by_its_schedule(assembly: Assembly, ran: list[str]) -> None:
    """Each job runs soon after the start and by its schedule, whatever becomes of the others."""
    clock = Clock()
    async with scheduled(assembly, clock=clock):
        await until(lambda: all(ran.count(name) >= 2 for name in JOBS))

    assert clock.now - BEGAN > START
    # The jobs of every hour came round oftener than the one of every night.
    assert ran.count("seal") > ran.count("retention")
    assert [path.name for path in (assembly.settings.data / "seals").glob("*.jws")] == [
        "00000001.jws"
    ]


async def test_a_job_under_way_is_cut_off(
    assembly: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end does not wait for a job: it is cut off, and what is recorded is sealed."""
    begun, cut = asyncio.Event(), asyncio.Event()

    async def endless(_: Assembly) -> JsonObject:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cut.set()
        return {}

    monkeypatch.setattr(scheduler, "JOBS", {"retention": replace(JOBS["retention"], work=endless)})
    monkeypatch.setattr(scheduler, "START", timedelta(0))
    async with scheduled(assembly):
        await asyncio.wait_for(begun.wait(), 60)

    assert cut.is_set()
