"""Conditional writes that meet others: read, decide, write, and once more if someone was faster."""

from __future__ import annotations

import random
from asyncio import sleep
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from secure_openai.errors import OutcomeUnknown, PreconditionFailed, SecureOpenAIError, StoreError
from secure_openai.store.cosmos.translation import BUSY

T = TypeVar("T")

ATTEMPTS = 40
UNKNOWN_OUTCOMES = 2
BACKOFF_SECONDS = 0.01
LARGEST_BACKOFF_SECONDS = 0.25


class TryAgain(Exception):
    """The write was not done, or it is not known whether it was.

    Attributes:
        reason: What it ended with.
    """

    def __init__(self, reason: SecureOpenAIError) -> None:
        super().__init__()
        self.reason = reason


@contextmanager
def contended(*further: type[SecureOpenAIError]) -> Iterator[None]:
    """Let the write inside be tried again where someone else wrote first, or nobody answered.

    Args:
        further: What else says that someone else was faster.
    """
    passing: tuple[type[SecureOpenAIError], ...] = (PreconditionFailed, OutcomeUnknown, *further)
    try:
        yield
    except passing as error:
        raise TryAgain(error) from error


async def until_decided(attempt: Callable[[], Awaitable[T]]) -> T:
    """Make attempts until one returns or raises anything but `TryAgain`.

    An attempt reads anew and recognises a write of an attempt before it, so that one whose outcome
    was unknown is neither done twice nor taken for somebody else's.

    Raises:
        StoreError: Others were faster every time, or the store does not answer.
    """
    unknown = 0
    for number in range(ATTEMPTS):
        try:
            return await attempt()
        except TryAgain as again:
            if isinstance(again.reason, OutcomeUnknown):
                unknown += 1
                if unknown > UNKNOWN_OUTCOMES:
                    raise again.reason from again
        longest = min(BACKOFF_SECONDS * 2.0**number, LARGEST_BACKOFF_SECONDS)
        # Apart by chance, so that those who met once do not meet again.
        await sleep(random.uniform(0, longest))
    raise StoreError(BUSY, retry_after=1.0)
