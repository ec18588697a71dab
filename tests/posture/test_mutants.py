"""Each fault in the private estate is seen by the statement meant for it, and nothing harmless."""

from __future__ import annotations

from typing import Any

import pytest

from secure_openai.posture.estate import Estate
from secure_openai.posture.proof import Proof, Verdict, prove
from tests.infra.estate import built
from tests.posture.mutants import Mutant, harmless, mutants, mutated

LEAST_MUTANTS = 150
LEAST_HARMLESS = 30


@pytest.fixture(scope="module")
def state() -> dict[str, Any]:
    """Return the state of the private estate."""
    return built("private").state


def proven(state: dict[str, Any]) -> Proof:
    """Prove a state."""
    return prove(Estate.of(state))


def test_the_estate_itself_is_proven(state: dict[str, Any]) -> None:
    """Otherwise no mutant would show anything."""
    assert proven(state).verdict is Verdict.PROVEN


def test_every_fault_is_seen_by_the_statement_meant_for_it(state: dict[str, Any]) -> None:
    """A fault leaves its statement unproven; every one that escapes is named."""
    every = mutants(state)
    assert len(every) >= LEAST_MUTANTS
    escaped = []
    for mutant in every:
        proof = proven(mutated(state, mutant))
        unproven = {one.statement.id for one in proof.judged if one.verdict is not Verdict.PROVEN}
        if not unproven.intersection(mutant.statement.split()):
            escaped.append((mutant.name, mutant.statement, sorted(unproven)))
    assert escaped == []


def test_harmless_changes_raise_nothing(state: dict[str, Any]) -> None:
    """Tags, names and sizes are nobody's finding."""
    changes = harmless(state)
    assert len(changes) >= LEAST_HARMLESS
    loud = [
        one.name for one in changes if proven(mutated(state, one)).verdict is not Verdict.PROVEN
    ]
    assert loud == []


def test_ids_compare_without_regard_to_case(state: dict[str, Any]) -> None:
    """Azure writes one id in several cases."""

    def shout(found: list[dict[str, Any]]) -> None:
        for one in found:
            if one["type"] == "azurerm_private_endpoint":
                connection = one["values"]["private_service_connection"][0]
                name = "private_connection_resource_id"
                connection[name] = connection[name].upper()

    assert proven(mutated(state, Mutant("shouted ids", "", shout))).verdict is Verdict.PROVEN
