"""What a request costs as the store fills, and as those who ask become many."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

from bench.gateway.rates import Figure, measure, median_of
from bench.gateway.sides import MIDDLE, Side, cold_tokens, gateway
from secure_openai.store.audit import AuditEvent
from secure_openai.store.chain import recordable
from secure_openai.store.sqlite.audit import _append, head_of
from secure_openai.store.sqlite.database import Database
from secure_openai.types import PrincipalId, utc_now

FEW_RECORDS, FEWER_PRINCIPALS = 1_000, (10, 1_000)
BATCH = 10_000
LATEST = 10_000
"""How many principals are asked for again, each after all others of them."""

ROUND_SECONDS, WARMING_SECONDS = 2, 10


def by_records(
    folder: Path, upstream: int, settings: Mapping[str, str], *, records: int, count: int
) -> dict[str, Figure]:
    """Return what is measured over a thousand audit records and over many, in turn."""
    with ExitStack() as stack:
        sides: list[Side] = []
        for number in (FEW_RECORDS, records):
            place = folder / f"records-{number}"
            with gateway(place, upstream, "whole"):
                # Its folder is there now, and the chain begun.
                pass
            asyncio.run(_fill(place / "data" / "secure-openai.db", number))
            side = stack.enter_context(gateway(place, upstream, "whole", settings))
            sides.append(replace(side, name=f"{number:,} audit records"))
        return _in_turn(folder, sides, count)


def by_principals(
    folder: Path, upstream: int, settings: Mapping[str, str], *, principals: int, count: int
) -> dict[str, Figure]:
    """Return what is measured with the warm tokens of few and of many, and of many at first."""
    place = folder / "principals"
    with gateway(place, upstream, "whole", settings) as side:
        *fewer, many = (
            replace(
                side,
                name=f"{number:,} principals, warm tokens",
                tokens=cold_tokens(place, side, number),
            )
            for number in (*FEWER_PRINCIPALS, principals)
        )
        measure(folder, fewer[0], "small", MIDDLE, 1)
        found: list[Figure] = []
        while many.sent < principals:
            found.append(measure(folder, many, "small", MIDDLE, WARMING_SECONDS))
        told = {f"{principals:,} principals, each for the first time": median_of(found)}
        # The last ones, in turn: for all of them a busy machine takes longer than one is
        # remembered, and as many as are remembered drive each other out where one more comes.
        latest = place / "latest"
        latest.write_text("".join(many.tokens.read_text().splitlines(keepends=True)[-LATEST:]))
        many = replace(many, tokens=latest, sent=0)
        return told | _in_turn(folder, [*fewer, many], count)


def _in_turn(folder: Path, sides: list[Side], count: int) -> dict[str, Figure]:
    taken: dict[str, list[Figure]] = {side.name: [] for side in sides}
    for side in sides:
        measure(folder, side, "small", MIDDLE, 1)
    for _ in range(count):
        for side in sides:
            taken[side.name].append(measure(folder, side, "small", MIDDLE, ROUND_SECONDS))
    return {name: median_of(figures) for name, figures in taken.items()}


async def _fill(path: Path, count: int) -> None:
    """Append records, each chained to the one before, as the gateway writes them."""
    database = await Database.open(path)
    try:
        last = (await database.read(head_of)).sequence
        while last < count:
            events = _events(last, min(BATCH, count - last))
            documents = [recordable(event) for event in events]
            await database.write(partial(_append, documents))
            last = (await database.read(head_of)).sequence
    finally:
        await database.aclose()


def _events(begin: int, count: int) -> Iterator[AuditEvent]:
    now = utc_now() - timedelta(days=1)
    for number in range(begin, begin + count):
        yield AuditEvent(
            action=("completion.admitted", "completion.settled")[number % 2],
            at=now,
            principal=PrincipalId("tenant", f"person-{number % 1_000}"),
            decision="allowed",
            reason="admitted",
            deployment="local",
            request_id=f"{number:032x}",
            facts={"kind": "person", "prompt_tokens": 12, "completion_tokens": 8},
        )
