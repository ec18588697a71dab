"""An answer while it grows: kept as it stands every second, so that little can be lost."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

from secure_openai.store.conversations import ConversationStore
from secure_openai.types import Clock, Message, MessageStatus, PrincipalId, Usage

CHECKPOINT_SECONDS = 1.0
"""How much of an answer a dying process may lose."""

LEASE_SECONDS = 6.0
"""After how long without a checkpoint an answer counts as cut off."""


def lease_from(now: datetime) -> datetime:
    """Return when an answer last kept at `now` counts as cut off."""
    return now + timedelta(seconds=LEASE_SECONDS)


class Draft:
    """A stored answer that is still being written, after what is there of it already."""

    def __init__(
        self, store: ConversationStore, owner: PrincipalId, stored: Message, *, clock: Clock
    ) -> None:
        self._store = store
        self._owner = owner
        self._stored = stored
        self._clock = clock
        self._pieces: list[str] = [stored.text]
        self._before = stored.usage
        self._kept_at = clock()
        # A checkpoint goes on when whoever waits for it has been stopped; the end comes after it.
        self._writing = asyncio.Lock()

    @property
    def size(self) -> int:
        """Return how many bytes there are of it as UTF-8."""
        return sum(len(piece.encode()) for piece in self._pieces)

    def add(self, piece: str) -> None:
        """Take a piece of the answer."""
        self._pieces.append(piece)

    @property
    def due(self) -> bool:
        """Return whether it is time for a checkpoint."""
        return self._clock() - self._kept_at >= timedelta(seconds=CHECKPOINT_SECONDS)

    async def checkpoint(self) -> None:
        """Keep the answer as it stands and renew its lease.

        Raises:
            NotFound: The conversation was deleted meanwhile.
            StoreError: It could not be kept.
        """
        now = self._clock()
        self._kept_at = now
        async with self._writing:
            self._stored = await self._store.replace(
                self._owner,
                replace(self._stored, text="".join(self._pieces), lease_expires=lease_from(now)),
            )

    async def close(
        self,
        *,
        complete: bool,
        usage: Usage | None,
        finish_reason: str | None,
        note: str | None,
    ) -> Message:
        """Keep the answer as it ends; what it took is added to what it took before.

        Raises:
            NotFound: The conversation was deleted meanwhile.
            StoreError: It could not be kept; its lease will mark it interrupted.
        """
        async with self._writing:
            notes = " ".join(part for part in (self._stored.note, note) if part)
            self._stored = await self._store.replace(
                self._owner,
                replace(
                    self._stored,
                    text="".join(self._pieces),
                    status=MessageStatus.COMPLETE if complete else MessageStatus.INTERRUPTED,
                    lease_expires=None,
                    usage=_added(self._before, usage),
                    finish_reason=finish_reason,
                    note=notes or None,
                ),
            )
        return self._stored

    def as_it_stands(self) -> Message:
        """Return the answer with what has come, marked interrupted, kept or not."""
        return replace(
            self._stored,
            text="".join(self._pieces),
            status=MessageStatus.INTERRUPTED,
            lease_expires=None,
        )


def _added(before: Usage | None, usage: Usage | None) -> Usage | None:
    if before is None or usage is None:
        return usage or before
    return Usage(
        before.prompt_tokens + usage.prompt_tokens,
        before.completion_tokens + usage.completion_tokens,
        estimated=before.estimated or usage.estimated,
    )
