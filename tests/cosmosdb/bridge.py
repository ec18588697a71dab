"""A server in front of the emulator that does right what the emulator does wrong.

What it mends, each as Azure Cosmos DB does it: TLS, without which the client sends no token; the
addresses in the account's document; 404 for an item that is missing; a transactional batch that is
one, with at most 100 operations; 413 above 2 MB; items whose time-to-live is over. It fails a query
that returns items of another partition than the one it names, counts the requests, and makes the
faults that a test asks for.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web

from tests.servers import listening, port_of

LARGEST_BYTES = 2 * 1024 * 1024
LARGEST_BATCH = 100
PARTITION = "x-ms-documentdb-partitionkey"
DROPPED = {"connection", "content-length", "content-encoding", "host", "transfer-encoding"}


@dataclass(frozen=True)
class Call:
    """A request for items, as it came in.

    Attributes:
        kind: `read`, `create`, `upsert`, `replace`, `patch`, `delete`, `batch` or `query`; a batch
            that only reads is a `read`.
        container: Of which container.
        partition: The partition's key; `None` where all are asked.
        reads: How many items are read by their ids.
        writes: How many items are written or removed.
    """

    kind: str
    container: str
    partition: str | None
    reads: int
    writes: int


@dataclass(frozen=True)
class Fault:
    """What happens to a call.

    Attributes:
        status: What is answered instead; `None` leaves the answer as it is.
        headers: What goes with that status.
        broken: Whether the connection breaks instead of any answer.
        done: Whether the call is done all the same.
        seconds: How long it takes first.
        until: What it waits for first.
    """

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    broken: bool = False
    done: bool = False
    seconds: float = 0.0
    until: asyncio.Event | None = None


@dataclass
class Bridge:
    """The running bridge.

    Attributes:
        url: The address that it names as the account's.
        port: Of loopback.
        calls: Every request for items since the list was last cleared.
        fault: Asked before every request for items.
        gate: Asked before every request: the status to refuse it with, or `None`.
        now: What time-to-live is measured by.
    """

    url: str
    port: int
    server: str
    session: aiohttp.ClientSession
    calls: list[Call] = field(default_factory=list)
    fault: Callable[[Call], Fault | None] = lambda _: None
    gate: Callable[[web.Request], int | None] = lambda _: None
    now: Callable[[], float] = time.time
    runner: web.AppRunner | None = None
    context: ssl.SSLContext | None = None
    _partition_keys: dict[str, tuple[str, int | None]] = field(default_factory=dict)
    _writing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request."""
        body = await request.read()
        refused = self.gate(request)
        if refused is not None:
            return _response(Answer(refused, {}, b'{"code": "Forbidden"}'))
        call = _call(request, body)
        if call is None:
            answer = await self._forward(request, body)
            return self._addressed(request, answer)
        self.calls.append(call)
        fault = self.fault(call) or Fault()
        await asyncio.sleep(fault.seconds)
        if fault.until is not None:
            await fault.until.wait()
        answer = Answer(fault.status or 200, fault.headers, b"{}")
        if fault.done or (fault.status is None and not fault.broken):
            done = await self._answered(request, body, call)
            answer = done if fault.status is None else answer
        if fault.broken:
            assert request.transport is not None
            request.transport.abort()
        return _response(answer)

    @asynccontextmanager
    async def vanished(self) -> AsyncIterator[None]:
        """Be gone until the block is left: every connection breaks, and none can be made."""
        assert self.runner is not None
        for site in tuple(self.runner.sites):
            await site.stop()
        assert self.runner.server is not None
        for connection in tuple(self.runner.server.connections):
            assert connection.transport is not None
            connection.transport.abort()
        yield
        bound = listening(self.port)
        await web.SockSite(self.runner, bound, ssl_context=self.context).start()

    async def _answered(self, request: web.Request, body: bytes, call: Call) -> Answer:
        if len(body) > LARGEST_BYTES:
            return Answer(413, {}, b"{}")
        await self._learn(request, call.container)
        if request.method == "GET":
            return await self._read(request, call)
        if call.kind == "query":
            return self._queried(await self._forward(request, body), call)
        async with self._writing:
            if call.kind in {"batch", "read"}:
                return await self._batch(request, body, call)
            if call.kind in {"replace", "patch", "delete"}:
                item = await self._read(request, call)
                if item.status != 200:
                    return item
            return await self._forward(request, body)

    async def _learn(self, request: web.Request, container: str) -> None:
        if container not in self._partition_keys:
            path = request.path.partition("/docs")[0]
            answer = await self._get(request, path)
            document = answer.document
            self._partition_keys[container] = (
                document["partitionKey"]["paths"][0].removeprefix("/"),
                document.get("defaultTtl"),
            )

    def _alive(self, item: dict[str, Any], container: str) -> bool:
        _, default = self._partition_keys[container]
        if default is None:
            return True
        lifetime = item.get("ttl", default)
        return bool(lifetime == -1 or item["_ts"] + lifetime > self.now())

    async def _read(self, request: web.Request, call: Call) -> Answer:
        answer = await self._get(request, request.path)
        # 500 is what the emulator says to the reading of an item that is missing.
        if answer.status in {404, 500} or not self._alive(answer.document, call.container):
            return Answer(404, {}, b'{"code": "NotFound"}')
        return answer

    def _queried(self, answer: Answer, call: Call) -> Answer:
        if answer.status != 200:
            return answer
        document = answer.document
        key, _ = self._partition_keys[call.container]
        items = document["Documents"]
        for item in items:
            if call.partition is not None and isinstance(item, dict):
                assert item.get(key, call.partition) == call.partition, "another partition's item"
        document["Documents"] = [
            item
            for item in items
            if not isinstance(item, dict) or "_ts" not in item or self._alive(item, call.container)
        ]
        return Answer(200, answer.headers, json.dumps(document).encode())

    async def _batch(self, request: web.Request, body: bytes, call: Call) -> Answer:
        operations = json.loads(body)
        if len(operations) > LARGEST_BATCH:
            return Answer(400, {}, b'{"message": "too many operations"}')
        there: dict[str, Answer] = {}
        for index, operation in enumerate(operations):
            operation["partitionKey"] = request.headers[PARTITION]
            item_id = operation.get("id") or operation["resourceBody"]["id"]
            if item_id not in there:
                there[item_id] = await self._read_id(request, item_id, call)
            status = _outcome(operation, there[item_id])
            if status >= 400:
                results = [{"statusCode": 424, "requestCharge": 0} for _ in operations]
                results[index]["statusCode"] = status
                return Answer(207, {}, json.dumps(results).encode())
            if operation["operationType"] != "Read":
                gone = operation["operationType"] == "Delete"
                there[item_id] = Answer(404 if gone else 200, {}, b'{"_etag": "of this batch"}')
        if call.kind == "read":
            found = [there[operation["id"]].document for operation in operations]
            return Answer(200, {}, json.dumps([_read_result(item) for item in found]).encode())
        return await self._forward(request, json.dumps(operations, ensure_ascii=False).encode())

    async def _read_id(self, request: web.Request, item_id: str, call: Call) -> Answer:
        answer = await self._get(request, f"{request.path.rstrip('/')}/{item_id}")
        if answer.status != 200 or not self._alive(answer.document, call.container):
            return Answer(404, {}, b"{}")
        return answer

    async def _get(self, request: web.Request, path: str) -> Answer:
        headers = {PARTITION: request.headers.get(PARTITION, "")}
        async with self.session.get(self.server + path, headers=headers) as answer:
            return Answer(answer.status, dict(answer.headers), await answer.read())

    async def _forward(self, request: web.Request, body: bytes) -> Answer:
        headers = {
            name: value for name, value in request.headers.items() if name.lower() not in DROPPED
        }
        async with self.session.request(
            request.method, self.server + request.path_qs, headers=headers, data=body
        ) as answer:
            return Answer(answer.status, dict(answer.headers), await answer.read())

    def _addressed(self, request: web.Request, answer: Answer) -> web.Response:
        if request.path == "/":
            document = answer.document
            for kind in ("writableLocations", "readableLocations"):
                for location in document[kind]:
                    location["databaseAccountEndpoint"] = f"{self.url}/"
            answer = Answer(answer.status, answer.headers, json.dumps(document).encode())
        return _response(answer)


