"""Access tokens of as many principals as are wanted, signed with the laptop's issuer's own key."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from uuid import uuid4

from secure_openai.local.identity_provider.directory import PEOPLE, WEB_CLIENT_ID
from secure_openai.local.identity_provider.issuance import Issuance
from secure_openai.local.identity_provider.signing_keys import SigningKeys

PART = 1_000
"""How many are signed in one go."""


def issuance(issuer: str, data: Path) -> Issuance:
    """Return what signs like the running issuer.

    Args:
        issuer: `iss`, as the application was told.
        data: The system's data folder.
    """
    return Issuance(issuer, SigningKeys(data / "identity"))


def tokens(issuer: str, data: Path, count: int, *, principals: int | None = None) -> list[str]:
    """Return tokens that the gateway has never seen.

    Signing one takes most of a millisecond, so a great many are signed on two cores.

    Args:
        issuer: `iss`, as the application was told.
        data: The system's data folder.
        count: How many.
        principals: Whose they are, in turn; each is of a principal of its own unless given.
    """
    owners = [str(uuid4()) for _ in range(count if principals is None else principals)]
    of = [owners[number % len(owners)] for number in range(count)]
    parts = [of[begin : begin + PART] for begin in range(0, count, PART)]
    if len(parts) == 1:
        return _made(issuer, data, of)
    # Spawned: what was forked would share what this process has open.
    with ProcessPoolExecutor(2, get_context("spawn"), _anywhere) as pool:
        made = pool.map(_made, [issuer] * len(parts), [data] * len(parts), parts)
        return list(_flat(made))


def _anywhere() -> None:
    # Whoever holds the load to one core holds its children there too.
    os.sched_setaffinity(0, range(os.cpu_count() or 1))


def _made(issuer: str, data: Path, owners: list[str]) -> list[str]:
    user, made_by = PEOPLE[1], issuance(issuer, data)
    return [
        made_by.access_token(replace(user, oid=one), WEB_CLIENT_ID, for_api=True) for one in owners
    ]


def _flat(parts: Iterator[list[str]]) -> Iterator[str]:
    for part in parts:
        yield from part
