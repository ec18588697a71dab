"""The audit: who asked what of which deployment, what was decided and why, never the text.

Records form hash chains, one for each process that writes them; processes that share an embedded
store share its chain. A chain shows change, reordering and inner removal by itself; a cut tail, a
chain rewritten from some record on and a chain removed whole show only against a seal kept
elsewhere.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from secure_openai.types import JsonObject, Page, PrincipalId

EVERYBODY = "*"
"""Whom a look concerns that shows everybody in a list."""

LOOKED_AT = 2_000
"""Records that one search looks at: what is left is searched from where it says that it ended."""


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
        subject: Whom it concerns where that is not who acted: a principal's key, or `EVERYBODY`.
    """

    action: str
    at: datetime
    principal: PrincipalId | None
    decision: str
    reason: str
    deployment: str | None = None
    request_id: str | None = None
    facts: JsonObject | None = None
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class AuditQuestion:
    """Which records are looked for; what is left out is not asked about.

    Attributes:
        since: From when on, aware UTC.
        until: Before when.
        principal: Who acted.
        subjects: Whom it concerns: any of these.
        actions: What was done: any of these.
        decision: `allowed` or `refused`.
        reason: Why.
    """

    since: datetime | None = None
    until: datetime | None = None
    principal: PrincipalId | None = None
    subjects: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    decision: str | None = None
    reason: str | None = None

    def takes(self, event: AuditEvent) -> bool:
        """Return whether an event is one that is looked for."""
        return (
            (self.since is None or event.at >= self.since)
            and (self.until is None or event.at < self.until)
            and self.principal in {None, event.principal}
            and (not self.subjects or event.subject in self.subjects)
            and (not self.actions or event.action in self.actions)
            and self.decision in {None, event.decision}
            and self.reason in {None, event.reason}
        )

    @property
    def place(self) -> tuple[object, ...]:
        """Return what ties a continuation to this question."""
        return (
            "audit",
            self.since and self.since.isoformat(),
            self.until and self.until.isoformat(),
            self.principal and self.principal.key,
            self.subjects,
            self.actions,
            self.decision,
            self.reason,
        )


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
class AuditAnswer:
    """What a search found.

    Attributes:
        items: The records, the latest first.
        continuation: Where the search goes on; `None` where everything was looked at.
        reached: How far back it has looked, where there is more.
    """

    items: Sequence[AuditRecord]
    continuation: str | None = None
    reached: datetime | None = None


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The last record of a chain: what a seal signs.

    Attributes:
        chain: Identifier of the chain, unguessable, never used again.
        sequence: Of the last record.
        hash: Of the last record.
    """

    chain: str
    sequence: int
    hash: str


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record as stored, unread: what verification looks at.

    Attributes:
        sequence: Where it stands.
        document: The event's canonical JSON.
        previous: What it names as the hash of the record before.
        hash: Its own hash.
        agrees: Whether what the store keeps beside the document, to search by, says the same.
    """

    sequence: int
    document: str
    previous: str
    hash: str
    agrees: bool = True


@dataclass(frozen=True, slots=True)
class SealNote:
    """The audit's own note of a seal that was made: a seal removed at the end shows against it.

    Attributes:
        number: Of the seal.
        digest: Of its token.
    """

    number: int
    digest: str


class AuditReader(Protocol):
    """The audit as verification reads it: what is there, whatever was done to it."""

    def chains(self) -> AsyncIterator[str]:
        """Yield the identifier of every chain.

        Raises:
            StoreError: They cannot be read.
        """
        ...

    def stored(self, chain: str) -> AsyncIterator[StoredRecord]:
        """Yield the records of a chain in the order of their sequence; none for an unknown chain.

        Raises:
            StoreError: They cannot be read.
        """
        ...

    async def noted_seal(self) -> SealNote | None:
        """Return the note with the highest number.

        Raises:
            StoreError: It cannot be read.
        """
        ...


class AuditStore(AuditReader, Protocol):
    """Appends to the chain of this process, in order, off the caller's path.

    The queue is bounded. While it is full, while a write takes unusually long, or after one failed
    and until one succeeds again, `append` and `ensure_writable` raise, and whatever had to be
    audited must not happen. What has happened all the same, as the end of what was accepted before,
    is queued beside.
    """

    @property
    def queued(self) -> int:
        """Return how many events wait to be written."""
        ...

    def ensure_writable(self) -> None:
        """Return if a record could be queued now.

        Raises:
            AuditUnavailable: It could not.
        """
        ...

    @property
    def late(self) -> bool:
        """Return whether a write takes too long for anything to be accepted."""
        ...

    async def in_time(self) -> None:
        """Return when no write takes too long, or when one has for longer than anybody waits."""
        ...

    def append(self, event: AuditEvent, *, happened: bool = False) -> None:
        """Queue an event; it is written within 100 ms, in the order of the calls.

        Args:
            event: What is recorded.
            happened: Whether it cannot be refused any more: there is a place for it beside a full
                queue, and while nothing can be written.

        Raises:
            AuditUnavailable: It cannot be queued, or the event holds what JSON does not know or
                more than `chain.LARGEST_BYTES`.
        """
        ...

    async def flush(self) -> None:
        """Return when everything queued is written.

        Raises:
            AuditUnavailable: It could not be written.
        """
        ...

    async def heads(self, *, since: datetime | None = None) -> Sequence[ChainHead]:
        """Return the place of the last record of every chain that has one, ordered by chain.

        Args:
            since: Leave out chains that had ended by then, which a seal begun at that time has
                seen whole. What is returned stays as short as there are processes.

        Raises:
            StoreError: They cannot be read.
        """
        ...

    async def records(self, chain: str, *, after: int = 0, limit: int = 500) -> Page[AuditRecord]:
        """Return records of a chain in order of sequence, those after `after`.

        Raises:
            StoreError: They cannot be read.
        """
        ...

    def of(self, principal: PrincipalId) -> AsyncIterator[AuditRecord]:
        """Yield the records of what a principal did, of all chains, by time.

        For jobs: it asks every partition.

        Raises:
            StoreError: They cannot be read.
        """
        ...

    async def search(
        self, question: AuditQuestion, *, limit: int = 100, continuation: str | None = None
    ) -> AuditAnswer:
        """Return records of all chains that answer a question, the latest first.

        Time, principal, subject and action are looked up; decision and reason are compared with
        what is found so. At most `LOOKED_AT` records are looked at.

        Raises:
            RequestError: `continuation` is not one that this store gave for this question.
            StoreError: They cannot be read.
        """
        ...

    async def note_seal(self, note: SealNote) -> None:
        """Note that a seal was made; noting it twice is noting it once.

        Raises:
            StoreError: It cannot be noted.
        """
        ...
