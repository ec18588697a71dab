"""What counts of usage, read without writing: the tables, and what the journal adds to them."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from secure_openai.store.quota import Windows
from secure_openai.store.sqlite.account import Account
from secure_openai.store.sqlite.book import counted_in, held_in
from secure_openai.store.sqlite.journal import Key, Unfolded, rows_in
from secure_openai.store.usage import UsageDay, UsageTotals
from secure_openai.types import PrincipalId

COLUMNS = "owner, deployment, day, requests, prompt_tokens, completion_tokens"
Row = tuple[str, str, str, int, int, int]

DAYS = (
    "WITH RECURSIVE days (day) AS (SELECT min(day) FROM usage_total UNION ALL"
    " SELECT (SELECT min(later.day) FROM usage_total AS later WHERE later.day > days.day)"
    " FROM days WHERE day IS NOT NULL)"
)
"""Those of which anything was counted: the table has them first, and owners by the day."""


def totals_of(
    connection: sqlite3.Connection, key: Key, windows: Windows, now: datetime
) -> UsageTotals:
    """Return what counts at `now` of a principal's use of a deployment."""
    unfolded = Unfolded(rows_in(connection))
    stored = {one: held for one, held in held_in(connection, key[0]) if held[:2] == key}
    taken = {one: held for one, held in unfolded.taken.items() if held[:2] == key}
    held = unfolded.held(stored) | taken
    counted = dict.fromkeys((windows.minute, windows.day), (0, 0))
    counted |= counted_in(connection, key, windows.day)
    for place, (requests, prompt, answer) in unfolded.used.items():
        for starts in place[2:]:
            if place[:2] == key and starts in counted:
                before = counted[starts]
                counted[starts] = (before[0] + requests, before[1] + prompt + answer)
    return Account(held, counted).totals(windows, now.timestamp())


def days_of(connection: sqlite3.Connection, principal: PrincipalId) -> list[UsageDay]:
    """Return what a principal used, by day and deployment."""
    unfolded, owner = Unfolded(rows_in(connection)), principal.key
    unfolded.held(dict(held_in(connection, owner)))
    counted = {
        (day, deployment): used
        for deployment, day, *used in connection.execute(
            f"{DAYS} SELECT deployment, day, requests, prompt_tokens, completion_tokens"
            " FROM days CROSS JOIN usage_total USING (day) WHERE owner = ?",
            (owner,),
        )
    }
    for (whose, deployment, _, day), used in unfolded.used.items():
        if whose == owner:
            before = counted.get((day, deployment), [0, 0, 0])
            counted[day, deployment] = [one + more for one, more in zip(before, used, strict=True)]
    return [day_of((owner, one, day, *used)) for (day, one), used in sorted(counted.items())]


def day_of(row: Row) -> UsageDay:
    """Return a stored total."""
    owner, deployment, day, requests, prompt, completion = row
    return UsageDay(PrincipalId.parse(owner), deployment, day, requests, prompt, completion)
