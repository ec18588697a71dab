"""A store, with each of its operations observed: one measurement, and a span of what is slow.

Most spans of a trace would be of stores that answered at once, and each costs as much as everything
else that is observed of a request together: a span is made of what was slow or failed only.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable
from operator import attrgetter
from time import perf_counter
from typing import Any, TypeVar, cast

from opentelemetry.trace import SpanKind

from secure_openai.streams import error_of
from secure_openai.telemetry import metrics, names
from secure_openai.telemetry.spans import error_type, past

StoreT = TypeVar("StoreT")


def observed(store: StoreT, *, system: str, collection: str) -> StoreT:
    """Return a store that does what `store` does, with its asynchronous operations observed.

    Arguments and results are not looked at: what is kept stays between the store and its caller.

    Args:
        store: What to observe.
        system: Which database, in the words of the conventions (`db.system.name`).
        collection: Which store.
    """
    kind = type(store)
    # Of a property the store is asked each time, without another look at what it is.
    properties = {
        name: property(attrgetter(f"_observed_store.{name}"))
        for name in dir(kind)
        if isinstance(inspect.getattr_static(kind, name), property)
    }
    observing = type("Observed", (_Observed,), properties)
    return cast("StoreT", observing(store, system, collection))


class _Observed:
    def __init__(self, store: object, system: str, collection: str) -> None:
        self._observed_store = store
        self._observed_attributes = {
            names.SYSTEM.name: system,
            names.COLLECTION.name: collection,
        }

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._observed_store, name)
        if not callable(found):
            # A value, which may be another one the next time.
            return found
        if inspect.iscoroutinefunction(found):
            found = _operation(found, name, self._observed_attributes)
        elif _returns_future(found):
            found = _begun_operation(found, name, self._observed_attributes)
        if inspect.isroutine(found):
            # Found once: from here on it is an attribute like any other.
            self.__dict__[name] = found
        return found


def _returns_future(found: object) -> bool:
    """Return whether it begins what it does when it is called, and returns when that is done."""
    if not inspect.isroutine(found):
        return False
    return str(inspect.signature(found).return_annotation).startswith("asyncio.Future[")


def _operation(
    call: Callable[..., Awaitable[Any]], name: str, attributes: dict[str, str]
) -> Callable[..., Awaitable[Any]]:
    told, title = _told(name, attributes)

    @functools.wraps(call)
    async def operation(*arguments: Any, **options: Any) -> Any:
        began = perf_counter()
        try:
            result = await call(*arguments, **options)
        except BaseException as error:
            _ended(title, told, began, error)
            raise
        _ended(title, told, began, None)
        return result

    return operation


def _begun_operation(
    call: Callable[..., asyncio.Future[Any]], name: str, attributes: dict[str, str]
) -> Callable[..., asyncio.Future[Any]]:
    told, title = _told(name, attributes)

    @functools.wraps(call)
    def operation(*arguments: Any, **options: Any) -> asyncio.Future[Any]:
        began = perf_counter()
        done = call(*arguments, **options)
        done.add_done_callback(lambda done: _ended(title, told, began, error_of(done)))
        return done

    return operation


def _told(name: str, attributes: dict[str, str]) -> tuple[dict[str, str], str]:
    """Return what is measured with an operation, and what a span of it is called."""
    return {**attributes, names.QUERY.name: name}, f"{name} {attributes[names.COLLECTION.name]}"


def _ended(title: str, told: dict[str, str], began: float, error: BaseException | None) -> None:
    seconds = perf_counter() - began
    if error is not None:
        metrics.store_duration.record(seconds, {**told, names.ERROR.name: error_type(error)})
        past(title, told, SpanKind.CLIENT, seconds=seconds, error=error)
        return
    metrics.store_duration.record(seconds, told)
    if seconds >= names.SLOW_SECONDS:
        past(title, told, SpanKind.CLIENT, seconds=seconds)
