"""Faults that come in an order: the first call, every second, one that nobody answers."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from tests.cosmosdb.bridge import Call, Fault

WRITES = frozenset({"create", "upsert", "replace", "patch", "delete", "batch"})

UNANSWERED = Fault(broken=True, done=True)
"""The call is done, and the connection breaks before anybody says so."""

UNDONE = Fault(broken=True)
"""The connection breaks before the call is done."""


def throttled(milliseconds: int) -> Fault:
    """Return what an account says that is over its throughput."""
    return Fault(status=429, headers={"x-ms-retry-after-ms": str(milliseconds)})


def first(
    fault: Fault, *, number: int = 1, kinds: frozenset[str] = WRITES
) -> Callable[[Call], Fault | None]:
    """Return a plan by which the first `number` calls of these kinds meet a fault."""
    numbers = count(1)

    def plan(call: Call) -> Fault | None:
        return fault if call.kind in kinds and next(numbers) <= number else None

    return plan


def every_second(fault: Fault) -> Callable[[Call], Fault | None]:
    """Return a plan by which every second call meets a fault."""
    numbers = count()
    return lambda _: fault if next(numbers) % 2 else None


def always(fault: Fault) -> Callable[[Call], Fault | None]:
    """Return a plan by which every call meets a fault."""
    return lambda _: fault
