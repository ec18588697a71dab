"""A message through Cosmos DB's emulator and a faulting pool, against SQLite and a healthy model.

    python bench/hosted.py

The application is a process as on an Azure host (`secure-openai serve`), the same for both rows but
for settings. Emulator, proxy and models are on the same machine and take most of the time. Prints
Markdown.
"""

from __future__ import annotations

import asyncio
import json
import stat
import statistics
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import uuid4

import psutil
from joserfc.jwk import RSAKey

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.cosmosdb.server import running_server
from tests.hosted.application import Application, Talk, application
from tests.hosted.estate import NAMES, Estate, Servers, running_estate
from tests.store.azure.estate import running_azurite
from tests.tls import make_tls

from secure_openai.local.identity_provider.signing_keys import FILE_NAME, new_key, write_keys

ROUNDS = 5
MESSAGES = 20
POLICY = """
version = 1
[people.user]
deployments = ["*"]
requests_per_minute = 100_000
requests_per_day = 1_000_000
tokens_per_minute = 100_000_000
tokens_per_day = 1_000_000_000
largest_prompt_tokens = 10_000
largest_answer_tokens = 1_000
concurrent_streams = 100
"""
EMBEDDED = (
    "ATTACHMENTS_CONTAINER",
    "BLOB_URL",
    "COSMOS_DATABASE",
    "COSMOS_URL",
    "EXPORTS_CONTAINER",
    "SEALS_CONTAINER",
    "SEAL_KEY_URL",
)

WAYS = {
    "SQLite, one healthy account": False,
    "Cosmos DB's emulator, two accounts, one throttling": True,
}
"""What is compared, and whether it is as in Azure, with an account that throttles every second
call."""

Cells = dict[str, list[float]]


async def measured(app: Application, cells: Cells) -> None:
    """Send messages one after the other, each in a conversation of a few."""
    process = psutil.Process(app.process.pid)
    async with app.browser("Uma") as http:
        talk = await Talk.begin(http)
        await talk.ask("to get going")
        for _ in range(ROUNDS):
            talk = await Talk.begin(http)
            cpu = sum(process.cpu_times()[:2])
            for number in range(MESSAGES):
                began = time.perf_counter()
                answer = await talk.ask(f"question {number}")
                cells["message"].append((time.perf_counter() - began) * 1000)
                assert answer.status_code == 200, answer.text
                end = json.loads(answer.text.split("event: end\ndata: ")[1].split("\n")[0])
                assert end["answer"]["status"] == "complete", end
            cells["cpu"].append((sum(process.cpu_times()[:2]) - cpu) * 1000 / MESSAGES)


def row(name: str, cells: Cells) -> str:
    message = sorted(cells["message"])
    return (
        f"| {name} | {statistics.median(message):.0f} | {message[int(len(message) * 0.95)]:.0f} |"
        f" {statistics.median(cells['cpu']):.1f} | {len(message)} |"
    )


def healthy_alone(estate: Estate) -> dict[str, str]:
    """Return the settings of one row that differ: everything in a folder, and one account."""
    accounts = json.loads(estate.settings()["SECURE_OPENAI_MODEL_ACCOUNTS"])
    (last,) = list(accounts)[1:]
    return {
        **{f"SECURE_OPENAI_{name}": "" for name in EMBEDDED},
        "SECURE_OPENAI_MODEL_ACCOUNTS": json.dumps({last: accounts[last]}),
    }


async def compared(servers: Servers, folder: Path) -> None:
    policy = folder / "policy.toml"
    policy.write_text(POLICY)
    print("| way | a message, ms | of 20, the slowest, ms | our CPU, ms | messages |")
    print("| --- | --- | --- | --- | --- |")
    for name, in_azure in WAYS.items():
        async with AsyncExitStack() as stack:
            estate = await stack.enter_async_context(running_estate(servers, uuid4().hex[:12]))
            estate.models[0].instead = lambda number: "hurried 1" if number % 2 else None
            changes = {} if in_azure else healthy_alone(estate)
            changes["SECURE_OPENAI_POLICY"] = str(policy)
            app = await stack.enter_async_context(application(estate, folder, settings=changes))
            cells: Cells = {"message": [], "cpu": []}
            await measured(app, cells)
            print(row(name, cells), flush=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        identity = folder / "identity"
        identity.mkdir(mode=stat.S_IRWXU)
        write_keys(identity / FILE_NAME, [new_key()])
        (identity / FILE_NAME).chmod(stat.S_IRUSR | stat.S_IWUSR)
        tls = make_tls(folder, *NAMES)
        with (
            running_server() as cosmos,
            running_azurite(folder, tls.certificate, tls.key) as azurite,
        ):
            key = RSAKey.generate_key(2048, {"kid": "managed identity"})
            servers = Servers(cosmos, azurite, tls, identity, key)
            asyncio.run(compared(servers, folder))


if __name__ == "__main__":
    main()
