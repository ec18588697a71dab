"""Bad input is refused before anything is planned, and told what to write instead."""

from __future__ import annotations

from typing import Any

import pytest

from secure_openai.posture.simulation import SimulationError, Workspace
from tests.infra.estate import INFRA, ROOT, environment
from tests.infra.test_variants import CUSTOMER_KEY, KEY, VAULT

ONE = {"main": {"location": "swedencentral", "deployments": {"chat": {"model": "gpt-5.1"}}}}
ENTRA = {"contact": "x", "tenant_id": "11111111-1111-1111-1111-111111111111"}


def model(name: str, **more: Any) -> dict[str, Any]:
    """Return accounts with one deployment of a model."""
    return {"main": {"location": "swedencentral", "deployments": {"chat": {"model": name, **more}}}}


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("address space too small", {"network": {"address_space": "10.0.0.0/24"}}, "10.20.0.0/22"),
    ("address space is not one", {"network": {"address_space": "10.0.0"}}, "10.20.0.0/22"),
    (
        "overlapping overrides",
        {
            "network": {
                "subnet_overrides": {
                    "endpoints": "10.20.3.0/25",
                    "applications": "10.20.3.64/26",
                }
            }
        },
        "Subnets overlap: applications (10.20.3.64/26) and endpoints (10.20.3.0/25)",
    ),
    (
        "an override that overlaps a derived subnet",
        {"network": {"subnet_overrides": {"runner": "10.20.0.0/26"}}},
        "endpoints (10.20.0.0/25) and runner (10.20.0.0/26)",
    ),
    (
        "an override outside the address space",
        {"network": {"subnet_overrides": {"runner": "10.21.0.0/27"}}},
        "Outside the address space 10.20.0.0/22: runner (10.21.0.0/27)",
    ),
    (
        "an override of a subnet that does not exist",
        {"network": {"subnet_overrides": {"databases": "10.20.3.0/27"}}},
        "write administration, applications, bastion, endpoints",
    ),
    (
        "a runner without an organisation",
        {"operations": {"runner": {"github_hosted": {}}}},
        "needs organization_id",
    ),
    (
        "a runner machine without an organisation",
        {
            "operations": {
                "runner": {
                    "machine": {
                        "package_sha256": "0",
                        "package_version": "1",
                        "ssh_public_key": KEY,
                    }
                }
            }
        },
        "needs organization, the GitHub organisation",
    ),
    ("a runner of neither kind", {"operations": {"runner": {}}}, "write one of the two"),
    ("a prefix too long", {"prefix": "a-very-long-prefix"}, "2 to 12 lower-case letters"),
    ("a prefix with capitals", {"prefix": "Chat"}, "2 to 12 lower-case letters"),
    (
        "an account's name too long",
        {"model_accounts": {"a" * 17: ONE["main"]}},
        "up to 16 lower-case letters and digits",
    ),
    (
        "a retired model",
        {"model_accounts": model("gpt-4.5-preview")},
        "Azure has retired gpt-4.5-preview (on 2025-07-14): write gpt-5.1 instead",
    ),
    ("a model nobody knows", {"model_accounts": model("gpt-9")}, "not in the table of models"),
    ("no deployment", {"model_accounts": {}}, "There must be an account"),
    (
        "a key without its identity",
        {"customer_managed_key": {"key_id": CUSTOMER_KEY["key_id"]}},
        "needs key_id, identity_id and identity_client_id",
    ),
    (
        "open to nobody",
        {"public_network_access_enabled": True},
        "name the addresses that may come in",
    ),
    (
        "open to everybody",
        {"public_network_access_enabled": True, "address_allow_list": ["0.0.0.0/0"]},
        "the whole Internet is not an allow-list",
    ),
    (
        "closed with an allow-list",
        {"address_allow_list": ["203.0.113.7/32"]},
        "leave the list empty",
    ),
    (
        "an edge before a public estate",
        {
            "public_network_access_enabled": True,
            "address_allow_list": ["203.0.113.7/32"],
            "edge": {
                "certificate": {"secret_id": "https://v/secrets/c", "vault_id": VAULT},
                "host_name": "chat.contoso.com",
            },
        },
        "The edge stands in front of a private estate",
    ),
    (
        "a certificate by version",
        {
            "edge": {
                "certificate": {"secret_id": "https://v/secrets/c/0123", "vault_id": VAULT},
                "host_name": "chat.contoso.com",
            }
        },
        "versionless secret id",
    ),
    (
        "an existing network without zones",
        {"network": {"existing": {"subnet_ids": {"applications": "a", "endpoints": "b"}}}},
        "needs central_zone_ids, or zones_by_policy = true",
    ),
    (
        "an existing network without the gateway's subnet",
        {
            "network": {
                "existing": {"subnet_ids": {"applications": "a", "endpoints": "b"}},
                "zones_by_policy": True,
            },
            "operations": {"bastion": {}},
        },
        "needs the ids of these subnets: applications, bastion, endpoints",
    ),
    ("nobody to tell", {"contacts": {}}, "Name at least one person to tell"),
    ("no tenant", {"entra": {**ENTRA, "tenant_id": "contoso"}}, "tenant_id is a GUID"),
    ("a plan too small", {"plan": {"sku": "B1"}}, "Premium v3 or v4"),
    ("one worker", {"plan": {"workers": 1}}, "at least 2 workers"),
    ("a cloud that has no OpenAI", {"cloud": "china"}, "The cloud is public or usgovernment"),
    (
        "GitHub's runner in Government",
        {
            "cloud": "usgovernment",
            "operations": {"runner": {"github_hosted": {"organization_id": "1"}}},
        },
        "GitHub-hosted runners reach no network in this cloud",
    ),
    (
        "a Bastion that nobody reaches",
        {"operations": {"bastion": {"sku": "Standard"}}},
        "Bastion without a public address is a Premium one",
    ),
]


