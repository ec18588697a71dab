"""Ask everything that the settings name."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from secure_openai.probes.asks import Ask, Identity, ask_of_region, asks_of
from secure_openai.probes.probe import Answer, Prober
from secure_openai.settings import Settings

AT_ONCE = 8
"""Questions that are under way at the same time."""


async def answers_of(settings: Settings, identity: Identity, prober: Prober) -> list[Answer]:
    """Return every answer, those of each service together.

    An account of Cosmos DB names its endpoints by region, and what keeps things asks those: they
    are asked too.
    """
    answers = await _all(asks_of(settings, identity), prober)
    regional = [
        ask_of_region(answer.ask, url)
        for answer in answers
        for url in answer.regions
        if _ours(url, settings.cloud_facts.cosmos_domain)
        and urlsplit(url).hostname != answer.ask.host
    ]
    return [*answers, *(replace(one, regions=()) for one in await _all(regional, prober))]


def _ours(url: str, domain: str) -> bool:
    """Return whether an endpoint may get our token: a document that names others is no reason."""
    parts = urlsplit(url)
    return parts.scheme == "https" and (parts.hostname or "").endswith(f".{domain}")


async def _all(asks: Sequence[Ask], prober: Prober) -> list[Answer]:
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(ask: Ask) -> Answer:
        async with turns:
            return await prober.answer(ask)

    return list(await asyncio.gather(*map(one, asks)))
