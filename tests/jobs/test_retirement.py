"""Warnings of models that retire, over the management client and a server in Azure's shapes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from secure_openai.accounts import read_accounts
from secure_openai.errors import AuditUnavailable
from secure_openai.jobs.retirement import warn
from secure_openai.model.management.resource_manager.deployments import AzureDeployments
from secure_openai.model.management.served import ServedDeployments
from secure_openai.store.audit import AuditEvent
from secure_openai.store.sqlite.audit import SqliteAuditStore
from secure_openai.store.sqlite.database import Database
from secure_openai.store.sqlite.notes import SqliteNoteStore
from secure_openai.tables import table
from secure_openai.types import Deployment, JsonObject
from tests.model.management.conftest import management, manager  # noqa: F401 - fixtures
from tests.model.management.resource_manager import ResourceManager, arm_error, deployment

RETIRES = datetime(2027, 5, 15, 12, tzinfo=UTC)
"""The day that the server says of gpt-5.1, and the table of it too."""

ACCOUNTS = read_accounts(
    '{"main": {"url": "https://x.openai.azure.com", "priority": 1,'
    ' "deployments": {"answers": "gpt-5.1", "mystery": "somebody-s"}}}'
)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """Return a database."""
    opened = await Database.open(tmp_path / "data" / "test.db")
    yield opened
    await opened.aclose()


@pytest.fixture
async def audit(database: Database) -> AsyncIterator[SqliteAuditStore]:
    """Return an audit."""
    store = await SqliteAuditStore.open(database)
    yield store
    await store.aclose()


class Warner:
    """The job, at some moment."""

    def __init__(self, accounts: object, audit: SqliteAuditStore, database: Database) -> None:
        self.accounts = accounts
        self.audit = audit
        self.notes = SqliteNoteStore(database)

    async def run(self, days_before: int) -> JsonObject:
        """Run it so many days before gpt-5.1 retires."""
        return await warn(
            self.accounts,  # type: ignore[arg-type]
            ACCOUNTS,
            self.audit,
            self.notes,
            days=60,
            clock=lambda: RETIRES - timedelta(days=days_before),
        )

    async def events(self) -> list[AuditEvent]:
        """Return what was recorded."""
        await self.audit.flush()
        heads = await self.audit.heads()
        pages = [await self.audit.records(head.chain) for head in heads]
        return [record.event for page in pages for record in page.items]


@pytest.fixture
def job(
    manager: ResourceManager,  # noqa: F811 - a fixture
    management: AzureDeployments,  # noqa: F811 - a fixture
    audit: SqliteAuditStore,
    database: Database,
) -> Warner:
    """Return the job over an account with a deployment that retires and one that does not."""
    manager.deployments = {
        "answers": deployment("answers"),
        "small": deployment("small", "gpt-5.6"),
    }
    return Warner(management, audit, database)


async def test_what_cannot_be_recorded_is_warned_of_again(
    job: Warner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A warning that cannot be recorded is not noted as recorded."""

    async def fails() -> None:
        raise AuditUnavailable

    with monkeypatch.context() as patched:
        patched.setattr(job.audit, "flush", fails)
        with pytest.raises(AuditUnavailable):
            await job.run(10)

    assert (await job.run(10))["recorded"] == 1


async def test_long_before(job: Warner, caplog: pytest.LogCaptureFixture) -> None:
    """What retires later than the days of warning is neither logged nor recorded."""
    with caplog.at_level(logging.WARNING):
        report = await job.run(61)

    assert report == {"deployments": 2, "retiring": 0, "recorded": 0, "unread": 0}
    assert caplog.messages == []
    assert await job.events() == []


async def test_each_step_is_recorded_once(job: Warner, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged with every run, and recorded once at each step: run twice or several at once."""
    with caplog.at_level(logging.WARNING):
        for days_before in (60, 45, 31, 30, 14, 8, 7, 1, 0, -5):
            await asyncio.gather(*(job.run(days_before) for _ in range(3)))

    assert len(caplog.messages) == 30
    assert caplog.messages[0] == (
        "answers in main is gpt-5.1 2025-11-13, which retires on 2027-05-15: move it to gpt-5.5"
    )
    events = await job.events()
    assert [event.facts["days_left"] for event in events if event.facts] == [60, 30, 14, 7, 1, 0]
    assert {(event.action, event.deployment, event.principal) for event in events} == {
        ("deployment.retires", "answers", None)
    }
    assert events[0].facts == {
        "account": "main",
        "model": "gpt-5.1",
        "version": "2025-11-13",
        "on": "2027-05-15",
        "days_left": 60,
        "source": "service",
        "instead": "gpt-5.5",
    }


async def test_an_account_that_may_not_be_looked_at(
    job: Warner,
    manager: ResourceManager,  # noqa: F811 - a fixture
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Without the role to look, settings and table say what they know, and it is said who did."""
    manager.answer("GET", "models", arm_error(403, "AuthorizationFailed"))
    with caplog.at_level(logging.WARNING):
        report = await job.run(20)

    assert report == {"deployments": 2, "retiring": 1, "recorded": 1, "unread": 1}
    assert "the account main cannot be looked at: role-missing" in caplog.messages
    (event,) = await job.events()
    assert event.facts is not None
    assert (event.facts["source"], event.facts["on"], event.facts["version"]) == (
        "table",
        table("models")["models"]["gpt-5.1"]["retires"],
        "",
    )


async def test_what_is_only_served(audit: SqliteAuditStore, database: Database) -> None:
    """Deployments without an account to look at retire by the table; a laptop's never do."""
    served = ServedDeployments(
        lambda: [Deployment("answers", "gpt-5.1"), Deployment("local", "gemma-3")]
    )
    report = await Warner(served, audit, database).run(20)

    assert report == {"deployments": 2, "retiring": 1, "recorded": 1, "unread": 0}
    assert date.fromisoformat(table("models")["models"]["gpt-5.1"]["retires"]) == RETIRES.date()
