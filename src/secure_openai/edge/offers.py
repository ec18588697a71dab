"""What a person is told of each deployment: what it is good for, and about what it costs."""

from __future__ import annotations

from secure_openai.assembly import Assembly
from secure_openai.types import Deployment, JsonObject


def offer_json(assembly: Assembly, deployment: Deployment) -> JsonObject:
    """Return a deployment as people and the API see it.

    `good_for` is what the organisation says of it, or null; `price` is of a million tokens, an
    estimate, or null where nobody knows it.
    """
    said = {one.name: one.text for one in assembly.appearance.deployments}
    price = assembly.policy.prices.of(deployment)
    return {
        "name": deployment.name,
        "model": deployment.model,
        "operations": sorted(deployment.parameters.operations),
        "good_for": said.get(deployment.name),
        "images": deployment.parameters.images,
        "window_tokens": deployment.parameters.window_tokens,
        "answer_tokens": deployment.parameters.answer_tokens,
        "reasons": bool(deployment.parameters.reasoning_effort),
        "price": None
        if price is None
        else {
            "prompt": float(price.prompt),
            "completion": float(price.completion),
            "currency": assembly.policy.prices.currency,
        },
    }
