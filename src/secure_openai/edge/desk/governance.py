"""What the policy file says, in sentences, and how the pool of deployments does."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from secure_openai.assembly import Assembly
from secure_openai.edge.access import ADMIN, SecuredRoute, requires
from secure_openai.edge.authentication import assembly_of
from secure_openai.edge.desk.words import Words
from secure_openai.edge.language import DEFAULT, languages
from secure_openai.policy.explanation import explain
from secure_openai.types import Deployment, JsonObject

router = APIRouter(route_class=SecuredRoute, prefix="/api/admin", tags=["governance"])


@router.get("/policy")
@requires(ADMIN)
async def get_policy(request: Request) -> Response:
    """Return what the policy file says, each sentence with the line that says so."""
    policy = assembly_of(request).policy
    document = policy.document
    words = Words(languages()[DEFAULT], policy.prices.currency)
    return JSONResponse(
        {
            "source": document.source,
            "items": [
                {
                    "sentence": words.sentence(one),
                    "line": one.line or None,
                    "text": one.text or None,
                }
                for one in explain(document)
            ],
        }
    )


@router.get("/pool")
@requires(ADMIN)
async def get_pool(request: Request) -> Response:
    """Return how each member of the pool does with each deployment, and what tokens cost."""
    assembly = assembly_of(request)
    return JSONResponse(
        {
            "members": [
                {**asdict(one), "state": one.state.value} for one in assembly.model.health()
            ],
            "deployments": [deployment_json(assembly, one) for one in assembly.model.deployments],
        }
    )


def deployment_json(assembly: Assembly, deployment: Deployment) -> JsonObject:
    """Return a deployment that is served, with its price; null where nobody knows that."""
    prices = assembly.policy.prices
    price = prices.of(deployment)
    return {
        "name": deployment.name,
        "model": deployment.model,
        "price": None
        if price is None
        else {
            "prompt": float(price.prompt),
            "completion": float(price.completion),
            "currency": prices.currency,
            "sku": price.sku or None,
            "assumed": price.assumed,
            "source": price.source.value,
        },
    }
