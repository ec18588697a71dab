"""What the benchmark measures with: plans that checkov reads, and copies of an estate."""

from __future__ import annotations

from typing import Any

import pytest
from bench.proving.copies import copies
from bench.proving.plans import Plans

from secure_openai.posture.estate import Estate
from secure_openai.posture.proof import Verdict, prove
from secure_openai.posture.simulation import Simulation
from tests.infra.estate import built
from tests.posture.mutants import Mutant, added, changed, gone, put, resources

SUBNET = 'module.network[0].azurerm_subnet.this["endpoints"]'
ENDPOINT = "module.store.azurerm_private_endpoint.vault[0]"
CONNECTION = "private_service_connection/0/private_connection_resource_id"


@pytest.fixture(scope="module")
def done() -> Simulation:
    """Return the private estate, applied."""
    return built("private")


@pytest.fixture(scope="module")
def plans(done: Simulation) -> Plans:
    """Return its plans."""
    return Plans(done.state, done.plan["configuration"])


def arguments(plan: dict[str, Any], module: str, kind: str, name: str) -> dict[str, Any]:
    """Return what a plan's configuration says of a resource in a module."""
    inside = plan["configuration"]["root_module"]["module_calls"][module]["module"]["resources"]
    found: dict[str, Any] = next(
        one for one in inside if (one["type"], one["name"]) == (kind, name)
    )
    return dict(found["expressions"])


def test_the_estate_itself_is_planned_as_terraform_prints_it(
    done: Simulation, plans: Plans
) -> None:
    """Every resource in its module, known, beside the configuration that Terraform printed."""
    plan = plans.of(resources(done.state))
    assert done.plan["configuration"] == plan["configuration"]
    assert [one["address"] for one in resources(done.state)] == [
        one["address"] for one in resources({"values": plan["planned_values"]})
    ]
    assert {one["address"] for one in resources({"values": done.plan["planned_values"]})} == {
        one["address"] for one in resources({"values": plan["planned_values"]})
    }


def test_what_a_fault_sets_refers_to_nothing(done: Simulation, plans: Plans) -> None:
    """In a block as well; what it leaves alone keeps its references."""
    fault = Mutant("elsewhere", "", put(ENDPOINT, CONNECTION, "/subscriptions/0/elsewhere"))
    before = arguments(
        plans.of(resources(done.state)), "store", "azurerm_private_endpoint", "vault"
    )
    after = arguments(
        plans.of(changed(done.state, fault)), "store", "azurerm_private_endpoint", "vault"
    )
    (was,), (became,) = before["private_service_connection"], after["private_service_connection"]
    assert was["private_connection_resource_id"]["references"]
    assert {"private_connection_resource_id"} == was.keys() - became.keys()
    assert before["private_dns_zone_group"] == after["private_dns_zone_group"]
    assert before["subnet_id"] == after["subnet_id"]


def test_what_is_removed_or_added_is_seen(done: Simulation, plans: Plans) -> None:
    """A resource that is gone is not planned; one that is added stands in the root module."""
    without = changed(done.state, Mutant("without", "", gone(SUBNET)))
    planned = resources({"values": plans.of(without)["planned_values"]})
    assert SUBNET not in {one["address"] for one in planned}
    assert plans.types(without) == {"azurerm_subnet"}

    more = changed(done.state, Mutant("more", "", added("azurerm_mssql_server", id="/sql")))
    root = plans.of(more)["planned_values"]["root_module"]["resources"]
    assert [one["type"] for one in root if one["name"] == "mutant"] == ["azurerm_mssql_server"]
    assert plans.types(more) == {"azurerm_mssql_server"}


def test_copies_are_as_good_as_the_estate(done: Simulation) -> None:
    """Each stands by itself, and all send their logs to one workspace: every copy is proven."""
    number = len(resources(done.state))
    for count in (1, 3):
        proof = prove(Estate.of(copies(done.state, count)))
        assert proof.verdict is Verdict.PROVEN
        assert proof.resources == count * number - (count - 1)
        assert len({one.id for one in proof.topology.estate.every("azurerm_key_vault")}) == count
