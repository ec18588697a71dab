"""A model that is cut off when the process ends passes the contract until then."""

from __future__ import annotations

import asyncio

import pytest

from secure_openai.errors import AnswerCutOff
from secure_openai.model.draining import DrainingModel
from secure_openai.model.interface import Model
from secure_openai.model.scripted import ScriptedModel
from secure_openai.streams import Drain
from secure_openai.testing.model_contract import ModelContract, request


class TestDrainingModel(ModelContract):
    """Around the scripted one."""

    @pytest.fixture
    def model(self) -> Model:
        """Return the model."""
        return DrainingModel(ScriptedModel(), Drain())


async def test_every_wait_for_it_is_cut_off() -> None:
    """Before the answer, in its middle and as a whole; what is asked afterwards does not begin."""
    scripted, drain = ScriptedModel(), Drain()
    model = DrainingModel(scripted, drain)
    begun = await model.open(request("stall 3"))
    whole = await model.open(request("stall 3", stream=False))

    async def read() -> None:
        async for _ in begun.events():
            pass

    waits = [
        asyncio.create_task(read()),
        asyncio.create_task(whole.read()),
        asyncio.create_task(model.open(request("stall"))),
    ]
    for _ in range(20):
        await asyncio.sleep(0)
    drain.cut()
    ended = await asyncio.gather(*waits, return_exceptions=True)
    with pytest.raises(AnswerCutOff):
        await model.open(request("hello"))
    for response in (begun, whole):
        assert isinstance(response.failure, AnswerCutOff)
        await response.aclose()

    assert [type(one) for one in ended] == [AnswerCutOff] * 3
    assert scripted.under_way == 0