@pytest.fixture(scope="module")
def workspace() -> Any:
    """Return the private environment, ready to be planned with other variables."""
    with Workspace(INFRA, var_files=[environment("private")]) as one:
        yield one


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [pytest.param(variables, sentence, id=name) for name, variables, sentence in REFUSED],
)
def test_bad_input_is_refused(
    workspace: Workspace, variables: dict[str, Any], sentence: str
) -> None:
    """The plan fails, and says what to write instead."""
    workspace.variables = variables
    with pytest.raises(SimulationError) as refused:
        workspace.plan()

    said = " ".join(str(refused.value).split())
    assert sentence in said


def test_a_model_about_to_retire_warns_and_applies(workspace: Workspace) -> None:
    """Within 60 days of a retirement a plan warns; it does not fail."""
    workspace.variables = {"model_accounts": model("gpt-5.2")}
    plan = workspace.plan()

    (warning,) = [one for one in plan.diagnostics if "retires" in one.detail]
    assert "gpt-5.2 on 2026-12-12 (then gpt-5.4)" in warning.detail


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"repository": "contoso/*"}, "without wildcards"),
        ({"budget": {"monthly": 1, "start_date": "2026-12-24"}}, "first of a month"),
        (
            {
                "lock_ids": {
                    "model": "/subscriptions/0/resourceGroups/r/providers/"
                    "Microsoft.CognitiveServices/accounts/a"
                }
            },
            "never locked",
        ),
        ({"cloud": "usgovernment", "github_network": True}, "public cloud only"),
    ],
)
def test_bootstrap_refuses_bad_input(variables: dict[str, Any], sentence: str) -> None:
    """An owner's mistakes are refused too."""
    folder = ROOT / "infra" / "bootstrap"
    with Workspace(folder, var_files=[folder / "example.tfvars"], variables=variables) as one:
        with pytest.raises(SimulationError) as refused:
            one.plan()

        assert sentence in " ".join(str(refused.value).split())


def test_an_unknown_region_warns_and_applies(workspace: Workspace) -> None:
    """A region that opened yesterday must not be refused."""
    workspace.variables = {"location": "atlantiscentral"}
    plan = workspace.plan()

    (warning,) = [one for one in plan.diagnostics if "atlantiscentral" in one.detail]
    assert not warning.is_error
