"""Search the audit in Cosmos DB: over all partitions, by what stands beside the document."""

from __future__ import annotations

from datetime import datetime

from secure_openai.store import audit
from secure_openai.store.audit import AuditAnswer, AuditQuestion, AuditRecord
from secure_openai.store.chain import record_of
from secure_openai.store.continuation import token, values_of
from secure_openai.store.cosmos.audit_items import stored_record
from secure_openai.store.cosmos.container import Container
from secure_openai.store.documents import time_text

PAGE = 500

LATEST = "9999"
"""After every time."""


async def search(
    container: Container, question: AuditQuestion, limit: int, continuation: str | None
) -> AuditAnswer:
    """Return records of all chains that answer a question, the latest first."""
    before, *seen = values_of(continuation, question.place, _plausible) or (LATEST,)
    text, values = _query(question)
    items: list[AuditRecord] = []
    looked = 0
    while True:
        # Several may be of one instant: those of the last are asked for again, and passed over.
        wanted = PAGE + len(seen)
        page = await container.query(text, {**values, "before": before}, limit=wanted)
        last = before
        for item in page:
            place = f"{item['chain']}/{item['id']}"
            if item["time"] == last and place in seen:
                continue
            seen = [*seen, place] if item["time"] == last else [place]
            last = item["time"]
            looked += 1
            found = stored_record(item)
            record = record_of(found.sequence, found.document, found.previous, found.hash)
            if question.takes(record.event):
                items.append(record)
            if len(items) == limit or looked == audit.LOOKED_AT:
                return AuditAnswer(
                    items, token(question.place, (last, *seen)), datetime.fromisoformat(last)
                )
        if len(page) < wanted:
            return AuditAnswer(items)
        before = last


def _query(question: AuditQuestion) -> tuple[str, dict[str, object]]:
    conditions = ["c.time <= @before"]
    values: dict[str, object] = {}
    for name, condition, value in (
        ("since", "c.time >= @since", time_text(question.since)),
        ("until", "c.time < @until", time_text(question.until)),
        ("principal", "c.principal = @principal", question.principal and question.principal.key),
    ):
        if value is not None:
            conditions.append(condition)
            values[name] = value
    for member, names in (("subject", question.subjects), ("action", question.actions)):
        if names:
            marks = [f"{member}{number}" for number, _ in enumerate(names)]
            conditions.append("(" + " OR ".join(f"c.{member} = @{mark}" for mark in marks) + ")")
            values |= dict(zip(marks, names, strict=True))
    return f"SELECT * FROM c WHERE {' AND '.join(conditions)} ORDER BY c.time DESC", values


def _plausible(values: list[object]) -> bool:
    """Return whether a search could end so: at a time, and records of that time."""
    return bool(values) and all(isinstance(value, str) for value in values)
