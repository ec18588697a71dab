"""The audit: who asked what of which deployment, what was decided and why, never the text.

Records form a hash chain. The chain shows change, reordering and inner removal by itself; a cut
tail or a chain rewritten from some record on shows only against a seal kept elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from secure_openai.types import JsonObject, Page, PrincipalId


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """What is to be recorded.

    Attributes:
        action: `completion.admitted`, `completion.refused`, `completion.settled`,
            `session.started`, `session.ended`, `session.revoked`, `signing_key.rotated` …
        at: When it happened, aware UTC.
        principal: Who acted; `None` where no one was recognised.
        decision: `allowed` or `refused`.
        reason: A `Reason` value or a problem slug.
        deployment: Which deployment, where one is meant.
        request_id: Joins the records of one request, and the logs.
        facts: Further facts, JSON values: tokens, latency, finish reason. Never text that a person
            or a model wrote, never a name or an address.
    """

    action: str
    at: datetime
    principal: PrincipalId | None
    decision: str
    reason: str
    deployment: str | None = None
    request_id: str | None = None
    facts: JsonObject | None = None


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """An event in its place in the chain.

    Attributes:
        sequence: 1, 2, 3 … without a gap.
        event: What happened.
        previous: Hash of the record before, 64 hexadecimal digits; of zeros for the first.
        hash: SHA-256 over `previous` and the canonical JSON of sequence and event.
    """

    sequence: int
    event: AuditEvent
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The last record of a chain: what a seal signs.

    Attributes:
        chain: Identifier of the chain, made with the store.
        sequence: Of the last record; 0 for an empty chain.
        hash: Of the last record; zeros for an empty chain.
    """

    chain: str
    sequence: int
    hash: str


class AuditStore(Protocol):
    """Appends to the chain, in order, off the caller's path.

    The queue is bounded. While it is full, or after a write failed and until one succeeds again,
    `append` and `ensure_writable` raise, and whatever had to be audited must not happen.
    """

    @property
    def queued(self) -> int:
        """Return how many events wait to be written."""
        ...

    def ensure_writable(self) -> None:
        """Return if a record could be queued now.

        Raises:
            AuditUnavailable: The last write failed, or the queue is full.
        """
        ...

    def append(self, event: AuditEvent) -> None:
        """Queue an event; it is written within 100 ms, in the order of the calls.

        Raises:
            AuditUnavailable: The last write failed, the queue is full, or the event holds what JSON
                does not know.
        """
        ...

    async def flush(self) -> None:
        """Return when everything queued is written.

        Raises:
            AuditUnavailable: It could not be written.
        """
        ...

    async def head(self) -> ChainHead:
        """Return the last written record's place."""
        ...

    async def records(self, *, after: int = 0, limit: int = 500) -> Page[AuditRecord]:
        """Return records in order of sequence, those after `after`."""
        ...
