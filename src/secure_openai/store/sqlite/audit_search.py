"""Search the audit in SQLite: by a table that says of each record what it is found by.

Whoever searches brings the table up to date first, so that recording costs nothing more: each
record is read for it once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime

from secure_openai.store import audit
from secure_openai.store.audit import AuditAnswer, AuditQuestion, AuditRecord
from secure_openai.store.chain import record_of
from secure_openai.store.continuation import token, values_of

Row = tuple[str, int, str, str, str]

FIND = """
    INSERT INTO audit_found_by
    SELECT sequence,
        document ->> '$.at',
        document ->> '$.principal',
        document ->> '$.subject',
        document ->> '$.action'
    FROM audit
    WHERE sequence > (SELECT coalesce(max(sequence), 0) FROM audit_found_by)
        AND CASE WHEN json_valid(document) THEN document ->> '$.at' END IS NOT NULL
    ORDER BY sequence LIMIT ?
"""

FOUND_AT_ONCE = 20_000
"""Records that are added in one transaction: others that write wait for it."""


def bring_up_to_date(connection: sqlite3.Connection) -> bool:
    """Add what was recorded since; return whether there is more."""
    return connection.execute(FIND, (FOUND_AT_ONCE,)).rowcount == FOUND_AT_ONCE


def search(
    connection: sqlite3.Connection, question: AuditQuestion, limit: int, continuation: str | None
) -> AuditAnswer:
    """Return records that answer a question, the latest first."""
    after = values_of(continuation, question.place, _plausible)
    conditions, values = _conditions(question)
    if after:
        conditions.append("(at, sequence) < (?, ?)")
        values += after
    rows: list[Row] = connection.execute(
        "SELECT at, sequence, document, previous, hash"
        " FROM audit_found_by JOIN audit USING (sequence)"
        f" WHERE {' AND '.join(conditions)} ORDER BY at DESC, sequence DESC LIMIT ?",
        (*values, audit.LOOKED_AT + 1),
    ).fetchall()
    items: list[AuditRecord] = []
    for looked, (at, sequence, document, previous, digest) in enumerate(rows, start=1):
        record = record_of(sequence, document, previous, digest)
        if question.takes(record.event):
            items.append(record)
        if looked < len(rows) and (len(items) == limit or looked == audit.LOOKED_AT):
            return AuditAnswer(items, token(question.place, (at, sequence)), record.event.at)
    return AuditAnswer(items)


def time_text(at: datetime) -> str:
    """Return a time as records say it: such texts sort as the times do."""
    return at.astimezone(UTC).isoformat()


def _conditions(question: AuditQuestion) -> tuple[list[str], list[object]]:
    conditions, values = ["true"], list[object]()
    for condition, value in (
        ("at >= ?", question.since and time_text(question.since)),
        ("at < ?", question.until and time_text(question.until)),
        ("principal = ?", question.principal and question.principal.key),
    ):
        if value is not None:
            conditions.append(condition)
            values.append(value)
    for column, names in (("subject", question.subjects), ("action", question.actions)):
        if names:
            conditions.append(f"{column} IN ({_marks(names)})")
            values += names
    return conditions, values


def _marks(names: Sequence[str]) -> str:
    return ", ".join("?" * len(names))


def _plausible(values: list[object]) -> bool:
    """Return whether a search could end so: at a time and a sequence."""
    return [type(value) for value in values] == [str, int]
