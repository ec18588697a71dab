"""Members of a pool that do as they are told, and a clock that does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from secure_openai.errors import (
    ModelError,
)
from secure_openai.model.interface import ModelRequest, ModelResponse
from secure_openai.model.pool import Member, Pool
from secure_openai.model.scripted import ScriptedModel
from secure_openai.testing.model_contract import (
    request,
)
from secure_openai.types import Deployment


class Said(ScriptedModel):
    """A member that takes everything for one text, until it is told otherwise."""

    def __init__(self, text: str | None = None, names: Sequence[str] = ("scripted",)) -> None:
        super().__init__([Deployment(name, "scripted") for name in names])
        self.text = text
        self.asked = 0
        self.there = True
        self.gate: asyncio.Event | None = None

    async def open(self, request: ModelRequest) -> ModelResponse:
        """Answer by the text."""
        self.asked += 1
        text = self.text
        if self.gate is not None:
            await self.gate.wait()
        if text is not None:
            messages = [{"role": "user", "content": text}]
            request = replace(request, body={**request.body, "messages": messages})
        return await super().open(request)

    async def ready(self) -> bool:
        """Return whether it is there."""
        return self.there


class Clock:
    """Seconds that go on when told."""

    now = 1000.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now


async def ask(pool: Pool) -> str:
    """Ask once; return who answered, or the slug of what went wrong."""
    try:
        response = await pool.open(request("hello"))
    except ModelError as error:
        return error.slug
    async for _ in response.events():
        pass
    await response.aclose()
    return response.member


def pool_of(*members: Said, clock: Clock, priorities: Sequence[int] | None = None) -> Pool:
    """Return a pool of members named by letters."""
    return Pool(
        [
            Member("abcdef"[index], (priorities or range(9))[index], one)
            for index, one in enumerate(members)
        ],
        now=clock,
    )
