"""What a proof takes for granted, looked at in Azure; and that all of it is answered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from secure_openai.delivery.doctor.resource_manager import ResourceManager
from secure_openai.delivery.verification.assumptions import (
    INHERITED,
    LEFT,
    SHOWN_BY,
    looked_at,
    only_after,
)
from secure_openai.delivery.verification.observation import Check, Observation, Outcome
from secure_openai.outbound import Outbound
from secure_openai.posture.assumptions import KINDS, Assumption, Assumptions
from secure_openai.posture.proof import ONLY_AFTER_DEPLOYMENT
from secure_openai.tables import table
from tests.delivery.subscription import BEARER, Subscription
from tests.infra.estate import INFRA
from tests.servers import listening, port_of, served
from tests.tls import Tls

SUBSCRIPTION = "11111111-1111-4111-8111-111111111111"
ROLE = f"/subscriptions/{SUBSCRIPTION}/providers/microsoft.authorization/roledefinitions/r"
SCOPE = f"/subscriptions/{SUBSCRIPTION}/resourcegroups/hub/providers/microsoft.insights/p/ampls"
NAMES = [Observation(Check.NAME, "kv-test.vault.azure.net", Outcome.HOLDS, "")]


@asynccontextmanager
async def managed(subscription: Subscription, tls: Tls) -> AsyncIterator[ResourceManager]:
    """Serve a subscription and yield who asks it."""
    bound = listening()
    origin = f"https://localhost:{port_of(bound)}"

    async def bearer(_: str) -> str:
        return BEARER

    async with (
        served(subscription.app(), bound, tls=tls),
        ResourceManager(
            Outbound(ca_bundle=tls.ca), bearer, origin=origin, scope="https://management/.default"
        ) as manager,
    ):
        yield manager


async def seen(
    assumption: Assumption, found: list[Observation], tls: Tls, **definitions: Any
) -> Observation:
    """Look at one assumption, where Azure says this of it."""
    subscription = Subscription(SUBSCRIPTION)
    subscription.definitions = {
        {"role": ROLE, "scope": SCOPE}[name]: one for name, one in definitions.items()
    }
    async with managed(subscription, tls) as manager:
        (one,) = await looked_at([assumption], found, manager)
        return one


def role(*more: str) -> dict[str, Any]:
    """Return the role of bootstrap, with more actions."""
    return {"permissions": [{"actions": [*table("roles")["manage_deployments"]["actions"], *more]}]}


async def test_a_role_that_may_do_more(tls: Tls) -> None:
    """Bootstrap's role is compared with its row; what it may do beyond is named."""
    vouched = Assumption("manager", "role", (ROLE,), "…")
    fine = await seen(vouched, [], tls, role=role())
    more = await seen(vouched, [], tls, role=role("Microsoft.CognitiveServices/*/write"))
    gone = await seen(vouched, [], tls)
    odd = await seen(vouched, [], tls, role={"permissions": ["*"]})

    assert fine.outcome is Outcome.HOLDS
    assert (more.outcome, more.check) == (Outcome.FINDING, Check.ASSUMPTION)
    assert "may do more than it should: microsoft.cognitiveservices/*/write" in more.says
    assert {gone.outcome, odd.outcome} == {Outcome.UNSEEN}


async def test_a_pattern_stands_for_what_the_state_names(tls: Tls) -> None:
    """Of roles for those that Azure did not make; for none where there is none."""
    reader = ROLE.removesuffix("r") + "acdd72a7-3385-48ef-bd42-f606fba81ae7"
    pattern = ROLE.replace(SUBSCRIPTION, "*").removesuffix("r") + "*"
    vouched = [Assumption("manager", "role", (pattern,), "…")]
    subscription = Subscription(SUBSCRIPTION)
    subscription.definitions = {ROLE: role("Microsoft.KeyVault/vaults/write")}
    async with managed(subscription, tls) as manager:
        (found,) = await looked_at(vouched, [], manager, (reader, ROLE))
        (none,) = await looked_at(vouched, [], manager, (reader,))

    assert found.outcome is Outcome.FINDING
    assert found.says == f"{ROLE} may do more than it should: microsoft.keyvault/vaults/write"
    assert (none.outcome, "vouched for by a pattern" in none.says) == (Outcome.LEFT, True)


