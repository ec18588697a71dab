"""The role that bootstrap defines is believed where it is known, and nothing broader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from secure_openai.posture.assumptions import Assumption, Assumptions
from secure_openai.posture.estate import Estate
from secure_openai.posture.proof import Proof, Verdict, prove
from secure_openai.posture.reading import read
from secure_openai.posture.simulation import Simulation, simulate
from secure_openai.tables import table
from tests.infra.estate import INFRA, environment
from tests.infra.test_variants import ROLE

ACTIONS = table("roles")["manage_deployments"]["actions"]
ASSIGNMENT = 'azurerm_role_assignment.manage_deployments["production-main"]'
ACCOUNTS = "Microsoft.CognitiveServices/accounts"
VOUCHED = Assumptions((Assumption("theirs", "role", ("*",), "It is bootstrap's."),))


@pytest.fixture(scope="module")
def done() -> Simulation:
    """Return the private estate with the role handed over."""
    handed = {"deployment_manager_role_id": ROLE}
    with simulate(INFRA, var_files=[environment("private")], variables=handed) as one:
        return one


def entry(root: dict[str, Any], address: str) -> dict[str, Any]:
    """Return the values of one resource of a root module."""
    found: dict[str, Any] = next(
        one["values"] for one in root["resources"] if one["address"] == address
    )
    return found


def state(done: Simulation, **permissions: Any) -> dict[str, Any]:
    """Return the state, with what Azure would have said of the role if anything is given."""
    copy: dict[str, Any] = json.loads(json.dumps(done.state))
    if permissions:
        answer = entry(
            copy["values"]["root_module"], "data.azurerm_role_definition.deployment_manager[0]"
        )
        answer["permissions"] = [{"actions": [], "data_actions": [], **permissions}]
    return copy


def verdicts(proof: Proof) -> dict[str, Verdict]:
    """Return what came of the statements about roles that did not come out proven."""
    return {
        one.statement.id: one.verdict for one in proof.judged if one.verdict is not Verdict.PROVEN
    }


def test_a_role_that_azure_described_is_proven(done: Simulation) -> None:
    """What it may do is what the table lists: everything is proven, and nothing is assumed."""
    proof = prove(Estate.of(state(done, actions=ACTIONS)))

    assert verdicts(proof) == {}
    assert proof.assumptions == ()
    fewer = prove(Estate.of(state(done, actions=[one.upper() for one in ACTIONS[:3]])))
    assert verdicts(fewer) == {}


def test_a_role_that_nobody_described_cannot_be_told(done: Simulation) -> None:
    """Without Azure only its number is known, which shows nothing; that is no finding."""
    proof = prove(Estate.of(state(done)))

    assert verdicts(proof) == {
        "ROLES-02": Verdict.CANNOT_TELL,
        "ROLES-03": Verdict.CANNOT_TELL,
    }


def test_a_role_that_is_vouched_for_is_proven_and_printed(done: Simulation) -> None:
    """The assumption that ships with the environments is one that the report names."""
    file = INFRA / "environments" / "bootstrap.assumptions.json"
    proof = prove(Estate.of(state(done)), assumed=Assumptions.load(file))

    assert verdicts(proof) == {}
    assert [one.name for one in proof.assumptions] == ["deployment manager"]


@pytest.mark.parametrize(
    "permissions",
    [
        {"actions": [*ACTIONS, f"{ACCOUNTS}/listKeys/action"]},
        {"actions": [*ACTIONS, f"{ACCOUNTS}/write"]},
        {"actions": [*ACTIONS, f"{ACCOUNTS}/raiPolicies/write"]},
        {"actions": [f"{ACCOUNTS}/*"]},
        {"actions": ["*"]},
        {"actions": ACTIONS, "data_actions": [f"{ACCOUNTS}/OpenAI/*"]},
    ],
    ids=str,
)
@pytest.mark.parametrize("assumed", [None, VOUCHED], ids=["plain", "vouched"])
def test_a_broader_role_is_found(
    done: Simulation, permissions: dict[str, Any], assumed: Assumptions | None
) -> None:
    """What Azure says of it outweighs whoever vouches."""
    proof = prove(Estate.of(state(done, **permissions)), assumed=assumed)

    assert verdicts(proof)["ROLES-02"] is Verdict.FINDING


@pytest.mark.parametrize(
    "number",
    [
        "25fbc0a9-bd7c-42a3-aa1a-3b75d497ee68",  # Cognitive Services Contributor
        "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",  # Owner
        "a001fd3d-188f-4b5d-821b-7da978bf7442",  # Cognitive Services OpenAI Contributor
    ],
)
def test_a_built_in_role_in_its_place_is_found(done: Simulation, number: str) -> None:
    """Its number is known in every tenant, whatever is assumed."""
    found = state(done)
    given = entry(found["values"]["root_module"], ASSIGNMENT)
    given["role_definition_id"] = ROLE.rpartition("/")[0] + f"/{number}"

    proof = prove(Estate.of(found), assumed=VOUCHED)
    assert verdicts(proof)["ROLES-02"] is Verdict.FINDING
    assert verdicts(proof)["ROLES-03"] is Verdict.FINDING


def test_its_name_alone_shows_nothing(done: Simulation) -> None:
    """Anybody may call a role so."""
    found = state(done)
    given = entry(found["values"]["root_module"], ASSIGNMENT)
    given |= {
        "role_definition_id": None,
        "role_definition_name": table("roles")["manage_deployments"]["role"],
    }

    assert set(verdicts(prove(Estate.of(found), assumed=VOUCHED))) == {"ROLES-02", "ROLES-03"}


@pytest.mark.parametrize("holder", ["web-staging", "functions-production"])
def test_whoever_needs_it_not_may_not_hold_it(done: Simulation, holder: str) -> None:
    """A release candidate and the function app manage nothing."""
    found = state(done, actions=ACTIONS)
    estate = Estate.of(found)
    identity = estate.at(f'module.identity.azurerm_user_assigned_identity.this["{holder}"]')
    given = entry(found["values"]["root_module"], ASSIGNMENT)
    given["principal_id"] = identity.values["principal_id"]

    assert verdicts(prove(Estate.of(found)))["ROLES-02"] is Verdict.FINDING


def test_it_may_not_reach_beyond_an_account(done: Simulation) -> None:
    """On the whole group it would manage accounts that are not the estate's."""
    found = state(done, actions=ACTIONS)
    given = entry(found["values"]["root_module"], ASSIGNMENT)
    given["scope"] = given["scope"].partition("/providers/")[0]

    assert verdicts(prove(Estate.of(found)))["ROLES-02"] is Verdict.FINDING
    assert verdicts(prove(Estate.of(found)))["ROLES-03"] is Verdict.FINDING


@pytest.mark.parametrize(
    ("more", "expected"),
    [([], Verdict.PROVEN), ([f"{ACCOUNTS}/listKeys/action"], Verdict.FINDING)],
)
def test_a_plan_carries_what_azure_said(
    done: Simulation, tmp_path: Path, more: list[str], expected: Verdict
) -> None:
    """A plan that was made against Azure is proven with its folder, and nobody vouches."""
    plan: dict[str, Any] = json.loads(json.dumps(done.plan))
    answer = entry(
        plan["prior_state"]["values"]["root_module"],
        "data.azurerm_role_definition.deployment_manager[0]",
    )
    answer["permissions"] = [{"actions": [*ACTIONS, *more], "data_actions": []}]
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(plan))

    assert prove(read(file, config=INFRA).estate).verdict is expected
