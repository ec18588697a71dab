"""Whether the audit is what was written, or which records, chains and seals were tampered with."""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from secure_openai.store.audit import AuditReader, ChainHead, SealNote, StoredRecord
from secure_openai.store.seals import FIRST, Seal
from secure_openai.store.walk import ChainWalk, Tampering, TamperingFound

GRACE = timedelta(hours=1)
"""How much older than a seal a record may say it is that the seal does not cover.

Clocks differ, and what waited out an outage of the store is written late.
"""


@dataclass(frozen=True, slots=True)
class Report:
    """What a verification found.

    Attributes:
        chains: How many were read.
        records: How many were read.
        seals: How many were read.
        sealed: How many records the good seals cover, over all chains.
        found: What is wrong; empty means that the audit holds.
        unnamed: How many more things are wrong than `found` names.
        whole: Whether everything was read; else only what was read was compared.
    """

    chains: int
    records: int
    seals: int
    sealed: int
    found: tuple[TamperingFound, ...]
    unnamed: int = 0
    whole: bool = True


async def verify(
    audit: AuditReader, seals: AsyncIterable[Seal], *, largest: int = 100, most: int | None = None
) -> Report:
    """Compare every chain with itself and with the seals.

    Everything is read once, as a stream. What is remembered is the name of each chain and, until
    the chain is read, the heads that seals gave it: it grows with the seals, not with the records.

    Args:
        audit: The audit.
        seals: In the order of their numbers, verified.
        largest: How many things to name; the rest is only counted.
        most: How many records to read; then the report says that it is not whole.

    Raises:
        StoreError: Something cannot be read.
    """
    # The note before the seals, the seals before the records: what is written meanwhile is no gap.
    note = await audit.noted_seal()
    sealed = _Sealed()
    async for seal in seals:
        sealed.take(seal)
        if note is not None and seal.number == note.number and seal.digest != note.digest:
            sealed.bad(seal.number, "is not the one that was made")
    sealed.compare(note)
    findings = _Findings(sealed.found, largest)
    chains = records = 0
    seen: set[str] = set()
    async for chain in audit.chains():
        if chain in seen:
            findings.take([_twice(chain)])
            continue
        seen.add(chain)
        chains += 1
        left = None if most is None else most - records
        records += await _check_chain(audit, chain, sealed, findings, most=left)
        if records == most:
            break
    whole = records != most
    for chain in sorted(sealed.chains.keys() - seen) if whole else ():
        findings.take([_unlisted(chain, sealed.chains[chain].reach)])
        records += await _check_chain(audit, chain, sealed, findings, listed=False)
    reach = sum(one.reach for one in sealed.chains.values())
    return Report(
        chains, records, sealed.count, reach, tuple(findings.named), findings.unnamed, whole
    )


async def _check_chain(
    audit: AuditReader,
    chain: str,
    sealed: _Sealed,
    findings: _Findings,
    *,
    listed: bool = True,
    most: int | None = None,
) -> int:
    """Read one chain, or the first `most` records of it; return how many that were."""
    facts = sealed.chains.get(chain) or _SealedChain(before=sealed.last_at)
    walk = ChainWalk(chain)
    added = False
    async for record in audit.stored(chain):
        wrong = list(walk.step(record))
        sealed_hash = facts.heads.get(record.sequence)
        if sealed_hash is not None and sealed_hash != record.hash:
            wrong.append(_rewritten(walk, record.sequence))
        # A chain's first record, and what follows the last that was sealed.
        if not added and (walk.count == 1 or record.sequence > facts.reach):
            seal_at = facts.before if walk.count == 1 else sealed.last_at
            added = _is_older(record, seal_at)
            if added:
                wrong.append(_added(walk, record.sequence))
        findings.take(wrong)
        if walk.count == most:
            return walk.count
    if facts.reach > walk.last and (listed or walk.count):
        findings.take([_cut(walk, facts.reach)], always=True)
    facts.heads.clear()
    return walk.count


def _is_older(record: StoredRecord, seal_at: datetime | None) -> bool:
    """Return whether a record says that it was there before a seal that does not cover it."""
    if seal_at is None:
        return False
    try:
        at = datetime.fromisoformat(json.loads(record.document)["at"]).astimezone(UTC)
    except (ValueError, TypeError, KeyError, RecursionError):
        # No event of ours: its hash says what is to be said of it.
        return False
    return at < seal_at - GRACE


