"""A copy that is made while seals are."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from secure_openai.cli import backup as command
from secure_openai.jobs.seal import seal
from secure_openai.local.folder import Folder
from secure_openai.store.seals import Seals
from secure_openai.store.signing import FileSigner
from secure_openai.store.sqlite.audit import SqliteAuditStore
from secure_openai.store.sqlite.database import Database
from secure_openai.store.sqlite.database import backup as copy_database
from secure_openai.store.sqlite.verification import verify_database
from secure_openai.testing.audit_contract import event


async def record_and_seal(folder: Folder) -> None:
    """Do what an application does."""
    database = await Database.open(folder.database)
    audit = await SqliteAuditStore.open(database)
    audit.append(event(1))
    await seal(audit, Seals.in_folder(folder.seals), FileSigner.open(folder.seal_key))
    await audit.aclose()
    await database.aclose()


@pytest.mark.parametrize("earlier", [0, 2])
def test_seals_made_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, earlier: int
) -> None:
    """Seals that are made while the database is copied are in the copy, which verifies."""
    folder = Folder(tmp_path / "data")
    folder.prepare()
    for _ in range(earlier):
        asyncio.run(record_and_seal(folder))
    if not earlier:
        folder.database.touch()

    def copied_late(source: Path, target: Path) -> None:
        for _ in range(2):
            asyncio.run(record_and_seal(folder))
        copy_database(source, target)

    monkeypatch.setattr(command, "copy_database", copied_late)
    command.backup(tmp_path / "copy", folder.path)

    copy = Folder(tmp_path / "copy")
    seals = Seals.in_folder(copy.seals).all([FileSigner.open(folder.seal_key).public_key])
    report = asyncio.run(verify_database(copy.database, seals))
    assert (report.seals, report.sealed, report.found) == (earlier + 2, earlier + 2, ())
