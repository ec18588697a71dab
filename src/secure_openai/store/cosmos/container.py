"""A container of items: the few calls that the stores make, bounded in time and attempts."""

from __future__ import annotations

import asyncio
import json
from asyncio import sleep
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from azure.core import MatchConditions
from azure.core.exceptions import AzureError

from secure_openai.errors import NotFound, RequestError, TooLarge
from secure_openai.store.cosmos.translation import TOO_LARGE, translated, wait_before_retry
from secure_openai.types import JsonObject

if TYPE_CHECKING:
    from azure.cosmos.aio import ContainerProxy

T = TypeVar("T")

ETAG = "_etag"
SYSTEM = frozenset({"_rid", "_self", "_etag", "_attachments", "_ts", "_lsn"})
"""Members that the service writes (Azure Cosmos DB, "Azure Cosmos DB resource model")."""

CALL_SECONDS = 10.0
"""How long one call takes at most, with all its attempts."""

WAIT_SECONDS = 5.0
"""How long a call waits between its attempts at most, whatever the server asks for."""

LARGEST_BATCH = 100
"""Operations of a transactional batch ("Transactional batch operations", limitations)."""

LARGEST_BYTES = 1_000_000
"""An item, and what is written together. The service takes 2 MB ("Azure Cosmos DB service quotas");
the HTTP client sends up to 1 MiB without holding up everything else."""

SURROGATE = "The text holds half of a surrogate pair, which UTF-8 cannot store: leave it out."


@dataclass(frozen=True, slots=True)
class Create:
    """Store an item whose id is free."""

    item: JsonObject


@dataclass(frozen=True, slots=True)
class Upsert:
    """Store an item, over the one of this id if there is one."""

    item: JsonObject


@dataclass(frozen=True, slots=True)
class Read:
    """Fail the batch unless the item is there."""

    item_id: str


