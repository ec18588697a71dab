"""The application as a process on an Azure host: `secure-openai serve`, and settings only."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

import httpx2

from secure_openai.credential import credential_of
from secure_openai.outbound import Outbound
from secure_openai.settings import Settings
from secure_openai.stores import Stores, open_stores
from secure_openai.testing.person import sign_in
from tests.hosted.estate import Estate
from tests.system import environment

T = TypeVar("T")

READY_SECONDS = 60.0
END_SECONDS = 40.0


@dataclass
class Application:
    """A running instance.

    Attributes:
        estate: What it runs on.
        port: Its own; people reach one instance at the estate's.
        log: What it writes.
        process: Itself.
    """

    estate: Estate
    port: int
    log: Path
    process: asyncio.subprocess.Process

    def client(self, **headers: str) -> httpx2.AsyncClient:
        """Return a client of this instance without credentials, which sends what a page sends."""
        host = self.estate.url.partition("//")[2]
        own = {"Host": host, "Origin": self.estate.url, "Sec-Fetch-Site": "same-origin"}
        return httpx2.AsyncClient(
            base_url=f"http://localhost:{self.port}",
            headers=own | headers,
            timeout=60,
            trust_env=False,
            verify=ssl.create_default_context(cafile=self.estate.tls.ca),
        )

    @asynccontextmanager
    async def browser(self, name: str) -> AsyncIterator[httpx2.AsyncClient]:
        """Yield a client that is signed in by cookie."""
        async with self.client() as http:
            # A redirect leads to the issuer, which has a name of its own.
            del http.headers["Host"]
            page = await sign_in(http, f"http://localhost:{self.port}", name)
            assert page.status_code == 200, page.text
            http.headers["Host"] = self.estate.url.partition("//")[2]
            yield http

    async def started(self) -> None:
        """Return once its self-check has passed."""
        async with asyncio.timeout(READY_SECONDS), self.client() as http:
            while (await http.get("/startupz")).status_code != HTTPStatus.OK:
                await asyncio.sleep(0.1)

    async def ready(self) -> bool:
        """Return whether it says that it would serve."""
        try:
            async with self.client() as http:
                return (await http.get("/readyz", timeout=5)).status_code == 200
        except httpx2.HTTPError:
            return False


@asynccontextmanager
async def application(
    estate: Estate,
    folder: Path,
    *,
    port: int | None = None,
    ready: bool = True,
    settings: Mapping[str, str] | None = None,
    **changes: str,
) -> AsyncIterator[Application]:
    """Run an instance until the block is left, and end it as App Service does.

    Args:
        estate: What it runs on.
        folder: Where it may write, and its log is.
        port: Where it listens, unless at the estate's port.
        ready: Whether to wait until it is.
        settings: Settings that differ, by their whole names.
        changes: The same.
    """
    chosen = port or estate.port
    log = folder / f"{chosen}.log"
    environment_of_it = {
        **estate.settings(),
        "SECURE_OPENAI_LISTEN_PORT": str(chosen),
        "SECURE_OPENAI_DATA": str(folder / "data"),
        **(settings or {}),
        **changes,
    }
    with log.open("wb") as written:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "secure_openai.cli", "serve"),
            env=environment(**environment_of_it),
            stdout=written,
            stderr=written,
            cwd=folder,
        )
    started = Application(estate, chosen, log, process)
    try:
        async with asyncio.timeout(READY_SECONDS):
            while ready and not await started.ready():
                assert process.returncode is None, log.read_text()
                await asyncio.sleep(0.05)
        yield started
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            async with asyncio.timeout(END_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise


@contextmanager
def in_a_thread(context: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """Keep an asynchronous context open in a thread of its own, for tests that are not."""
    loop = asyncio.new_event_loop()
    entered: Future[T] = Future()
    over = asyncio.Event()

    async def run() -> None:
        try:
            async with context as value:
                entered.set_result(value)
                await over.wait()
        except BaseException as error:
            if entered.done():
                raise
            entered.set_exception(error)

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    try:
        yield entered.result(READY_SECONDS)
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


@asynccontextmanager
async def stores_of(estate: Estate) -> AsyncIterator[Stores]:
    """Open what is kept as the Function App does: by the same settings."""
    with patch.dict(os.environ, estate.settings()):
        settings = Settings.load()
        outbound = Outbound.of(settings)
        credential = credential_of(settings, outbound)
    try:
        async with open_stores(settings, outbound=outbound, credential=credential) as stores:
            yield stores
    finally:
        await credential.close()


@dataclass
class Talk:
    """A conversation that a signed-in client has.

    Attributes:
        http: The client.
        path: Where its messages are.
    """

    http: httpx2.AsyncClient
    path: str

    @classmethod
    async def begin(cls, http: httpx2.AsyncClient, title: str = "talk") -> Talk:
        """Begin a conversation."""
        made = await http.post("/api/conversations", json={"title": title})
        assert made.status_code == 201, made.text
        return cls(http, f"/api/conversations/{made.json()['id']}/messages")

    async def ask(self, text: str, deployment: str = "chat") -> httpx2.Response:
        """Send a message; return the whole stream, or the refusal."""
        return await self.http.post(self.path, json={"text": text, "deployment": deployment})

    async def kept(self) -> list[tuple[str, str, str]]:
        """Return who said what, and how it ended."""
        listed = await self.http.get(self.path)
        assert listed.status_code == 200, listed.text
        return [(one["author"], one["text"], one["status"]) for one in listed.json()["items"]]


def lines_of(log: Path) -> list[dict[str, Any]]:
    """Return what an instance has logged; each line is an object."""
    return [json.loads(line) for line in log.read_text().splitlines() if line]
