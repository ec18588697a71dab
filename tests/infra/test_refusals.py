"""Bad input is refused before anything is planned, and told what to write instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from secure_openai.posture.simulation import SimulationError, Workspace
from secure_openai.tables import table
from tests.infra.estate import INFRA, environment
from tests.infra.mistakes import BOOTSTRAP, MISSPELT, ONE, REFUSED, SUBNETS, Mistake, model
from tests.infra.test_variants import ENTRA

Variables = dict[str, Any]

PRIVATE_NETWORK = {"location": "swedencentral", "subnet_id": SUBNETS["endpoints"]}
GROUP = {"location": "swedencentral", "prefix": "chat", "resource_group_name": "rg-chat"}
WORKSPACE = {
    "workspace_id": "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg-chat/"
    "providers/Microsoft.OperationalInsights/workspaces/log-chat"
}


@dataclass(frozen=True)
class Module:
    """How a module is asked by itself, in a tenth of the time that the estate takes.

    Attributes:
        asked: Good values of the variables that it needs.
        of: Takes what it is given of the estate's variables.
    """

    asked: Variables
    of: Callable[[Variables], Variables]


def _of_network(given: Variables) -> Variables:
    found = dict(given.get("network", {}))
    if "edge" in given:
        found["gateway_source_prefixes"] = given["edge"]["source_prefixes"]
    if "operations" in given:
        found["bastion_source_prefixes"] = given["operations"]["bastion"]["source_prefixes"]
    return found


def _of_store(given: Variables) -> Variables:
    cosmos, seals = given.get("cosmos", {}), given.get("seals", {})
    found = {
        "cosmos_failover_locations": cosmos.get("failover_locations"),
        "cosmos_throughput": cosmos.get("throughput")
        and {"production": 4000, "staging": 1000, **cosmos["throughput"]},
        "seal_retention_days": seals.get("retention_days"),
    }
    return {name: value for name, value in found.items() if value is not None}


MODULES = {
    "inputs": Module(
        {
            "cloud": {
                "github_network": True,
                "zones": {"vault": ["privatelink.vaultcore.azure.net"]},
            },
            "entra": ENTRA,
            "model_accounts": ONE,
        },
        dict,
    ),
    "model": Module(
        {
            "accounts": ONE,
            "diagnostics": WORKSPACE,
            "model_domain": "openai.azure.com",
            "models": table("models")["models"],
            "prefix": "chat",
            "private_network": PRIVATE_NETWORK,
            "resource_group_name": "rg-chat",
            "suffix": "abcde",
        },
        lambda given: {name.removeprefix("model_"): value for name, value in given.items()},
    ),
    "network": Module({**GROUP, "address_space": "10.20.0.0/22", "zones": {}}, _of_network),
    "operations": Module(
        {
            **GROUP,
            "diagnostics": WORKSPACE,
            "protected_group_ids": {"application": "/subscriptions/0/resourceGroups/rg-chat"},
            "subnet_ids": dict.fromkeys(
                ("administration", "bastion", "runner"), SUBNETS["gateway"]
            ),
        },
        lambda given: dict(given["operations"]),
    ),
    "store": Module(
        {
            **GROUP,
            "containers": {},
            "diagnostics": WORKSPACE,
            "private_network": PRIVATE_NETWORK,
            "suffix": "abcde",
            "tenant_id": "11111111-1111-1111-1111-111111111111",
        },
        _of_store,
    ),
}


@pytest.fixture(scope="module")
def workspace() -> Iterator[Workspace]:
    """Return the private environment, ready to be planned with other variables."""
    with Workspace(INFRA, var_files=[environment("private")]) as one:
        yield one


@pytest.fixture(scope="module")
def modules() -> Iterator[dict[str, Workspace]]:
    """Return each module by itself; its first plan shows that it takes what is right."""
    found = {}
    try:
        for name, one in MODULES.items():
            found[name] = Workspace(INFRA / "modules" / name, variables=one.asked).__enter__()
            found[name].plan()
        yield found
    finally:
        for one_of_them in found.values():
            one_of_them.close()


def refusal(workspace: Workspace, variables: Variables) -> str:
    """Plan with wrong variables; return what is said."""
    workspace.variables = variables
    with pytest.raises(SimulationError) as refused:
        workspace.plan()
    return " ".join(str(refused.value).split())


def together(mistakes: Sequence[Mistake]) -> list[Mistake]:
    """Return mistakes that can share a plan: other variables, other sentences."""
    found: list[Mistake] = []
    for one in mistakes:
        if not any(one[1].keys() & other[1].keys() or one[2] == other[2] for other in found):
            found.append(one)
    return found


def heard(workspace: Workspace, mistakes: Sequence[Mistake]) -> dict[str, str]:
    """Return what is said to each mistake, several to a plan; what another hides is asked again."""
    found: dict[str, str] = {}
    while waiting := [one for one in mistakes if one[0] not in found]:
        batch = together(waiting)
        said = refusal(workspace, {k: v for _, variables, _ in batch for k, v in variables.items()})
        answered = [name for name, _, sentence in batch if sentence in said]
        found |= dict.fromkeys(answered, said)
        if not answered:
            name, variables, _ = batch[0]
            found[name] = refusal(workspace, variables)
    return found


PASSED_ON = [REFUSED[module][place] for module in MODULES for place in (0, -1)]
"""What a module refuses by itself reaches it through the estate: the first and the last of each."""


@pytest.fixture(scope="module")
def said(workspace: Workspace) -> dict[str, str]:
    """Return what is said to each mistake about the estate as a whole."""
    return heard(workspace, [*REFUSED[""], *PASSED_ON])


@pytest.mark.parametrize("mistake", [*REFUSED[""], *PASSED_ON], ids=lambda one: one[0])
def test_the_estate_refuses(said: dict[str, str], mistake: Mistake) -> None:
    """The plan fails, and says what to write instead."""
    name, _, sentence = mistake

    assert sentence in said[name]


@pytest.mark.parametrize(
    ("module", "variables", "sentence"),
    [
        pytest.param(module, variables, sentence, id=f"{module}: {name}")
        for module in MODULES
        for name, variables, sentence in REFUSED[module]
    ],
)
def test_a_module_refuses(
    modules: dict[str, Workspace], module: str, variables: Variables, sentence: str
) -> None:
    """The plan fails, and says what to write instead."""
    given = {**MODULES[module].asked, **MODULES[module].of(variables)}

    assert sentence in refusal(modules[module], given)


@pytest.fixture(scope="module")
def misspelt(workspace: Workspace) -> dict[str, str]:
    """Return what is said to each misspelling."""
    return heard(workspace, MISSPELT)


@pytest.mark.parametrize("mistake", MISSPELT, ids=lambda one: one[0])
def test_a_misspelling_is_refused(misspelt: dict[str, str], mistake: Mistake) -> None:
    """Terraform would drop it without a word."""
    name, _, sentence = mistake

    assert sentence in misspelt[name]


def test_a_model_about_to_retire_warns_and_applies(workspace: Workspace) -> None:
    """Within 60 days of a retirement a plan warns; it does not fail."""
    workspace.variables = {"model_accounts": model("gpt-5.2")}
    plan = workspace.plan()

    (warning,) = [one for one in plan.diagnostics if "retires" in one.detail]
    assert "gpt-5.2 on 2026-12-12 (then gpt-5.4)" in warning.detail


def test_an_unknown_region_warns_and_applies(workspace: Workspace) -> None:
    """A region that opened yesterday must not be refused."""
    workspace.variables = {"location": "atlantiscentral"}
    plan = workspace.plan()

    (warning,) = [one for one in plan.diagnostics if "atlantiscentral" in one.detail]
    assert not warning.is_error


@pytest.mark.parametrize(
    ("cloud", "name", "sku", "says"),
    [
        ("public", "gpt-5.4-mini", "Standard", "DataZoneStandard or GlobalStandard"),
        ("usgovernment", "gpt-5.1", "Standard", "which was offered as DataZoneStandard"),
        ("usgovernment", "gpt-5.4", "DataZoneStandard", "which was offered as nothing"),
    ],
)
def test_a_sku_that_no_region_was_known_to_offer_warns(
    workspace: Workspace, cloud: str, name: str, sku: str, says: str
) -> None:
    """A region may offer it by now, so it is not refused; what is provisioned is not judged."""
    asked = {"cloud": cloud, "model_accounts": model(name, sku=sku)}
    workspace.variables = asked
    (warning,) = [one for one in workspace.plan().diagnostics if says in one.detail]
    assert f"main's chat is {name} as {sku}" in warning.detail
    assert not warning.is_error

    workspace.variables = asked | {"model_accounts": model(name, sku="ProvisionedManaged")}
    assert not [one for one in workspace.plan().diagnostics if says in one.detail]


@pytest.mark.parametrize(
    ("location", "says"),
    [("westus", "write zone_redundant = false"), ("italynorth", "write geo_redundant = false")],
)
def test_redundancy_that_a_region_lacks_warns(
    workspace: Workspace, location: str, says: str
) -> None:
    """Azure would refuse it halfway through an apply; with the switch off nothing is said."""
    workspace.variables = {"location": location}
    (warning,) = [one for one in workspace.plan().diagnostics if says in one.detail]
    assert location in warning.detail

    workspace.variables = {"location": location, "geo_redundant": False, "zone_redundant": False}
    assert not [one for one in workspace.plan().diagnostics if location in one.detail]


@pytest.fixture(scope="module")
def bootstrap() -> Iterator[Workspace]:
    """Return bootstrap's example, ready to be planned with other variables."""
    folder = INFRA / "bootstrap"
    with Workspace(folder, var_files=[folder / "example.tfvars"]) as one:
        yield one


@pytest.fixture(scope="module")
def said_by_bootstrap(bootstrap: Workspace) -> dict[str, str]:
    """Return what is said to each mistake of an owner's."""
    return heard(bootstrap, BOOTSTRAP)


@pytest.mark.parametrize("mistake", BOOTSTRAP, ids=lambda one: one[0])
def test_bootstrap_refuses(said_by_bootstrap: dict[str, str], mistake: Mistake) -> None:
    """An owner's mistakes are refused too."""
    name, _, sentence = mistake

    assert sentence in said_by_bootstrap[name]