class _Findings:
    """What is wrong, named up to a bound and counted from there on."""

    def __init__(self, named: list[TamperingFound], largest: int) -> None:
        self.named = named[:largest]
        self.unnamed = len(named[largest:])
        self._largest = largest

    def take(self, found: list[TamperingFound], *, always: bool = False) -> None:
        """Take what was found; `always` names it even where there is no room."""
        room = len(found) if always else max(0, self._largest - len(self.named))
        self.named += found[:room]
        self.unnamed += len(found[room:])


@dataclass(slots=True)
class _SealedChain:
    """What the good seals say of one chain.

    Attributes:
        before: When the last seal was begun that does not list it and precedes one that does.
        heads: Hashes by sequence.
        reach: The highest sequence that was sealed.
    """

    before: datetime | None = None
    heads: dict[int, str] = field(default_factory=dict)
    reach: int = 0


class _Sealed:
    """What the good seals say, and what is wrong with the others."""

    def __init__(self) -> None:
        self.chains: dict[str, _SealedChain] = {}
        self.found: list[TamperingFound] = []
        self.count = 0
        self.last_at: datetime | None = None
        self._previous = FIRST
        self._expected = 1

    def take(self, seal: Seal) -> None:
        """Take the next seal."""
        self.count += 1
        if seal.heads is None or seal.sealed_at is None:
            problem: str | None = seal.problem or "cannot be read"
        else:
            problem = self._order_problem(seal) or self._head_problem(seal.heads)
            if not problem:
                self._believe(seal.heads, seal.sealed_at)
        if problem:
            self.bad(seal.number, problem)
        self._previous, self._expected = seal.digest, seal.number + 1

    def bad(self, number: int, problem: str) -> None:
        """Note what is wrong with a seal."""
        self.found.append(TamperingFound(Tampering.BAD_SEAL, number, f"Seal {number} {problem}."))

    def compare(self, note: SealNote | None) -> None:
        """Look for seals that the audit noted and that are missing at the end."""
        last = self._expected - 1
        if note is not None and note.number > last:
            self.bad(note.number, f"was made and is missing; the last one there is seal {last}")

    def _believe(self, heads: Iterable[ChainHead], sealed_at: datetime) -> None:
        before = self.last_at
        if before is not None and before > sealed_at:
            # One of the two clocks was wrong: nothing follows from when they say it was.
            before = None
        for head in heads:
            if head.sequence:
                chain = self.chains.setdefault(head.chain, _SealedChain(before))
                chain.heads[head.sequence] = head.hash
                chain.reach = head.sequence
        self.last_at = sealed_at

    def _order_problem(self, seal: Seal) -> str:
        if seal.number != self._expected:
            return f"is there and seal {self._expected} is missing"
        if seal.previous != self._previous:
            return "does not follow the seal before it"
        return ""

    def _head_problem(self, heads: Iterable[ChainHead]) -> str:
        return next(self._head_problems(heads), "")

    def _head_problems(self, heads: Iterable[ChainHead]) -> Iterator[str]:
        for head in heads:
            earlier = self.chains.get(head.chain)
            if earlier is None:
                continue
            if head.sequence < earlier.reach:
                yield "contradicts a seal before it: it seals fewer records"
            elif earlier.heads.get(head.sequence, head.hash) != head.hash:
                yield "contradicts a seal before it: it seals another record in the same place"


def _rewritten(walk: ChainWalk, number: int) -> TamperingFound:
    return walk.found(
        Tampering.REWRITTEN,
        number,
        f"Record {number} is not the one that was sealed: the chain was rewritten from there or "
        "before.",
    )


def _added(walk: ChainWalk, number: int) -> TamperingFound:
    return walk.found(
        Tampering.ADDED,
        number,
        f"Record {number} says that it is older than a seal that does not cover it: it was added "
        "later.",
    )


def _cut(walk: ChainWalk, reach: int) -> TamperingFound:
    return walk.found(
        Tampering.CUT_TAIL,
        walk.last + 1,
        f"The chain ends at record {walk.last} and was sealed up to {reach}: "
        f"{reach - walk.last} or more at its end were removed.",
    )


def _twice(chain: str) -> TamperingFound:
    return TamperingFound(
        Tampering.DUPLICATED, 0, "The chain is listed twice: two bear one name.", chain
    )


def _unlisted(chain: str, reach: int) -> TamperingFound:
    return TamperingFound(
        Tampering.CHAIN_REMOVED,
        0,
        f"The chain was sealed up to record {reach} and is no longer listed: all of it was "
        "removed, or its name.",
        chain,
    )
