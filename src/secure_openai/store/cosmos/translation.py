"""Azure's exceptions in our tree, and which of them are worth another attempt."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import aiohttp
from azure.core.exceptions import AzureError, ClientAuthenticationError, ServiceRequestError
from azure.cosmos.exceptions import CosmosBatchOperationError, CosmosHttpResponseError

from secure_openai.errors import (
    AlreadyStored,
    NotFound,
    OutcomeUnknown,
    PreconditionFailed,
    SecureOpenAIError,
    StorageFull,
    StoreError,
    TooLarge,
)

logger = logging.getLogger(__name__)

TOO_LARGE = "This is larger than the store keeps in one piece: make it shorter."
BUSY = "The store is busy. Try again in a moment."

RETRY_AFTER = "x-ms-retry-after-ms"
PARTITION_FULL = 1014
CONTAINER_MISSING = 1003
STALE_REPLICA = 1002
"""Sub-statuses (Azure Cosmos DB, "HTTP status codes for Azure Cosmos DB" and the client's
`http_constants.SubStatusCodes`): a logical partition has reached its 20 GB; the database or the
container is not there; no replica has yet what this session wrote."""

REFUSED_BEFORE = frozenset({429, 449})
"""Statuses after which nothing was done: over the throughput, or in conflict with a write that was
under way ("Retry With")."""

UNDECIDED = frozenset({408, 410, 500, 502, 503, 504})
"""Statuses after which a write may have been done all the same."""

BACKOFF_SECONDS = 0.05
LARGEST_BACKOFF_SECONDS = 1.0
ATTEMPTS = 4
"""How often a call is made that meets anything but a server asking to wait."""


def status_of(error: BaseException) -> int:
    """Return the HTTP status of an answer, 0 where there was none."""
    if isinstance(error, (CosmosHttpResponseError, CosmosBatchOperationError)):
        return int(error.status_code or 0)
    return 0


def _sub_status(error: BaseException) -> int:
    return int(getattr(error, "sub_status", None) or 0)


def never_sent(error: BaseException) -> bool:
    """Return whether nothing was sent, so that nothing can have been done.

    The client raises `ServiceRequestError` also where the connection broke after the request had
    gone out, so its class alone does not say so.
    """
    if isinstance(error, ClientAuthenticationError):
        return True
    inner = getattr(error, "inner_exception", None)
    return isinstance(error, ServiceRequestError) and isinstance(
        inner, (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)
    )


def wait_before_retry(error: BaseException, attempt: int, *, repeatable: bool) -> float | None:
    """Return how many seconds to wait before the next attempt, `None` where none is worth it.

    Args:
        error: What the attempt ended with.
        attempt: 0 for the first.
        repeatable: Whether the call does no harm if it was done already: every read.
    """
    backoff = min(BACKOFF_SECONDS * 2.0**attempt, LARGEST_BACKOFF_SECONDS)
    status = status_of(error)
    if status in REFUSED_BEFORE:
        return _retry_after(error) or backoff
    if attempt + 1 >= ATTEMPTS or isinstance(error, ClientAuthenticationError):
        return None
    if never_sent(error):
        return backoff
    if repeatable and (status in UNDECIDED or status == 0):
        return backoff
    return None


def _retry_after(error: BaseException) -> float | None:
    headers: Mapping[str, str] = getattr(error, "headers", None) or {}
    try:
        return max(0, int(headers[RETRY_AFTER])) / 1000
    except (KeyError, ValueError):
        return None


def translated(error: AzureError | TimeoutError) -> SecureOpenAIError:
    """Return an error of the client in our tree; its own text stays in the cause.

    A 404 that speaks of the database or the container is a fault of the estate, not an item that
    is missing.
    """
    status, sub_status = status_of(error), _sub_status(error)
    told = _told(status, sub_status)
    if told is not None:
        return told
    if status in REFUSED_BEFORE:
        return StoreError(BUSY, retry_after=_retry_after(error) or 1.0)
    # The text of an answer can hold what was sent: only its numbers are logged.
    logger.warning(
        "Cosmos DB could not be used: %s, status %d, sub-status %d",
        type(error).__name__,
        status,
        sub_status,
    )
    if never_sent(error) or (status and status not in UNDECIDED):
        return StoreError()
    return OutcomeUnknown()


def _told(status: int, sub_status: int) -> SecureOpenAIError | None:
    """Return what an answer says of the item, or `None` where it says nothing of it."""
    match status, sub_status:
        case (404, other) if other not in {CONTAINER_MISSING, STALE_REPLICA}:
            return NotFound()
        case (409, _):
            return AlreadyStored()
        case (412, _):
            return PreconditionFailed()
        case (413, _):
            return TooLarge(TOO_LARGE)
        case (403, other) if other == PARTITION_FULL:
            return StorageFull()
    return None