@dataclass(frozen=True)
class Answer:
    """What the emulator, or the bridge in its place, answers."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        """Return the body read."""
        document: dict[str, Any] = json.loads(self.body)
        return document


def _outcome(operation: dict[str, Any], found: Answer) -> int:
    """Return the status that one operation of a batch ends with."""
    kind, there = operation["operationType"], found.status == 200
    if kind == "Create":
        return 409 if there else 201
    if not there and kind != "Upsert":
        return 404
    if operation.get("ifMatch") not in {None, found.document.get("_etag")}:
        return 412
    return 200


def _read_result(item: dict[str, Any]) -> dict[str, Any]:
    return {"statusCode": 200, "requestCharge": 1, "eTag": item["_etag"], "resourceBody": item}


def _response(answer: Answer) -> web.Response:
    headers = {name: value for name, value in answer.headers.items() if name.lower() not in DROPPED}
    return web.Response(status=answer.status, headers=headers, body=answer.body)


def _call(request: web.Request, body: bytes) -> Call | None:
    parts = request.path.strip("/").split("/")
    if len(parts) < 5 or parts[4] != "docs":
        return None
    headers = request.headers
    if request.method == "POST":
        if headers.get("x-ms-documentdb-isquery", "").lower() == "true":
            kind = "query"
        elif headers.get("x-ms-cosmos-is-batch-request", "").lower() == "true":
            kind = "batch"
        elif headers.get("x-ms-documentdb-is-upsert", "").lower() == "true":
            kind = "upsert"
        else:
            kind = "create"
    else:
        kind = {"GET": "read", "PUT": "replace", "PATCH": "patch", "DELETE": "delete"}[
            request.method
        ]
    reads, writes = int(kind == "read"), int(kind not in {"read", "query"})
    if kind == "batch":
        operations = json.loads(body)
        reads = sum(one["operationType"] == "Read" for one in operations)
        writes = len(operations) - reads
    partition = headers.get(PARTITION)
    return Call(
        kind if writes or not reads else "read",
        parts[3],
        json.loads(partition)[0] if partition else None,
        reads,
        writes,
    )


@asynccontextmanager
async def bridged(server: str, context: ssl.SSLContext) -> AsyncIterator[Bridge]:
    """Serve the bridge before the emulator at `server` until the block is left."""
    bound = listening()
    port = port_of(bound)
    async with aiohttp.ClientSession() as session:
        bridge = Bridge(f"https://127.0.0.1:{port}", port, server, session)
        app = web.Application(client_max_size=16 * LARGEST_BYTES)
        app.router.add_route("*", "/{path:.*}", bridge.handle)
        runner = web.AppRunner(app, shutdown_timeout=1.0)
        await runner.setup()
        bridge.runner, bridge.context = runner, context
        await web.SockSite(runner, bound, ssl_context=context).start()
        try:
            yield bridge
        finally:
            await runner.cleanup()
