"""A principal with very many conversations: list, search, open and scroll, as they are asked.

    python bench/conversations.py

1,000 conversations of 200 messages each lie in SQLite; every tenth question was edited, so that
each conversation has branches. The texts are pieces of this project's documentation. Client and
application share one process, so that a figure holds both sides. Prints Markdown, and fails where a
median is over the limit.
"""

from __future__ import annotations

import random
import stat
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import httpx2
import uvloop

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.world import World, running_world

from secure_openai.local.identity_provider.directory import TENANT_ID
from secure_openai.local.identity_provider.signing_keys import FILE_NAME, new_key, write_keys
from secure_openai.store.sqlite.conversations import SqliteConversationStore
from secure_openai.store.sqlite.database import Database
from secure_openai.stores import DATABASE_NAME
from secure_openai.testing.person import named
from secure_openai.types import Author, ConversationId, Message, MessageId, PrincipalId, utc_now

CONVERSATIONS = 1_000
MESSAGES = 200
BRANCH_EVERY = 20
ROUNDS = 20
LIMIT_MS = 100
OWNER = PrincipalId(TENANT_ID, named("Uma").oid)
NEEDLE = "a zeppelin over Zanzibar"

SEARCHES = {
    "a text that stands nowhere": "zeppelin quartet",
    "a text that stands in one message": NEEDLE,
    "a word that stands nearly everywhere": "the",
    "common words that never stand together": "from the and",
    "two letters that stand nowhere": "qz",
}


def texts() -> Iterator[str]:
    """Yield pieces of documentation, of the lengths of questions and answers in turn."""
    folder = Path(__file__).parent.parent
    pages = [*sorted(folder.glob("docs/*.md")), folder / "README.md"]
    corpus = " ".join(" ".join(page.read_text("utf-8").split()) for page in pages)
    drawn = random.Random(7)
    for longest in cycle((120, 900)):
        at = drawn.randrange(len(corpus) - longest)
        yield corpus[at : at + drawn.randint(longest // 3, longest)]


async def fill(path: Path) -> None:
    """Store the conversations."""
    database = await Database.open(path)
    store, said = SqliteConversationStore(database), texts()
    for number in range(CONVERSATIONS):
        conversation = await store.create(OWNER, title=next(said)[:60])
        line: list[Message] = []
        while len(line) < MESSAGES:
            index = len(line)
            parent = line[-3].id if index and index % BRANCH_EVERY == 0 else None
            few = [message(conversation.id, at, next(said)) for at in range(BRANCH_EVERY)]
            if number == CONVERSATIONS // 2 and not index:
                few[5] = message(conversation.id, 5, f"There was {NEEDLE}, I am told.")
            line += await store.append(OWNER, *few, parent=parent)
    await database.aclose()


def message(conversation_id: ConversationId, index: int, text: str) -> Message:
    """Return a question or an answer."""
    return Message(
        id=MessageId(f"{random.getrandbits(128):032x}"),
        conversation_id=conversation_id,
        author=Author.ASSISTANT if index % 2 else Author.USER,
        text=text,
        created=utc_now(),
    )


async def asked(http: httpx2.AsyncClient, *paths: str) -> tuple[float, float, float]:
    """Return the median and the longest of what addresses take, and the processor time, in ms."""
    times, worked = [], time.process_time()
    for _, path in zip(range(ROUNDS), cycle(paths), strict=False):
        began = time.perf_counter()
        answer = await http.get(path)
        times.append(1000 * (time.perf_counter() - began))
        assert answer.status_code == 200, answer.text
    worked = time.process_time() - worked
    return statistics.median(times), max(times), 1000 * worked / ROUNDS


async def pages(http: httpx2.AsyncClient, path: str) -> list[str]:
    """Return the address of each page of a list."""
    found, address = [path], path
    while continuation := (await http.get(address)).json()["continuation"]:
        address = f"{path}{'&' if '?' in path else '?'}continuation={continuation}"
        found.append(address)
    return found


async def measured(world: World) -> None:
    """Print the table."""
    print("| what is asked | requests | median, ms | longest, ms | processor time, ms |")
    print("| --- | --- | --- | --- | --- |")
    slow: list[str] = []
    async with world.client(**world.bearer("Uma")) as http:
        lists = await pages(http, "/api/conversations?limit=50")
        first = (await http.get("/api/conversations?limit=100")).json()["items"]
        opened = [f"/api/conversations/{one['id']}/messages" for one in first[:ROUNDS]]
        scrolled = (await pages(http, f"{opened[0]}?limit=50"))[1:]
        rows = {
            "the first page": ["/"],
            "the list": [lists[0]],
            "further pages of the list": lists[1:],
            "the page of a conversation": [f"/conversations/{one['id']}" for one in first[:ROUNDS]],
            "a conversation, opened at its end": opened,
            "its earlier messages": scrolled,
            **{f"search: {what}": [] for what in SEARCHES},
        }
        for what, text in SEARCHES.items():
            rows[f"search: {what}"] = await pages(http, f"/api/conversations?search={text}")
        for what, addresses in rows.items():
            median, *others = await asked(http, *addresses)
            figures = " | ".join(f"{one:.1f}" for one in (median, *others))
            print(f"| {what} | {len(addresses)} | {figures} |", flush=True)
            slow += [what] if median > LIMIT_MS else []
    if slow:
        sys.exit(f"over {LIMIT_MS} ms: {', '.join(slow)}")


async def main() -> None:
    """Fill a folder, serve it, and measure."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        identity, data = folder / "identity", folder / "data"
        identity.mkdir(mode=stat.S_IRWXU)
        write_keys(identity / FILE_NAME, [new_key()])
        began = time.perf_counter()
        await fill(data / DATABASE_NAME)
        size = (data / DATABASE_NAME).stat().st_size / 2**20
        print(
            f"{CONVERSATIONS:,} conversations of {MESSAGES} messages for one principal, SQLite, "
            f"{size:.0f} MiB, stored in {time.perf_counter() - began:.0f} s; the limit is "
            f"{LIMIT_MS} ms:\n"
        )
        async with running_world(folder, identity) as world:
            await measured(world)


if __name__ == "__main__":
    # As the application is served.
    uvloop.run(main())
