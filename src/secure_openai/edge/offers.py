"""What a person is told of each deployment: what it is good for, and about what it costs.

An organisation says itself what each is good for. Where it says nothing, that is told which follows
from what is known of the model and of the others on offer; nothing is claimed of how well it does.
"""

from __future__ import annotations

from collections.abc import Sequence

from secure_openai.assembly import Assembly
from secure_openai.policy.prices import Price
from secure_openai.types import Deployment, JsonObject

LONG_TOKENS = 100_000
"""From which window on a model is suited to long texts: a book of two hundred pages is as much."""

SHORT_TOKENS = 16_000
"""Below which window a model is suited to short ones: a conversation with a few pages fills it."""


def offers_json(assembly: Assembly, deployments: Sequence[Deployment]) -> list[JsonObject]:
    """Return deployments as people and the API see them.

    `good_for` is what the organisation says of it, or null; `suits` what it is suited to by what
    it takes: `steps`, `pictures`, and one of `long`, `pages` and `short`; `cheapest` whether prices
    of all are known, and no other's is as low. `price` is of a million tokens, an estimate, or null
    where nobody knows it.
    """
    said = {one.name: one.text for one in assembly.appearance.deployments}
    prices = {one.name: assembly.policy.prices.of(one) for one in deployments}
    cheapest = _cheapest(prices)
    return [
        {
            "name": one.name,
            "model": one.model,
            "operations": sorted(one.parameters.operations),
            "good_for": said.get(one.name),
            "suits": suits(one),
            "cheapest": one.name == cheapest,
            "images": one.parameters.images,
            "window_tokens": one.parameters.window_tokens,
            "answer_tokens": one.parameters.answer_tokens,
            "reasons": bool(one.parameters.reasoning_effort),
            "price": None
            if (price := prices[one.name]) is None
            else {
                "prompt": float(price.prompt),
                "completion": float(price.completion),
                "currency": assembly.policy.prices.currency,
            },
        }
        for one in deployments
    ]


def suits(deployment: Deployment) -> list[str]:
    """Return what a deployment is suited to, by what it takes."""
    takes = deployment.parameters
    window = takes.window_tokens
    length = "long" if window >= LONG_TOKENS else "pages" if window >= SHORT_TOKENS else "short"
    return [
        *(["steps"] if takes.reasoning_effort else []),
        *(["pictures"] if takes.images else []),
        length,
    ]


def _cheapest(prices: dict[str, Price | None]) -> str | None:
    """Return the name of the one whose tokens cost least, read and written; `None` if none is."""
    for name, price in prices.items():
        others = [one for other, one in prices.items() if other != name]
        if price is not None and others and all(_dearer(one, price) for one in others):
            return name
    return None


def _dearer(one: Price | None, than: Price) -> bool:
    return (
        one is not None
        and (one.prompt, one.completion) != (than.prompt, than.completion)
        and one.prompt >= than.prompt
        and one.completion >= than.completion
    )
