"""What a pool costs: our CPU for each request and event, against its one member asked directly.

    python bench/pool.py

The accounts are servers in processes of their own. Prints Markdown.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.system import environment, free_ports

from secure_openai.model.azure_openai import AzureOpenAIModel
from secure_openai.model.interface import Model
from secure_openai.model.pool import Member, Pool
from secure_openai.outbound import Outbound
from secure_openai.testing.model_contract import request
from secure_openai.types import Deployment

ROUNDS = 5
REQUESTS = 400
SERVER = """
import sys, uvicorn
from secure_openai.model.scripted_server import scripted_model_app
uvicorn.run(scripted_model_app(), port=int(sys.argv[1]), log_level="critical", access_log=False)
"""


@contextmanager
def account(port: int) -> Iterator[str]:
    process = subprocess.Popen([sys.executable, "-c", SERVER, str(port)], env=environment())
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


async def ours() -> str:
    return "Bearer ours"


async def answered(model: Model) -> None:
    async with asyncio.timeout(20):
        while not await model.ready():  # noqa: ASYNC110 - another process gets ready
            await asyncio.sleep(0.05)


async def microseconds(model: Model, text: str, *, stream: bool) -> float:
    """Return our CPU for one request."""
    began = time.process_time()
    for _ in range(REQUESTS):
        response = await model.open(request(text, stream=stream))
        if stream:
            async for _ in response.events():
                pass
        else:
            await response.read()
        await response.aclose()
    return (time.process_time() - began) / REQUESTS * 1e6


async def measured(urls: list[str]) -> None:
    async with Outbound().session() as session:
        accounts = [
            AzureOpenAIModel(
                url, [Deployment("scripted", "scripted")], session=session, authorization=ours
            )
            for url in urls
        ]
        models: dict[str, Model] = {
            "one account, directly": accounts[0],
            "pool of it alone": Pool([Member("a", 1, accounts[0])]),
            "pool of three": Pool(
                [Member(name, 1, one) for name, one in zip("abc", accounts, strict=True)]
            ),
        }
        for one in accounts:
            await answered(one)
        print("| way | whole, µs | streamed, 4 words, µs | streamed, 204 words, µs |")
        print("| --- | --- | --- | --- |")
        cells: dict[str, list[list[float]]] = {name: [[], [], []] for name in models}
        for _ in range(ROUNDS):
            for name, model in models.items():
                for index, (text, stream) in enumerate(
                    (("two words", False), ("two words", True), ("long 204", True))
                ):
                    cells[name][index].append(await microseconds(model, text, stream=stream))
        for name, found in cells.items():
            print(f"| {name} | " + " | ".join(f"{statistics.median(c):.0f}" for c in found) + " |")


def main() -> None:
    first = free_ports(3)
    with ExitStack() as stack:
        ports = range(first, first + 3)
        asyncio.run(measured([stack.enter_context(account(port)) for port in ports]))


if __name__ == "__main__":
    main()
