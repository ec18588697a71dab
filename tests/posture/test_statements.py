"""What statements stand on: controls that exist, and defaults that are the provider's."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from secure_openai.posture import statements
from secure_openai.posture.assumptions import Assumptions
from secure_openai.posture.azapi_bodies import SHAPES
from secure_openai.posture.built_in_roles import BROAD, KNOWN, named
from secure_openai.posture.estate import Estate, Resource
from secure_openai.posture.simulation.schema import Block, load
from secure_openai.posture.statements import COVERED, STATEMENTS, Outcome
from secure_openai.posture.statements.statement import held
from secure_openai.posture.statements.whole import CARRIES_NOTHING, CHANGERS
from secure_openai.posture.topology import Topology
from secure_openai.tables import table

CONTROLS = json.loads((Path(__file__).parent / "controls.json").read_text(encoding="utf-8"))

# What azapi builds in a resource of its own, and azurerm has as a block.
NO_TYPE_OF_AZURERM = {"azurerm_private_dns_zone_group"}

# Where the provider has no default: what Azure does.
AZURE_S_CHOICE: dict[str, Any] = {
    "app_command_line": None,
    "anonymous_pull_enabled": False,
    "app_role_assignment_required": False,
    "backup.type": "Periodic",
    "default_action": "Allow",
    "enabled_for_deployment": False,
    "enabled_for_template_deployment": False,
    "fallback_public_client_enabled": False,
    "https_only": False,
    "access_token_issuance_enabled": False,
    "id_token_issuance_enabled": False,
    "mode": "Default",
    "purge_protection_enabled": False,
    "rbac_authorization_enabled": False,
    "require_authentication": False,
    "sign_in_audience": "AzureADMyOrg",
}


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda one: str(one.id))
def test_every_control_exists_and_is_about_what_the_statement_says(
    statement: statements.Statement,
) -> None:
    """A policy answers a control that is named beside it; a check looks at its types."""
    benchmark = {one.removeprefix("MCSB ") for one in statement.controls if "MCSB" in one}
    for control in benchmark:
        domain, _, number = control.partition("-")
        assert 1 <= int(number) <= CONTROLS["benchmark"][domain]
    for control in statement.controls:
        kind, _, identifier = control.rpartition(" ")
        if kind == "Azure Policy":
            answers = CONTROLS["policies"][identifier]["controls"]
            assert not answers or benchmark & set(answers), control
        elif kind == "checkov":
            types = CONTROLS["checks"][identifier]["types"]
            assert not types or set(statement.covers) & set(types), control
        else:
            assert kind == "MCSB"


def test_statements_can_be_named_and_told_apart() -> None:
    """Each has an id of its own, a title that says something true, and a reason."""
    assert len({one.id for one in STATEMENTS}) == len(STATEMENTS)
    for one in STATEMENTS:
        assert re.fullmatch(r"[A-Z]+-\d\d", one.id)
        assert one.title
        assert not one.title.endswith(".")
        assert one.reason.endswith(".")


def test_every_type_that_is_named_is_one_of_its_provider() -> None:
    """A mistyped type would be looked at by nobody."""
    wanted = {*COVERED, *CARRIES_NOTHING, *CHANGERS, *(one.type for one in SHAPES.values())}
    unknown = {
        kind
        for kind in wanted - NO_TYPE_OF_AZURERM - {"terraform_data"}
        if kind not in set(load(kind.partition("_")[0]).names("resource"))
    }
    assert unknown == set()


def arguments(kind: str, path: str) -> tuple[bool, Any]:
    """Return whether the provider has a default for an argument, and which."""
    block: Block = load(kind.partition("_")[0]).type(kind).block
    *blocks, name = [step for step in path.split(".") if not step.isdigit()]
    for step in blocks:
        block = block.blocks[step].block
    facts = block.attributes[name].facts
    return "default" in facts, facts.get("default")


def everything() -> Iterator[dict[str, Any]]:
    """Yield one resource of every type that is looked at, with as little in it as there can be."""
    for kind in sorted(COVERED):
        values: dict[str, Any] = {
            "app_role": [{}],
            "app_settings": {"SECURE_OPENAI_AUTHORITY": "x"},
            "auth_settings_v2": [{"auth_enabled": True}],
            "client_id": "1",
            "id": f"/x/{kind}",
            "name": kind,
        }
        yield {"address": f"{kind}.one", "mode": "managed", "type": kind, "values": values}


def test_what_is_absent_is_what_the_provider_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every default that a statement assumes is the provider's, or Azure's own."""
    asked: set[tuple[str, str, Any]] = set()

    def heard(
        resource: Resource, path: str, accepted: tuple[Any, ...], default: Any = None
    ) -> Iterator[Outcome]:
        asked.add((resource.type, path, default))
        return held(resource, path, accepted, default)

    for one in pkgutil.iter_modules(statements.__path__):
        module = importlib.import_module(f"{statements.__name__}.{one.name}")
        if hasattr(module, "held"):
            monkeypatch.setattr(module, "held", heard)
    estate = Estate.within({"root_module": {"resources": list(everything())}})
    topology = Topology(estate, None, Assumptions())
    for statement in STATEMENTS:
        list(statement.check(topology))
    monkeypatch.undo()

    wrong = []
    for kind, path, default in sorted(asked, key=str):
        known, theirs = arguments(kind, path)
        plain = ".".join(step for step in path.split(".") if not step.isdigit())
        names = (plain, plain.rpartition(".")[2])
        if not known:
            theirs = next((AZURE_S_CHOICE[one] for one in names if one in AZURE_S_CHOICE), "?")
        if theirs != default or type(theirs) is not type(default):
            wrong.append((kind, path, default, theirs))
    assert wrong == []
    assert len(asked) > 100


def test_every_role_that_the_code_needs_is_known() -> None:
    """And none of them is one that reaches too far; our own say themselves what they may do."""
    needed = {
        row["role"]
        for row in table("roles").values()
        if not row["role"].startswith("Cosmos DB B") and "actions" not in row
    }
    assert needed <= KNOWN
    assert not needed & BROAD.keys()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("b24988ac-6180-42a0-ab88-20f7382dd24c", "Contributor"),
        ("B24988AC-6180-42A0-AB88-20F7382DD24C", "Contributor"),
        (
            "/subscriptions/x/providers/Microsoft.Authorization/roleDefinitions/"
            "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
            "Owner",
        ),
        ("OWNER", "Owner"),
        ("12345678-1234-1234-1234-123456789012", "12345678-1234-1234-1234-123456789012"),
        ("A role of somebody's own", "A role of somebody's own"),
    ],
)
def test_a_role_is_known_by_name_number_and_id(text: str, name: str) -> None:
    """In any case; what is not known is handed back."""
    assert named(text) == name
