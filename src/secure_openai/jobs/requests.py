"""Do what principals asked to be done with their data."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import timedelta

from secure_openai.errors import AuditUnavailable, NotFound, PreconditionFailed, StoreError
from secure_openai.jobs.erasure import Erasures
from secure_openai.jobs.export import Exports
from secure_openai.store.quota import DAYS_KEPT
from secure_openai.store.requests import DataRequest, RequestKind, RequestStore
from secure_openai.telemetry.runs import FAILED
from secure_openai.types import Clock, JsonObject, utc_now

logger = logging.getLogger(__name__)

WORDS = {
    (RequestKind.EXPORT, "done"): "exported",
    (RequestKind.EXPORT, "failed"): "too_large",
    (RequestKind.EXPORT, "expired"): "exports_expired",
    (RequestKind.ERASURE, "erased"): "erased",
    (RequestKind.ERASURE, "held"): "held",
    (RequestKind.ERASURE, "done"): "erasures_done",
}
"""What a report calls the state that a request has come to."""


async def attend(
    requests: RequestStore, exports: Exports, erasures: Erasures, *, clock: Clock = utc_now
) -> JsonObject:
    """Go on with every request that is due, the oldest first, and drop those long ended.

    Each goes on from wherever a run before has left it. What cannot be done for one keeps no other
    waiting.

    Returns:
        How many came to which state, and how many `failed` and wait for the next run.

    Raises:
        AuditUnavailable: Nothing can be recorded, so nothing is done.
        StoreError: Requests cannot be read.
    """
    counts: Counter[str] = Counter(dict.fromkeys((*WORDS.values(), FAILED), 0))
    for request in await requests.due(now=clock()):
        try:
            changed = await _attended(request, exports, erasures)
        except AuditUnavailable:
            raise
        except (StoreError, NotFound, PreconditionFailed) as error:
            logger.warning("a request waits for the next run: %s", error.slug)
            counts[FAILED] += 1
            continue
        if changed.state is not request.state:
            counts[WORDS[changed.kind, changed.state.value]] += 1
    await requests.purge(before=clock() - timedelta(days=DAYS_KEPT))
    return dict(counts)


async def _attended(request: DataRequest, exports: Exports, erasures: Erasures) -> DataRequest:
    if request.kind is RequestKind.ERASURE:
        return await erasures.go_on(request)
    return await (exports.make(request) if request.state.open else exports.expire(request))
