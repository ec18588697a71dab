"""What people are told of each deployment where its organisation says nothing."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any, cast

import pytest

from secure_openai.assembly import Assembly
from secure_openai.edge.offers import offers_json
from secure_openai.policy.prices import PriceRule, PriceRules, Prices
from secure_openai.types import Deployment, Parameters
from tests.world import World

SMALL = Deployment("small", "a model", Parameters(window_tokens=8_192))
MIDDLE = Deployment("middle", "a model", Parameters(window_tokens=32_000, images=True))
LARGE = Deployment(
    "large", "a model", Parameters(window_tokens=400_000, images=True, reasoning_effort=("low",))
)


def told(
    *deployments: Deployment,
    good_for: dict[str, str] | None = None,
    prices: dict[str, tuple[int, int]] | None = None,
) -> list[dict[str, Any]]:
    """Return what is told of deployments at some prices."""
    rules = {
        name: PriceRule(prompt=Decimal(read), completion=Decimal(written))
        for name, (read, written) in (prices or {}).items()
    }
    said = [SimpleNamespace(name=name, text=text) for name, text in (good_for or {}).items()]
    known = SimpleNamespace(
        appearance=SimpleNamespace(deployments=said),
        policy=SimpleNamespace(prices=Prices(PriceRules(deployments=rules))),
    )
    return offers_json(cast("Assembly", known), deployments)


def test_what_it_suits_follows_from_what_it_takes() -> None:
    """Steps, pictures and length, as its model has them; the organisation's words stand beside."""
    small, middle, large = told(SMALL, MIDDLE, LARGE, good_for={"large": "What has to be right"})

    assert small["suits"] == ["short"]
    assert middle["suits"] == ["pictures", "pages"]
    assert large["suits"] == ["steps", "pictures", "long"]
    assert [one["good_for"] for one in (small, large)] == [None, "What has to be right"]


@pytest.mark.parametrize(
    ("prices", "cheapest"),
    [
        ({"small": (1, 2), "large": (3, 4)}, ["small"]),
        ({"small": (1, 4), "large": (1, 2)}, ["large"]),
        ({"small": (1, 2), "large": (1, 2)}, []),
        ({"small": (1, 9), "large": (3, 4)}, []),
        ({"small": (1, 2)}, []),
        ({}, []),
    ],
)
def test_the_cheapest_is_one_only_where_that_is_sure(
    prices: dict[str, tuple[int, int]], cheapest: list[str]
) -> None:
    """Both prices of every one are known, and none of its own is above another's."""
    assert [one["name"] for one in told(SMALL, LARGE, prices=prices) if one["cheapest"]] == cheapest
    assert not told(SMALL, prices=prices)[0]["cheapest"]


async def test_who_chooses_reads_a_sentence(world: World) -> None:
    """Of a deployment that nobody has said anything of, in the reader's language."""
    async with world.browser("Uma") as http:
        english = (await http.get("/")).text
        german = (await http.get("/", headers={"Accept-Language": "de"})).text
        (told,) = (await http.get("/api/me")).json()["deployments"]

    assert (told["good_for"], told["suits"], told["cheapest"]) == (
        None,
        ["pictures", "long"],
        False,
    )
    assert '<span class="good-for">Good for pictures, long texts.</span>' in english
    assert '<span class="good-for">Gut für Bilder, lange Texte.</span>' in german
