"""A principal with very many conversations: list, search, open and scroll, as they are asked.

    python bench/conversations.py

1,000 conversations of 200 messages each lie in SQLite; every tenth question was edited, so that
each conversation has branches. The texts are pieces of this project's documentation. In the table
of the server, client and application share one process, so that a figure holds both sides; that of
the page is from a browser before the whole system on the same data (`bench/shown.py`). Prints
Markdown, and exits 1 where a request, the first of the process included, or the page is over its
limit.
"""

from __future__ import annotations

import random
import stat
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

import httpx2
import uvloop

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.world import World, running_world

from bench.shown import HEADING, shown
from secure_openai.local.folder import MARKER
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


@dataclass
class Asked:
    """What was asked of one kind: how long each request took, and this process worked, in ms."""

    http: httpx2.AsyncClient
    what: str
    times: list[float] = field(default_factory=list)
    worked: float = 0

    async def get(self, path: str) -> httpx2.Response:
        """Ask for an address."""
        worked, began = time.process_time(), time.perf_counter()
        answer = await self.http.get(path)
        self.times.append(1000 * (time.perf_counter() - began))
        self.worked += 1000 * (time.process_time() - worked)
        assert answer.status_code == 200, answer.text
        return answer

    async def pages(self, path: str) -> list[str]:
        """Return the address of each page of a list, which is asked for to its end."""
        found, address = [path], path
        while continuation := (await self.get(address)).json()["continuation"]:
            address = f"{path}{'&' if '?' in path else '?'}continuation={continuation}"
            found.append(address)
        return found

    async def rounds(self, *paths: str) -> Asked:
        """Ask for addresses in turn."""
        for _, path in zip(range(ROUNDS), cycle(paths), strict=False):
            await self.get(path)
        return self

    def row(self) -> str:
        """Return the row of the table."""
        each = (statistics.median(self.times), max(self.times), self.worked / len(self.times))
        return f"| {self.what} | {len(self.times)} | {' | '.join(f'{one:.1f}' for one in each)} |"


async def kinds(http: httpx2.AsyncClient) -> AsyncIterator[Asked]:
    """Yield each kind, asked; the first request is the process's first."""
    yield await Asked(http, "the first page").rounds("/")
    yield await Asked(http, "the list").rounds("/api/conversations?limit=50")
    further = Asked(http, "further pages of the list")
    after = (await http.get("/api/conversations?limit=50")).json()["continuation"]
    await further.pages(f"/api/conversations?limit=50&continuation={after}")
    yield further
    first = (await http.get("/api/conversations?limit=100")).json()["items"][:ROUNDS]
    whole = [f"/conversations/{one['id']}" for one in first]
    yield await Asked(http, "the page of a conversation").rounds(*whole)
    opened = [f"/api/conversations/{one['id']}/messages" for one in first]
    yield await Asked(http, "a conversation, opened at its end").rounds(*opened)
    earlier = Asked(http, "its earlier messages")
    for path in opened:
        after = (await http.get(f"{path}?limit=50")).json()["continuation"]
        await earlier.pages(f"{path}?limit=50&continuation={after}")
    yield earlier
    for what, text in SEARCHES.items():
        search = Asked(http, f"search: {what}")
        yield await search.rounds(*await search.pages(f"/api/conversations?search={text}"))


async def measured(world: World) -> list[str]:
    """Print the table; return what is over the limit."""
    print("| what is asked | requests | median, ms | longest, ms | processor time, ms |")
    print("| --- | --- | --- | --- | --- |")
    slow: list[str] = []
    async with world.client(**world.bearer("Uma")) as http:
        async for asked in kinds(http):
            print(asked.row(), flush=True)
            slow += [asked.what] if max(asked.times) > LIMIT_MS else []
    return slow


async def answered(folder: Path) -> list[str]:
    """Fill a folder, serve it, and measure what the server takes; return what is over the limit."""
    identity, data = folder / "identity", folder / "data"
    identity.mkdir(mode=stat.S_IRWXU)
    write_keys(identity / FILE_NAME, [new_key()])
    data.mkdir(mode=stat.S_IRWXU)
    # As `up` makes its own.
    (data / MARKER).touch(mode=stat.S_IRUSR | stat.S_IWUSR)
    began = time.perf_counter()
    await fill(data / DATABASE_NAME)
    size = (data / DATABASE_NAME).stat().st_size / 2**20
    print(
        f"{CONVERSATIONS:,} conversations of {MESSAGES} messages for one principal, SQLite, "
        f"{size:.0f} MiB, stored in {time.perf_counter() - began:.0f} s; the limit is "
        f"{LIMIT_MS} ms for the longest:\n"
    )
    async with running_world(folder, identity) as world:
        return await measured(world)


def main() -> None:
    """Measure the server and then the page, on the same data; exit 1 where either is slow."""
    with tempfile.TemporaryDirectory() as name:
        # As the application is served.
        slow = uvloop.run(answered(Path(name)))
        print(f"\n{HEADING}\n")
        slow += shown(Path(name) / "data", needle=NEEDLE)
    if slow:
        sys.exit(f"over the limit: {', '.join(slow)}")


if __name__ == "__main__":
    main()
