"""Azure Monitor's ingestion as it stands here: takes what is sent, and says how much that was."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import os
import ssl
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from tests.azure_cli import AZ, stand_in
from tests.ingestion import KEY
from tests.servers import listening, served
from tests.system import free_ports
from tests.tls import Tls, make_tls

from bench.gateway.processes import LOAD_CORE, process, wait


def app() -> Starlette:
    """Return a server that counts the items of each kind and keeps none."""
    taken: Counter[str] = Counter()

    async def take(request: Request) -> Response:
        if request.method == "GET":
            return JSONResponse(taken)
        body = await request.body()
        if request.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        items = json.loads(body)
        taken.update(item["data"]["baseType"] for item in items)
        count = len(items)
        return JSONResponse({"itemsReceived": count, "itemsAccepted": count, "errors": []})

    return Starlette(routes=[Route("/{path:path}", take, methods=["GET", "POST"])])


class Ingestion:
    """A running one."""

    def __init__(self, url: str, tls: Tls, commands: Path) -> None:
        self._url = url
        self._tls = tls
        self._commands = commands

    @property
    def settings(self) -> dict[str, str]:
        """Return the variables by which the application sends there, 5 % of its traces."""
        where = f"InstrumentationKey={KEY};IngestionEndpoint={self._url}/;LiveEndpoint={self._url}/"
        return {
            "APPLICATIONINSIGHTS_CONNECTION_STRING": where,
            "PATH": f"{self._commands}:{os.environ['PATH']}",
            "SECURE_OPENAI_CA_BUNDLE": str(self._tls.ca),
        }

    def taken(self) -> dict[str, int]:
        """Return how many items of each kind have come."""
        context = ssl.create_default_context(cafile=str(self._tls.ca))
        with urllib.request.urlopen(self._url, timeout=10, context=context) as answer:
            found: dict[str, int] = json.load(answer)
        return found


@contextmanager
def ingesting(folder: Path) -> Iterator[Ingestion]:
    """Run one on the load's core."""
    folder.mkdir()
    commands = folder / "bin"
    commands.mkdir()
    stand_in(commands, "az", AZ)
    tls, port = make_tls(folder, "localhost"), free_ports(1)
    command = [
        *(sys.executable, "-m", "bench.gateway.ingestion", str(port)),
        *(str(tls.certificate), str(tls.key)),
    ]
    with process(command, core=LOAD_CORE):
        url = f"https://localhost:{port}"
        context = ssl.create_default_context(cafile=str(tls.ca))
        wait(url, {}, context=context)
        yield Ingestion(url, tls, commands)


async def _serve(port: int, tls: Tls) -> None:
    async with served(app(), listening(port), tls=tls):
        await asyncio.Event().wait()


if __name__ == "__main__":
    _port, _certificate, _key = sys.argv[1:]
    _tls = Tls(Path(_certificate), Path(_certificate), Path(_key))
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(int(_port), _tls))
