"""Seal the audit chain as it stands."""

from __future__ import annotations

from secure_openai.store.audit import AuditStore
from secure_openai.store.seals import Seal, SealFolder, Signer
from secure_openai.types import Clock, utc_now


async def seal(
    audit: AuditStore, seals: SealFolder, signer: Signer, *, clock: Clock = utc_now
) -> Seal:
    """Write what is queued, then sign the chain's head into the seals' folder.

    Raises:
        AuditUnavailable: The audit cannot be written.
        StoreError: The seal cannot be written.
    """
    await audit.flush()
    return seals.add(await audit.head(), signer, now=clock())
