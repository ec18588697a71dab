"""Each fault in the private estate is seen by the statement meant for it, and nothing harmless."""

from __future__ import annotations

from typing import Any

import pytest

from secure_openai.posture.estate import Estate
from secure_openai.posture.proof import Proof, Verdict, prove
from secure_openai.posture.simulation import simulate
from tests.infra.estate import INFRA, environment
from tests.posture.mutants import Mutant, mutants, mutated, put, resources

LEAST_MUTANTS = 150
LEAST_HARMLESS = 30


@pytest.fixture(scope="module")
def state() -> dict[str, Any]:
    """Return the state of the private estate."""
    with simulate(INFRA, var_files=[environment("private")]) as done:
        return done.state


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


def harmless(state: dict[str, Any]) -> list[Mutant]:
    """Return changes that make an estate no less secure."""
    found = resources(state)
    changes = [
        Mutant(f"{one['address']} tagged", "", put(one["address"], "tags", {"owner": "someone"}))
        for one in found
        if one["values"].get("tags")
    ]
    sizes: dict[str, tuple[str, Any]] = {
        "azurerm_application_insights": ("sampling_percentage", 50),
        "azurerm_cognitive_deployment": ("sku/0/capacity", 7),
        "azurerm_cosmosdb_account": ("burst_capacity_enabled", True),
        "azurerm_key_vault": ("sku_name", "standard"),
        "azurerm_linux_web_app": ("site_config/0/health_check_path", "/readyz"),
        "azurerm_log_analytics_workspace": ("retention_in_days", 365),
        "azurerm_monitor_action_group": ("short_name", "other"),
        "azurerm_service_plan": ("worker_count", 3),
        "azurerm_storage_account": ("account_replication_type", "ZRS"),
        "azurerm_storage_container_immutability_policy": ("locked", True),
    }
    changes += [
        Mutant(f"{one['address']} {path}", "", put(one["address"], path, value))
        for one in found
        if one["type"] in sizes
        for path, value in (sizes[one["type"]],)
    ]
    return changes


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
