"""Seal the audit as it stands."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from secure_openai.errors import StoreError
from secure_openai.store.audit import AuditStore, ChainHead, SealNote
from secure_openai.store.seals import Seal, Seals
from secure_openai.store.signing import Signer
from secure_openai.types import Clock, utc_now

logger = logging.getLogger(__name__)

TRIES = 20
"""How often another process may be quicker before this one gives up."""


async def seal(audit: AuditStore, seals: Seals, signer: Signer, *, clock: Clock = utc_now) -> Seal:
    """Write what is queued, then sign the head of every chain, outside the audit's database.

    What is sealed already is not sealed again: run twice, or killed anywhere and run again, or run
    by several processes at once, it leaves the same behind.

    Raises:
        AuditUnavailable: The audit cannot be written.
        StoreError: The seal cannot be made.
    """
    await audit.flush()
    for _ in range(TRIES):
        place = await seals.place(await signer.public_keys())
        now, last = clock(), place.last
        # A seal whose clock ran ahead must not hide the chains of today.
        since = min(last.sealed_at, now) if last and last.sealed_at else None
        sealed = last.heads if last and last.heads else ()
        heads = _not_behind(await audit.heads(since=since), sealed)
        made = last
        if last is None or not set(heads) <= set(sealed):
            made = await seals.put(place, heads, signer, now=now)
        if made is not None:
            await audit.note_seal(SealNote(made.number, made.digest))
            return made
    raise StoreError("Other processes seal the audit at the same time. Try again.")


def _not_behind(heads: Iterable[ChainHead], sealed: Iterable[ChainHead]) -> list[ChainHead]:
    """Return the heads, none of them behind what was sealed of it.

    A replica may answer from before the last seal, and then the chain is as long as was sealed. A
    chain whose end was cut off stays sealed as it was, and verification says so.
    """
    known = {head.chain: head for head in sealed}
    result = []
    for head in heads:
        earlier = known.get(head.chain, head)
        if head.sequence <= earlier.sequence and head != earlier:
            logger.warning(
                "audit chain %s reads as %d records long and was sealed up to %d: verify it",
                head.chain,
                head.sequence,
                earlier.sequence,
            )
            result.append(earlier)
        else:
            result.append(head)
    return result