@dataclass(frozen=True, slots=True)
class Replace:
    """Write over an item that still has this etag."""

    item: JsonObject
    etag: str


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove an item; with an etag, only one that still has it."""

    item_id: str
    etag: str | None = None


Operation: TypeAlias = Create | Upsert | Read | Replace | Delete


class Container:
    """One container.

    A call that is throttled waits for as long as the server says, within `WAIT_SECONDS` in all; a
    read is tried again after any passing fault, a write only where nothing can have been done.
    Every call raises `OutcomeUnknown` where a write may have been done, and another `StoreError`
    where it was not.
    """

    def __init__(
        self,
        proxy: ContainerProxy,
        partition_key: str,
        *,
        ready: Callable[[], Awaitable[None]],
    ) -> None:
        self._proxy = proxy
        self._partition_key = partition_key
        self._ready = ready

    async def read(self, item_id: str, partition: str) -> JsonObject | None:
        """Return an item, or `None`.

        Raises:
            StoreError: It cannot be read.
        """
        try:
            item: JsonObject = await self._called(
                lambda: self._proxy.read_item(item_id, partition), repeatable=True
            )
        except NotFound:
            return None
        return item

    async def read_latest(self, item_id: str, partition: str) -> JsonObject | None:
        """Return an item as it was last written by anybody, or `None`.

        With the account's session consistency, a read sees what this client wrote and may be
        behind what another has. A transactional batch runs where writes are decided, and so does
        this: a batch that only reads.

        Raises:
            StoreError: It cannot be read.
        """
        try:
            (item,) = await self.batch(partition, [Read(item_id)])
        except NotFound:
            return None
        return item

    async def create(self, item: JsonObject) -> JsonObject:
        """Store an item and return it as stored, with its etag.

        Raises:
            AlreadyStored: There is one of this id.
            RequestError: It is larger than `LARGEST_BYTES`, or no text.
            StoreError: It cannot be written.
        """
        check_size(item)
        created: JsonObject = await self._called(lambda: self._proxy.create_item(dict(item)))
        return created

    async def replace(self, item: JsonObject, *, etag: str) -> JsonObject:
        """Write over an item that still has `etag`; return it with its next.

        Raises:
            NotFound: It is gone.
            PreconditionFailed: It was written since.
            RequestError: It is larger than `LARGEST_BYTES`, or no text.
            StoreError: It cannot be written.
        """
        check_size(item)
        replaced: JsonObject = await self._called(
            lambda: self._proxy.replace_item(
                item["id"],
                without_system(item),
                etag=etag,
                match_condition=MatchConditions.IfNotModified,
            )
        )
        return replaced

    async def upsert(self, item: JsonObject) -> JsonObject:
        """Store an item, over the one of this id if there is one.

        Raises:
            RequestError: It is larger than `LARGEST_BYTES`, or no text.
            StoreError: It cannot be written.
        """
        check_size(item)
        stored: JsonObject = await self._called(
            lambda: self._proxy.upsert_item(without_system(item)), repeatable=True
        )
        return stored

    async def delete(self, item_id: str, partition: str, *, etag: str | None = None) -> None:
        """Remove an item.

        Raises:
            NotFound: It is gone already.
            PreconditionFailed: It was written since `etag` was read.
            StoreError: It cannot be removed.
        """
        conditions: dict[str, Any] = (
            {} if etag is None else {"etag": etag, "match_condition": MatchConditions.IfNotModified}
        )
        await self._called(
            lambda: self._proxy.delete_item(item_id, partition, **conditions),
            repeatable=etag is None,
        )

    async def batch(self, partition: str, operations: Sequence[Operation]) -> list[JsonObject]:
        """Do all operations on items of one partition, or none.

        Returns the items as they are then, in the order of the operations; an empty one for each
        that was removed.

        Raises:
            AlreadyStored: An item to create is there.
            NotFound: An item to read, replace or delete is not.
            PreconditionFailed: An item was written since its etag was read.
            RequestError: More than `LARGEST_BATCH` operations, or more than `LARGEST_BYTES`.
            StoreError: Nothing can be written.
        """
        if len(operations) > LARGEST_BATCH:
            raise TooLarge(f"At most {LARGEST_BATCH} items are written together.")
        check_size([_written(operation) for operation in operations])
        formatted = [_formatted(operation) for operation in operations]
        results = await self._called(
            lambda: self._proxy.execute_item_batch(formatted, partition),
            repeatable=all(isinstance(operation, Read) for operation in operations),
        )
        return [result.get("resourceBody") or {} for result in results]

    async def query(
        self,
        text: str,
        parameters: Mapping[str, object],
        *,
        limit: int,
        partition: str | None = None,
    ) -> list[JsonObject]:
        """Return at most `limit` items, of one partition or of all.

        Args:
            text: The query; values stand in `parameters` and nowhere else. One over a partition
                names it in its condition, too.
            parameters: By their names without `@`.
            limit: How many items to return.
            partition: The partition; `None` asks all of them, which costs each a request.

        Raises:
            StoreError: It cannot be asked.
        """
        where: dict[str, Any] = {} if partition is None else {"partition_key": partition}

        async def asked() -> list[JsonObject]:
            found: list[JsonObject] = []
            pages = self._proxy.query_items(
                text,
                parameters=[{"name": f"@{name}", "value": parameters[name]} for name in parameters],
                max_item_count=limit,
                **where,
            )
            async for item in pages:
                found.append(item)
                if len(found) == limit:
                    break
            return found

        return await self._called(asked, repeatable=True)

    async def _called(self, call: Callable[[], Awaitable[T]], *, repeatable: bool = False) -> T:
        try:
            async with asyncio.timeout(CALL_SECONDS):
                await self._ready()
                return await _attempted(call, repeatable=repeatable)
        except (AzureError, TimeoutError) as error:
            raise translated(error) from error


async def _attempted(call: Callable[[], Awaitable[T]], *, repeatable: bool) -> T:
    waited = 0.0
    for attempt in count():
        try:
            return await call()
        except AzureError as error:
            wait = wait_before_retry(error, attempt, repeatable=repeatable)
            if wait is None or waited + wait > WAIT_SECONDS:
                raise
            waited += wait
            await sleep(wait)
    raise AssertionError  # pragma: no cover - `count` does not end


def without_system(item: JsonObject) -> JsonObject:
    """Return an item without the members that the service writes."""
    return {name: value for name, value in item.items() if name not in SYSTEM}


def check_size(value: object, *, largest: int = LARGEST_BYTES, detail: str = TOO_LARGE) -> None:
    """Refuse what the service would refuse, before anything is sent.

    Raises:
        TooLarge: It is larger than `largest` bytes as JSON in UTF-8.
        RequestError: It holds a text that UTF-8 does not know.
    """
    try:
        size = len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
    except UnicodeEncodeError:
        raise RequestError(SURROGATE) from None
    if size > largest:
        raise TooLarge(detail)


def _written(operation: Operation) -> object:
    match operation:
        case Create(item) | Upsert(item) | Replace(item):
            return item
    return None


def _formatted(operation: Operation) -> Any:
    match operation:
        case Create(item):
            return ("create", (dict(item),))
        case Upsert(item):
            return ("upsert", (without_system(item),))
        case Read(item_id):
            return ("read", (item_id,))
        case Replace(item, etag):
            return ("replace", (item["id"], without_system(item)), {"if_match_etag": etag})
        case Delete(item_id, etag):
            return ("delete", (item_id,), {} if etag is None else {"if_match_etag": etag})
