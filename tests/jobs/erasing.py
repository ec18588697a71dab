"""The job that exports and erases, over any stores, and a process that runs it.

`python -m tests.jobs.erasing KIND PLACE NAME EXPORTS` prints a line for each conversation that was
deleted.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from secure_openai.conversations.attachments import Attachments
from secure_openai.jobs.erasure import Erasures
from secure_openai.jobs.export import Exports
from secure_openai.jobs.requests import attend
from secure_openai.sessions import Sessions
from secure_openai.store.folder import FolderBlobs
from secure_openai.types import Clock, JsonObject, utc_now
from tests.jobs.kept import Kept, opened_cosmos, opened_sqlite
from tests.jobs.processes import tell_deletions

DAYS = 7


@dataclass
class Attending:
    """The job over some stores.

    Attributes:
        kept: The stores.
        blobs: Where exports are kept.
        now: What time it is.
    """

    kept: Kept
    blobs: FolderBlobs
    now: Clock = utc_now

    @property
    def exports(self) -> Exports:
        """Return what makes exports."""
        return Exports(
            conversations=self.kept.conversations,
            sessions=self._sessions,
            sightings=self.kept.sightings,
            usage=self.kept.usage,
            personal=self.kept.personal,
            attachments=self.attachments,
            audit=self.kept.audit,
            requests=self.kept.requests,
            blobs=self.blobs,
            days=DAYS,
            clock=self.now,
        )

    @property
    def erasures(self) -> Erasures:
        """Return what erases."""
        return Erasures(
            conversations=self.kept.conversations,
            holds=self.kept.holds,
            sessions=self._sessions,
            sightings=self.kept.sightings,
            usage=self.kept.usage,
            personal=self.kept.personal,
            attachments=self.attachments,
            audit=self.kept.audit,
            requests=self.kept.requests,
            blobs=self.blobs,
            clock=self.now,
        )

    @property
    def attachments(self) -> Attachments:
        """Return the attachments, which lie beside the exports."""
        beside = FolderBlobs(self.blobs.folder.with_name("attachments"))
        return Attachments(self.kept.personal, beside, total_bytes=10**9, clock=self.now)

    @property
    def _sessions(self) -> Sessions:
        hour = timedelta(hours=1)
        nobody: Any = None  # No job asks the identity provider.
        return Sessions(
            self.kept.sessions,
            nobody,
            public_url="",
            redirect_uri="",
            idle=hour,
            absolute=hour,
            roles_check=hour,
        )

    async def run(self) -> JsonObject:
        """Run the job; return what there was to count."""
        report = await attend(self.kept.requests, self.exports, self.erasures, clock=self.now)
        await self.kept.audit.flush()
        return {name: count for name, count in report.items() if count}


async def main(kind: str, place: str, name: str, exports: str) -> None:
    """Run the job."""
    opened = opened_sqlite(Path(place)) if kind == "sqlite" else opened_cosmos(place, name)
    async with opened as kept:
        tell_deletions(kept)
        await Attending(kept, FolderBlobs(Path(exports))).run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4]))