async def test_a_monitor_scope_that_is_open(tls: Tls) -> None:
    """Private only, for queries and for what is sent; else it is a finding."""
    vouched = Assumption("monitor", "scoped", (SCOPE,), "…")
    modes = {"ingestionAccessMode": "PrivateOnly", "queryAccessMode": "PrivateOnly"}
    fine = await seen(vouched, [], tls, scope={"accessModeSettings": modes})
    opened = modes | {"queryAccessMode": "Open"}
    found = await seen(vouched, [], tls, scope={"accessModeSettings": opened})

    assert fine.outcome is Outcome.HOLDS
    assert (found.outcome, "is open: queryAccessMode" in found.says) == (Outcome.FINDING, True)


@pytest.mark.parametrize("kind", ["attached", "linked", "resolves"])
async def test_zones_are_seen_by_names(kind: str, tls: Tls) -> None:
    """They hold where every name resolves to a private address; else they were not seen."""
    vouched = Assumption("zones", kind, ("*",), "…")
    broken = [*NAMES, Observation(Check.NAME, "a", Outcome.FINDING, "")]

    assert (await seen(vouched, NAMES, tls)).outcome is Outcome.HOLDS
    assert (await seen(vouched, broken, tls)).outcome is Outcome.UNSEEN
    assert (await seen(vouched, [], tls)).outcome is Outcome.UNSEEN


async def test_every_kind_is_answered(tls: Tls) -> None:
    """So is each assumption of the environment that has most of them; rules are left to people."""
    assumed = Assumptions.load(INFRA / "environments" / "existing-network.assumptions.json").every
    without = await looked_at(assumed, NAMES, None)
    filtered = await seen(Assumption("rules", "filtered", ("*",), "…"), NAMES, tls)

    assert len(without) == len(assumed)
    assert {one.kind for one in assumed} <= KINDS.keys()
    assert filtered.outcome is Outcome.LEFT
    assert "az network nsg rule list" in filtered.says


async def test_what_only_a_look_shows_is_answered() -> None:
    """Each sentence of a proof's report is shown by checks, or left to people with the way."""
    seen = await only_after([], (), None)

    assert set(LEFT) | set(SHOWN_BY) == set(ONLY_AFTER_DEPLOYMENT)
    assert [one.subject for one in seen] == list(ONLY_AFTER_DEPLOYMENT)
    assert all(one.outcome is not Outcome.HOLDS for one in seen)


async def test_roles_from_above_are_listed(tls: Tls) -> None:
    """Those of the subscription are named with whom they are of; those of the group are its own."""
    group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-chat"
    owner = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/o"
    subscription = Subscription(SUBSCRIPTION)
    subscription.definitions = {owner: {"roleName": "Owner"}}
    subscription.roles = [
        {"properties": {"scope": scope, "roleDefinitionId": owner, "principalId": principal}}
        for scope, principal in ((f"/subscriptions/{SUBSCRIPTION}", "above"), (group, "own"))
    ]
    async with managed(subscription, tls) as manager:
        seen = await only_after([], (group,), manager)
        subscription.refused["/roleAssignments"] = "Microsoft.Authorization/roleAssignments/read"
    async with managed(subscription, tls) as manager:
        refused = await only_after([], (group,), manager)
    (found,) = [one for one in seen if one.subject == INHERITED]
    (unasked,) = [one for one in refused if one.subject == INHERITED]

    assert found.outcome is Outcome.LEFT
    assert "from above the estate come 1 Owner" in found.says
    assert [one["principal"] for one in found.facts["roles"]] == ["above"]
    assert "it needs Microsoft.Authorization/roleAssignments/read: az role" in unasked.says


def test_the_documents_agree() -> None:
    """What the proof's page says of kinds, this page says, too."""
    page = (Path(__file__).parents[3] / "docs" / "verify.md").read_text()

    assert all(f"`{kind}`" in page for kind in KINDS)
