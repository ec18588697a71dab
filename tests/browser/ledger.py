"""What stands in the books of an organisation in its second week, for pages that show figures.

The same with every run, reckoned back from today.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from secure_openai.local.folder import Folder
from secure_openai.local.identity_provider.directory import TENANT_ID
from secure_openai.store.audit import AuditEvent
from secure_openai.store.personal import PersonalItem, PersonalKind
from secure_openai.store.sqlite.audit import SqliteAuditStore
from secure_openai.store.sqlite.conversations import SqliteConversationStore
from secure_openai.store.sqlite.database import Database
from secure_openai.store.sqlite.personal import SqlitePersonalStore
from secure_openai.store.sqlite.sightings import SqliteSightingStore
from secure_openai.store.sqlite.tallies import SqliteTallyStore
from secure_openai.store.sqlite.usage import SqliteUsageStore
from secure_openai.store.tallies import tally
from secure_openai.types import Limits, Principal, PrincipalId, PrincipalKind, Usage, utc_now

PEOPLE = ("Lena Brandt", "Yusuf Demir", "Maren Holt", "Ines Caldeira", "Tomas Vrba")
DAYS = 14
WITHOUT_LIMIT = Limits(*([10**9] * 7))
REFUSED = (
    *("tokens_per_day", "tokens_per_day", "content-filtered", "unknown_deployment"),
    *("tokens_per_minute", "prompt_too_large", "tokens_per_day"),
)
SAID = (
    ("up", None, "Exactly what I was looking for."),
    ("down", "wrong", "The second figure is last year's."),
    ("down", "unclear", None),
)


def principals() -> list[Principal]:
    """Return who works there."""
    return [
        Principal(
            PrincipalId(TENANT_ID, f"5ec0de00-0000-4000-9000-{number:012d}"),
            PrincipalKind.PERSON,
            frozenset({"user"}),
            name,
            f"{name.split()[0].lower()}@example.com",
        )
        for number, name in enumerate(PEOPLE, start=1)
    ]


async def keep_books(data: Path, *more: Principal) -> None:
    """Write what the desk is to show, also of `more`, into a folder that nothing has opened."""
    folder = Folder(data)
    folder.prepare()
    database = await Database.open(folder.database)
    audit = await SqliteAuditStore.open(database)
    midnight = utc_now().replace(hour=0, minute=0, second=30, microsecond=0)
    for number, person in enumerate((*principals(), *more)):
        for days in range(DAYS - number):
            await _used(database, audit, person, midnight - timedelta(days=days), number + days)
        await SqliteSightingStore(database).see(person, now=midnight - timedelta(days=number))
    for number, reason in enumerate(REFUSED):
        whose = principals()[number % len(PEOPLE)].id
        at = midnight - timedelta(days=number)
        audit.append(AuditEvent("completion.refused", at, whose, "refused", reason, "scripted"))
    await audit.flush()
    await SqliteUsageStore(database).roll_up(now=utc_now())
    await tally(audit, SqliteTallyStore(database), now=utc_now())
    await _said(database, midnight)
    await audit.aclose()
    await database.aclose()


async def _used(
    database: Database, audit: SqliteAuditStore, person: Principal, at: datetime, number: int
) -> None:
    usage = SqliteUsageStore(database)
    spent = Usage(3_000 + 5_500 * (number % 5), 1_200 + 2_300 * (number % 4))
    reserved = await usage.reserve(
        person.id, "scripted", tokens=1, limits=WITHOUT_LIMIT, now=at, lifetime=60
    )
    await usage.settle(reserved, spent)
    facts = {"prompt_tokens": spent.prompt_tokens, "completion_tokens": spent.completion_tokens}
    for action, told in (("completion.admitted", {}), ("completion.settled", facts)):
        audit.append(
            AuditEvent(action, at, person.id, "allowed", "complete", "scripted", facts=dict(told))
        )


async def _said(database: Database, at: datetime) -> None:
    personal = SqlitePersonalStore(database)
    conversations = SqliteConversationStore(database)
    for person, (rating, reason, comment) in zip(principals(), SAID, strict=False):
        talk = await conversations.create(person.id, title="t")
        await personal.add(
            PersonalItem(
                owner=person.id,
                kind=PersonalKind.FEEDBACK,
                id=f"m-{rating}-{reason}",
                document={
                    "deployment": "scripted",
                    "rating": rating,
                    "reason": reason,
                    "comment": comment,
                },
                created=at,
                changed=at,
                conversation=talk.id,
            )
        )
